"""Test the process that typesets documents: its limits, and that its failure does not harm the portal (R64)."""

import asyncio
import io
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from portal.errors import Unavailable
from portal.render import documents, folder, letters
from tests.examples import ALL

PARTY = {
    "name": "Halden IT GmbH",
    "address": ["Hafenstraße 7"],
    "vat_id": "DE100000008",
    "contact": ["office@desk.example"],
}


def invoice(lines: int = 1, **texts: Any) -> dict[str, Any]:
    """Return the data of an invoice with `lines` lines for its template. `texts` replaces fields of these data."""
    line = {
        "label": "Helpdesk",
        "quantity": "1 h",
        "price": "120.00",
        "vat": "19 %",
        "net": "120.00",
        "note": "",
        "sum": "120.00",
    }
    return {
        "title": "Invoice 2026-0147", "number": "2026-0147", "cjk": "SC", "logo": None, "date": [2026, 11, 20], "seller": PARTY, "buyer": PARTY,
        "to": "Billed to", "facts": [["Due on", "4 Dec 2026"]], "carried_over": "Carried over", "time": None, "code": None,
        "heads": ["What", "Quantity", "Price", "VAT", "Net"], "lines": [line] * lines, "totals": [["Net", "120.00"]], "gross": ["To pay", "142.80"],
        "reasons": [], "note": [], "terms": "Pay.", "detail": "Detail.", "bank": [["IBAN", "DE02"]],
    } | texts  # fmt: skip


@pytest.fixture(autouse=True)
def press() -> Iterator[None]:
    """Stop the typesetting process after each test."""
    yield
    documents.stop()


async def test_a_document_is_an_archivable_pdf() -> None:
    """A typeset document is a tagged PDF/A-3 of conformance level A, so that screen readers can read it."""
    content = await documents.pdf("invoice.typ", invoice())
    assert content.startswith(b"%PDF-")
    assert b"<pdfaid:part>3</pdfaid:part>" in content
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in content
    assert PdfReader(io.BytesIO(content)).trailer["/Root"]["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert PdfReader(io.BytesIO(content)).metadata.title == "Invoice 2026-0147"  # type: ignore[union-attr]


async def test_a_buyer_without_a_vat_id_has_no_line_for_it() -> None:
    """An invoice to a buyer without a VAT ID has no empty line for it."""
    content = await documents.pdf("invoice.typ", invoice(buyer=PARTY | {"vat_id": None}))
    assert PdfReader(io.BytesIO(content)).pages[0].extract_text().count("VAT id") == 1


async def test_a_killed_process_is_replaced() -> None:
    """After the typesetting process was killed, a new process makes the next document."""
    await documents.pdf("invoice.typ", invoice())
    child = documents._typesetter._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    assert (await documents.pdf("invoice.typ", invoice())).startswith(b"%PDF-")


async def test_a_document_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """R64: typesetting that takes too long is stopped with `Unavailable`, and the next document is typeset again."""
    await documents.pdf("invoice.typ", invoice())
    monkeypatch.setattr(documents, "SECONDS", 0.05)
    with pytest.raises(Unavailable):
        await documents.pdf("invoice.typ", invoice(3000))
    monkeypatch.setattr(documents, "SECONDS", 30.0)
    assert (await documents.pdf("invoice.typ", invoice())).startswith(b"%PDF-")


async def test_a_wrong_template_raises_an_error_and_the_process_lives_on() -> None:
    """A template that does not exist raises `RuntimeError`, and the next document is made."""
    with pytest.raises(RuntimeError):
        await documents.pdf("missing.typ", invoice())
    assert (await documents.pdf("invoice.typ", invoice())).startswith(b"%PDF-")


async def test_nothing_outside_the_templates_is_read() -> None:
    """R64: a path that leads outside the folder of templates is refused."""
    for path in ("../../pyproject.toml", "/etc/passwd", "../customer/layout.html"):
        with pytest.raises(RuntimeError):
            await documents.pdf(path, invoice())


@pytest.mark.slow
@pytest.mark.parametrize("lines", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_thousands_of_lines_are_set_while_other_work_goes_on(lines: int) -> None:
    """R64, R85: typesetting a table of 2,000 lines, and with `--all` of 10,000, does not block the event loop."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    content = await documents.pdf("invoice.typ", invoice(lines))
    ticking.cancel()
    assert ticks > 20
    assert len(PdfReader(io.BytesIO(content)).pages) > lines // 50


SCRIPTS = {
    "latin": "Łódź Đặng Æsir",
    "greek and cyrillic": "Ελληνικά Кириллица",
    "japanese": "株式会社 トヨタ",
    "chinese": "北京科技有限公司",
    "korean": "주식회사 삼성",
    "thai": "บริษัท จำกัด",
    "devanagari": "प्रिया शर्मा",
    "tamil": "தமிழ் நிறுவனம்",
    "arabic": "شركة الاتصالات",
    "hebrew": "חברת תקשורת",
}


def with_text(text: str) -> dict[str, Any]:
    """Return the data of an invoice that has `text` in every field that people fill in."""
    party = {"name": text, "address": [text, text], "vat_id": "DE100000008", "contact": [text]}
    line = {
        "label": text,
        "quantity": "1 h",
        "price": "120.00",
        "vat": "19 %",
        "net": "120.00",
        "note": "",
        "sum": "120.00",
    }
    return invoice(
        seller=party, buyer=party, facts=[["Contract", text], ["Your order", text]], reasons=[text], note=[text], bank=[["Bank", text]]
    ) | {"lines": [line]}  # fmt: skip


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
async def test_every_text_prints_in_its_script(text: str) -> None:
    """A text in each script of `SCRIPTS` is printed with a font that has the script, and no letter is replaced."""
    assert letters.printable(text) == text
    pdf = PdfReader(io.BytesIO(await documents.pdf("invoice.typ", with_text(text))))
    fonts = {str(font["/BaseFont"]) for font in pdf.pages[0]["/Resources"]["/Font"].get_object().values()}  # type: ignore[index, union-attr]
    wanted = {"japanese": "CJK", "chinese": "CJK", "korean": "CJK"} | {
        name: name for name in ("thai", "devanagari", "tamil", "arabic", "hebrew")
    }
    name = next(name for name, example in SCRIPTS.items() if example == text)
    assert any(wanted.get(name, "Inter").lower() in font.lower() for font in fonts)


@pytest.mark.parametrize(
    ("text", "printed", "named"),
    [
        ("Rollout 🎓", "Rollout □", ["🎓"]),
        ("👨‍👩‍👧‍👦 and 👍🏽", "□ and □", ["👨‍👩‍👧‍👦", "👍🏽"]),
        ("1️⃣ ❤️", "1 ❤", []),
        ("\u202ea\u200bb\x07\tc\nd\u2028e", "ab c\nd e", []),
        ("\ufffd\ue000\ufffe", "□□□", ["\ufffd", "\ue000", "\ufffe"]),
        ("葛\U000e0100 क्\u200dष", "葛 क्\u200dष", []),
    ],
)
async def test_what_no_font_has_prints_as_a_sign(text: str, printed: str, named: list[str]) -> None:
    """A letter that no font has is printed as one replacement character, and invisible characters are left out."""
    assert letters.printable(text) == printed
    assert letters.unprintable(text) == named
    assert await documents.pdf("invoice.typ", with_text(text))


def test_the_note_names_what_cannot_be_printed() -> None:
    assert letters.printing_note("株式会社") == ""
    assert letters.printing_note("Rollout 🎓") == "Invoices show □ instead of 🎓, because their fonts do not have it."
    assert letters.printing_note("👍🎓🙈🙉🙊💩").startswith("Invoices show □ instead of 👍, 🎓, 🙈, 🙉, 🙊 and 1 more,")
    assert "U+FFFE" in letters.printing_note("\ufffe")


@pytest.mark.slow
@settings(max_examples=20 if ALL else 6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=60, max_size=60))
async def test_any_text_makes_a_document(texts: list[str]) -> None:
    """Any text can be typeset: all Unicode planes, combining marks and control characters."""
    lines = [
        {"label": text, "quantity": "1 h", "price": "1", "vat": "19 %", "net": "1", "note": "", "sum": "1"}
        for text in texts
    ]
    assert await documents.pdf("invoice.typ", with_text("".join(texts)) | {"lines": lines})


@pytest.mark.slow
async def test_every_letter_of_the_list_has_a_glyph() -> None:
    """Every letter of `letters.txt`, the list beside the fonts, has a glyph that PDF/A accepts."""
    ranges = (line.split("-") for line in (folder("static") / "vendor" / "ttf" / "letters.txt").read_text().split())
    known = [chr(code) for start, end in ranges for code in range(int(start, 16), int(end, 16) + 1)]
    for at in range(0, len(known), 8000):
        texts = " ".join(known[at : at + 8000])
        lines = [{"label": texts, "quantity": "1 h", "price": "1", "vat": "19 %", "net": "1", "note": "", "sum": "1"}]
        assert await documents.pdf("invoice.typ", invoice() | {"lines": lines})


async def test_a_long_name_without_blanks_stays_in_its_column() -> None:
    """A long name without blanks breaks inside its column, and is copied from the PDF as one word."""
    pdf = PdfReader(io.BytesIO(await documents.pdf("invoice.typ", with_text("W" * 64))))
    places: list[tuple[float, float]] = []

    def visit(text: str, _: Any, matrix: list[float], *__: Any) -> None:
        if "W" in text:
            places.append((matrix[4], len(text.strip())))

    text = pdf.pages[0].extract_text(visitor_text=visit)
    assert text.replace("\n", "").count("W" * 64) >= 5
    assert max(length for _, length in places) < 64


@pytest.mark.parametrize("name", ["W" * 200, "Gesellschaft für Betreuung " * 7, "Halden IT GmbH"])
async def test_the_foot_of_a_page_ends_above_its_edge_and_below_the_text(name: str) -> None:
    """The footer stands below the text and above the page's edge, even if the seller's name, street and bank are very long."""
    seller = PARTY | {"name": name, "address": [name, "20457 Hamburg"]}
    data = invoice(60, seller=seller, bank=[["Bank", name], ["IBAN", "DE02 1203 0000 0000 2020 51"]])
    feet, texts = list[float](), list[float]()

    def visit(text: str, page: list[float], place: list[float], _: Any, size: float) -> None:
        height = page[1] * place[4] + page[3] * place[5] + page[5]
        if text.strip():
            (feet if size < 7.6 and height < 190 else texts).append(height)

    pages = PdfReader(io.BytesIO(await documents.pdf("invoice.typ", data))).pages
    assert len(pages) >= 2
    pages[0].extract_text(visitor_text=visit)
    assert 15 < min(feet) < max(feet) < min(texts)
