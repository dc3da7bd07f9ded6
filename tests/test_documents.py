"""Documents on paper: a process of its own that is limited, dies alone and comes again (R64)."""

import asyncio
import io
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from pypdf import PdfReader

from portal.errors import Unavailable
from portal.render import documents

PARTY = {
    "name": "Halden IT GmbH",
    "address": ["Hafenstraße 7"],
    "vat_id": "DE100000001",
    "contact": ["office@desk.example"],
}


def invoice(lines: int = 1, **texts: Any) -> dict[str, Any]:
    """What the template of an invoice shows."""
    line = {"label": "Helpdesk", "note": "", "quantity": "1 h", "price": "120.00", "vat": "19 %", "net": "120.00"}
    return {
        "title": "Invoice 2026-0147", "number": "2026-0147", "date": [2026, 11, 20], "seller": PARTY, "buyer": PARTY,
        "facts": [["Due on", "4 Dec 2026"]],
        "heads": ["What", "Quantity", "Price", "VAT", "Net"], "lines": [line] * lines, "totals": [["Net", "120.00"]], "gross": ["To pay", "142.80"],
        "reasons": [], "terms": "Pay.", "detail": "Detail.", "bank": [["IBAN", "DE02"]],
    } | texts  # fmt: skip


@pytest.fixture(autouse=True)
def press() -> Iterator[None]:
    """No child is left behind."""
    yield
    documents.stop()


async def test_a_document_is_an_archivable_pdf() -> None:
    """stack.md: PDF/A-3."""
    content = await documents.pdf("invoice.typ", invoice())
    assert content.startswith(b"%PDF-")
    assert b"<pdfaid:part>3</pdfaid:part>" in content
    assert PdfReader(io.BytesIO(content)).metadata.title == "Invoice 2026-0147"  # type: ignore[union-attr]


async def test_a_buyer_without_a_vat_id_has_no_line_for_it() -> None:
    """No empty element."""
    content = await documents.pdf("invoice.typ", invoice(buyer=PARTY | {"vat_id": None}))
    assert PdfReader(io.BytesIO(content)).pages[0].extract_text().count("VAT id") == 1


async def test_a_killed_process_is_replaced() -> None:
    """The document after it is made as if nothing had been."""
    await documents.pdf("invoice.typ", invoice())
    child = documents._press._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    assert (await documents.pdf("invoice.typ", invoice())).startswith(b"%PDF-")


async def test_a_document_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """R64: and the next one is made."""
    await documents.pdf("invoice.typ", invoice())
    monkeypatch.setattr(documents, "SECONDS", 0.05)
    with pytest.raises(Unavailable):
        await documents.pdf("invoice.typ", invoice(3000))
    monkeypatch.setattr(documents, "SECONDS", 30.0)
    assert (await documents.pdf("invoice.typ", invoice())).startswith(b"%PDF-")


async def test_a_wrong_template_is_told_and_the_process_lives_on() -> None:
    """A mistake of ours is no silence."""
    with pytest.raises(RuntimeError):
        await documents.pdf("missing.typ", invoice())
    assert (await documents.pdf("invoice.typ", invoice())).startswith(b"%PDF-")


async def test_nothing_outside_of_the_templates_is_read() -> None:
    """R64: typst sees only its folder."""
    for path in ("../../pyproject.toml", "/etc/passwd", "../customer/layout.html"):
        with pytest.raises(RuntimeError):
            await documents.pdf(path, invoice())


@pytest.mark.slow
async def test_ten_thousand_lines_are_set_while_other_work_goes_on() -> None:
    """R64, R85: a long table, and the event loop is free meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    content = await documents.pdf("invoice.typ", invoice(10_000))
    ticking.cancel()
    assert ticks > 20
    assert len(PdfReader(io.BytesIO(content)).pages) > 200
