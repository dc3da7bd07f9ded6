"""Test that a PDF leaves out a time detail that is too long to typeset, so that its document can still be made."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from portal.billing.documents import printing, statement_pdf
from portal.billing.documents.contents import Contents
from portal.billing.documents.detail import DetailRow
from portal.billing.documents.statements import Statement

PARTY = {
    "legal_name": "Halden IT GmbH", "street": "Hafenstraße 7", "postcode": "20457", "city": "Hamburg", "country": "DE",
    "vat_id": "DE100000008", "email": "office@desk.example", "phone": "",
}  # fmt: skip
PARTIES: dict[str, Any] = {
    "seller": PARTY, "buyer": PARTY, "bank": {"name": "", "iban_spaced": "DE02", "bic": ""},
    "contract": {"name": "Care", "order_reference": "", "prints_detail": True},
}  # fmt: skip
LISTED = "The 3,001 entries are listed in its CSV file in the portal."


def rows(count: int) -> list[DetailRow]:
    day, nothing = date(2026, 10, 1), Decimal(0)
    return [
        DetailRow(place, place, None, day, None, "Care", "Engineer", "Router", "no charge", 15, None, "EUR", nothing)
        for place in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [printing.PRINTED, printing.PRINTED + 1])
def test_a_time_detail_of_more_than_3000_rows_is_not_printed(count: int) -> None:
    """R64: an invoice or a statement with up to 3,000 rows of time prints them all.

    With more rows, it prints none and says where the rows can be read.
    """
    is_printed = count == printing.PRINTED
    sums = SimpleNamespace(currency="EUR", net=Decimal(0), gross=Decimal(0), payable=Decimal(0))
    face = printing.Face("Invoice 1", "1", date(2026, 11, 1), [], "To pay", "Pay.", "in the time detail in the portal")
    invoice = printing._texts(face, sums, Contents((), [], rows(count)), PARTIES)
    assert (invoice["time"] is not None) == is_printed
    assert ("on the pages that follow" in invoice["detail"]) == is_printed
    day = date(2026, 10, 1)
    statement = Statement(
        id=uuid.uuid4(), customer_id=1, contract_id=1, until=day, supply_from=day, supply_to=day, contract_name="Care",
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    printed = statement_pdf._texts(statement, rows(count), PARTIES, "Europe/Berlin")
    assert (printed["time"] is not None, LISTED not in printed["words"]) == (is_printed, is_printed)
    hours = printed["sums"][0][1].replace("\N{NO-BREAK SPACE}", " ")
    assert hours == ("750 h" if is_printed else "750 h 15 min")
