"""Test the warning at fields that are printed on documents: it names the characters that cannot be printed."""

import re

import pytest

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, HELPDESK, INES, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

NOTE = "Invoices show □ instead of 🎓, because their fonts do not have it."


FORMS = {
    "/agent/setup/company": {"name", "legal_name", "street", "postcode", "city", "bank_name"},
    f"/agent/customers/{ACME}/edit": {"name", "legal_name", "street", "postcode", "city"},
    f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}": {"name", "order_reference"},
    f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}/services/{HELPDESK}": {"name", "exemption_reason"},
    f"/agent/setup/agents/{INES.id}": {"name"},
    "/agent/setup/roles/1": {"name"},
}
COLUMNS = {
    "company": ("name", "legal_name", "street", "postcode", "city", "bank_name"),
    "customer": ("name", "legal_name", "street", "postcode", "city"),
    "contract": ("name", "order_reference"),
    "service": ("name",),
    "agent": ("name",),
    "role": ("name",),
}


@pytest.mark.parametrize("path", FORMS)
async def test_every_field_of_a_document_says_what_cannot_be_printed(app: Gate, dsn: str, path: str) -> None:
    """Each field that is printed on documents shows, while somebody types, which characters cannot be printed.

    If a stored value has such a character, the warning is there as soon as the page opens.
    """
    async with transaction(SYSTEM) as tx:
        for table, columns in COLUMNS.items():
            for column in columns:
                await tx.execute(f"update {table} set {column} = $1 where id = 1", f"{table} {column} 🎓")
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        page = (await browser.get(path)).text
        assert set(re.findall(r'hx-get="/agent/prints/(\w+)"', page)) == FORMS[path]
        noted = set(re.findall(rf'id="(\w+)-prints" role="status"><svg.*?{re.escape(NOTE)}', page))
        assert noted == FORMS[path] - {"exemption_reason"}


async def test_the_note_follows_what_is_typed(app: Gate, dsn: str) -> None:
    async with transaction(SYSTEM):
        entry = await log(60, comment="Toner 🎓", state="draft", at=NOW)
    async with await Browser.of(app, INES, at=NOW) as browser:
        typed = await browser.get("/agent/prints/legal_name?legal_name=Rollout+🎓")
        assert NOTE in typed.text
        assert 'id="legal_name-prints"' in typed.text
        assert "<svg" not in (await browser.get("/agent/prints/legal_name?legal_name=株式会社")).text
        assert (await browser.get('/agent/prints/"><b>')).status_code == 404
        assert NOTE in (await browser.get(f"/agent/time/{entry.id}")).text
