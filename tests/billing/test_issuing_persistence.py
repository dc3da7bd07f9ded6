"""Test issuing: numbers have no gaps, issued invoices and their files never change, and only some readers see them."""

import asyncio
import contextlib
import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from pypdf import PdfReader

from portal import billing
from portal.database import transaction
from portal.errors import Conflict, Invalid, NotFound, Unavailable
from portal.people.readers import SYSTEM
from portal.render import letters
from tests.billing.work import NOVEMBER, a_case, a_service, log
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")

HOSTILE = (
    '#read("/etc/passwd") $x^2$ *bold* `code` <script> #image("x.png") @ref \\ "quoted" {{ 7*7 }} https://evil.example'
)


async def draft(*minutes: int, **options: Any) -> int:
    """Log and approve an entry for each number of minutes, run billing for Acme, and return the id of the draft.

    Without `minutes`, there is one entry of 90 minutes. `options` are passed to `log`.
    """
    entries = [await log(each, **options) for each in minutes or (90,)]
    assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused
    run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    return run.draft_ids[0]


async def issued(*minutes: int, **options: Any) -> billing.Invoice:
    """Create a draft as `draft` does, issue it as Max at `NOW`, and return the invoice."""
    return await billing.issue(await draft(*minutes, **options), by=MAX, at=NOW)


async def pdf_of(invoice: billing.Invoice) -> PdfReader:
    return PdfReader(io.BytesIO(await billing.hand_out("pdf", invoice)))


def text_of(pdf: PdfReader) -> str:
    """Return the text of a PDF with white space collapsed."""
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pdf.pages))


async def test_an_issued_invoice_has_number_dates_parties_and_files() -> None:
    """An issued invoice has a number, dates, copies of the seller's and the buyer's data, and files (D36, D43)."""
    async with transaction(MAX) as tx:
        invoice = await issued(90, 45)
        assert (invoice.number, invoice.issued_at) == ("2026-0147", NOW)
        assert (invoice.issue_date, invoice.due_on) == (date(2026, 11, 20), date(2026, 12, 4))
        parties = invoice.copied
        assert (parties["seller"]["legal_name"], parties["seller"]["vat_id"]) == ("Halden IT GmbH", "DE100000008")
        assert (parties["buyer"]["legal_name"], parties["buyer"]["vat_id"]) == ("Acme GmbH", "DE100000016")
        assert (parties["contract"]["name"], parties["contract"]["order_reference"]) == ("Support 2026", "4500-7731")
        assert (parties["bank"]["iban"], parties["issued_by"]) == ("DE02120300000000202051", "Max Herrmann")
        files = await tx.fetch(
            "select kind, content, sha256 from document where invoice_id = $1 order by kind", invoice.id
        )
        assert [row["kind"] for row in files] == ["csv", "pdf"]
        assert all(row["sha256"] == sha256(row["content"]).digest() for row in files)
        row = await tx.fetchrow("select kind, subject_id, contact_may_know from outbox order by id desc limit 1")
        assert tuple(row) == ("invoice.issued", invoice.id, True)
        assert await billing.violations() == {}


async def test_the_date_is_the_companys() -> None:
    """An invoice issued at 0:30 in Berlin, the company's time zone, has the date in Berlin and not the date in UTC (D13)."""
    async with transaction(MAX):
        late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
        invoice = await billing.issue(await draft(), by=MAX, at=late)
        assert invoice.issue_date == date(2026, 12, 1)


async def test_the_pdf_says_all_that_an_invoice_has_to_say() -> None:
    """The PDF shows seller, buyer, VAT ids, period of supply, due date, bank, and quantity times price (D42, D6)."""
    async with transaction(MAX):
        training = await a_service(
            ACME, ACME_CONTRACT, "Training", taxable=False, exemption_reason="Education, section 4 no. 21 UStG"
        )
        entries = [await log(50, hourly_rate=Decimal(100), on=date(2026, 10, 2)), await log(60, service=training)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        invoice = await issued(60)
        text = text_of(await pdf_of(invoice))
        for part in (
            "Invoice 2026-0147", "Halden IT GmbH Hafenstraße 7 20457 Hamburg Germany", "VAT id DE100000008", "Acme GmbH Speicherweg 12 20457 Hamburg",
            "VAT id DE100000016",
            "Invoice date 20 Nov 2026", "Supply period 2 Oct 2026 to 6 Oct 2026", "Due on 4 Dec 2026", "Your order 4500-7731",
            "Contract Support 2026", "IBAN DE02 1203 0000 0000 2020 51", "BIC BYLADEM1001", "Hanse Bank", "Helpdesk",
            "1:50 h", "various rates", "203.33",
            "VAT 0 % on 120.00 0.00", "VAT 19 % on 203.33 38.63", "Without VAT: Education, section 4 no. 21 UStG", "Net 323.33", "To pay €361.96",
        ):  # fmt: skip
            assert part in text, (part, text)


async def test_the_pdf_prints_the_true_hours_and_says_where_rounding_makes_the_amount() -> None:
    """The PDF prints the exact hours: 50 min at 100.00 are 0:50 h and 83.33 (D6).

    Three entries of 20 min at 100.00 cost 33.33 each. Their line has 1:00 h and 99.99, and says that each entry was
    rounded to the cent.
    """
    async with transaction(MAX):
        text = text_of(await pdf_of(await issued(50, hourly_rate=Decimal(100))))
        assert "Helpdesk 0:50 h 100.00 19 % 83.33" in text
        text = text_of(await pdf_of(await issued(20, 20, 20, hourly_rate=Decimal(100))))
        assert "Helpdesk 3 entries, each rounded to the cent 1:00 h 100.00 19 % 99.99" in text


@pytest.mark.slow
async def test_thirty_issues_at_once_give_thirty_dense_numbers() -> None:
    """D36: of thirty drafts that are issued at once, each gets a number of its own, and no number is left out."""
    async with transaction(MAX):
        drafts = []
        for day in range(1, 31):
            entry = await log(15, on=date(2026, 10, 1) + timedelta(days=day % 28))
            await billing.approve([entry.choice], by=MAX, at=NOW)
            run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
            assert run is not None
            drafts += run.draft_ids

    async def one(draft_id: int) -> str:
        while True:  # Thirty transactions need more connections than the pool has; those that wait too long try again.
            try:
                async with transaction(MAX):
                    return str((await billing.issue(draft_id, by=MAX, at=NOW)).number)
            except Unavailable:
                await asyncio.sleep(0.05)

    numbers = await asyncio.gather(*map(one, drafts))
    assert sorted(numbers) == [f"2026-{number:04}" for number in range(147, 177)]
    async with transaction(SYSTEM):
        assert await billing.violations() == {}


async def test_the_pdf_is_set_in_inter() -> None:
    """The PDF embeds the font Inter; without Inter, typst, which makes the PDF, would silently use another font."""
    async with transaction(MAX):
        pdf = await pdf_of(await issued())
        named = [font.get_object()["/BaseFont"] for page in pdf.pages for font in page["/Resources"]["/Font"].values()]
        fonts = {name.split("+")[-1] for name in named}
        assert fonts
        assert all(font.startswith(("/Inter", "Inter")) for font in fonts), fonts


async def test_hostile_text_stays_text() -> None:
    """Markup that somebody typed into a field that an invoice prints is shown as text in the PDF (R64)."""
    async with transaction(MAX) as tx:
        await tx.execute("update customer set legal_name = $1, street = $1 where id = $2", HOSTILE, ACME)
        await tx.execute("update company set legal_name = $1, bank_name = $1", HOSTILE)
        await tx.execute("update contract set name = $1, order_reference = $1 where id = $2", HOSTILE, ACME_CONTRACT)
        service = await a_service(ACME, ACME_CONTRACT, HOSTILE, rollup="none", taxable=False, exemption_reason=HOSTILE)
        invoice = await issued(60, service=service, comment=HOSTILE)
        pdf = await pdf_of(invoice)
        text = text_of(pdf)
        squeezed = text.replace(" ", "")
        assert squeezed.count(HOSTILE.replace(" ", "")) >= 6
        assert "root:" not in text
        assert "49" not in text.replace("2026-0147", "")
        assert all("/Annots" not in page for page in pdf.pages)


TYPED = {
    "company": ("legal_name", "street", "postcode", "city", "bank_name", "phone"),
    "customer": ("legal_name", "street", "postcode", "city"),
    "contract": ("name", "order_reference"),
    "service": ("name", "exemption_reason"),
    "agent": ("name",),
    "role": ("name",),
}
"""The columns, by table, with text that people type and that a document prints, apart from the external comment."""


@pytest.mark.parametrize("rollup", ["none", "resource", "role", "service"])
@pytest.mark.parametrize(
    "text",
    [
        "株式会社",
        "Rollout 🎓",
        "Replaced the toner 👍🏽",
        "ไทย हिन्दी தமிழ் العربية עברית 한국",
        "W" * 64,
        "\u202ea\u0301\ufffd\ue000",
    ],
    ids=["japanese", "emoji", "skin", "scripts", "long", "odd"],
)
async def test_whatever_is_typed_an_invoice_is_issued(text: str, rollup: str, dsn: str) -> None:
    """An invoice can be issued whatever text people have typed into any field, under every rollup."""
    async with transaction(MAX):
        service = await a_service(ACME, ACME_CONTRACT, text, rollup=rollup, taxable=False, exemption_reason=text)
        draft_id = await draft(60, service=service, comment=text)
    owner = await asyncpg.connect(dsn)
    try:
        for table, columns in TYPED.items():
            changes = ", ".join(f"{column} = $1::text || repeat('.', {table}.id::int)" for column in columns)
            await owner.execute(f"update {table} set {changes}", text)
    finally:
        await owner.close()
    async with transaction(MAX):
        invoice = await billing.issue(draft_id, by=MAX, at=NOW)
        pdf = await pdf_of(invoice)
        assert invoice.number == "2026-0147"
        assert (letters.SIGN in text_of(pdf)) == (letters.SIGN in letters.printable(text))


async def test_the_csv_has_a_row_per_allocation_and_sums_to_the_net() -> None:
    """The CSV has a row for each allocation, and its amounts sum to the net (S0.19, D55, D57).

    It has billable minutes and the external comment, but no worked minutes and no internal description.
    """
    async with transaction(MAX):
        case = await a_case()
        entries = [
            await log(
                37, counted=45, comment="Gateway, “key” renewed", case_id=case["id"], description="MARK-INTERNAL"
            ),
            await log(33, billing="no_charge", comment="=1+1", description="MARK-INTERNAL"),
            await log(31, billing="not_billable", comment="MARK-UNBILLED", description="MARK-INTERNAL"),
        ]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        invoice = await issued(60, comment="")
        content = await billing.hand_out("csv", invoice)
        assert content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        assert rows[0] == {
            "Date": "2026-10-06", "Case": str(case["number"]), "Service": "Helpdesk", "Performed by": "Senior consultant",
            "Comment": "Gateway, “key” renewed", "Covered by": "charged", "Minutes": "45", "Hourly rate": "120.00",
            "Currency": "EUR", "Amount": "90.00", "Factor": "",
        }  # fmt: skip
        assert [(row["Comment"], row["Covered by"], row["Minutes"], row["Amount"]) for row in rows[1:]] == [
            ("'=1+1", "no charge", "33", "0.00"),
            ("", "charged", "60", "120.00"),
        ]
        assert sum(Decimal(row["Amount"]) for row in rows) == invoice.net
        assert b"MARK" not in content
        assert b"37" not in content.replace(b"-0147", b"")


async def test_files_stay_byte_for_byte_whatever_changes_later() -> None:
    """The files of an issued invoice stay byte for byte the same, whatever data change later (R65, D37)."""
    async with transaction(MAX) as tx:
        invoice = await issued()
        before = [await billing.hand_out(kind, invoice) for kind in ("pdf", "csv")]
        await tx.execute(
            "update customer set legal_name = 'Another GmbH'; update service set name = 'Other'; update rate set hourly_rate = 1"
        )
        assert [await billing.hand_out(kind, invoice) for kind in ("pdf", "csv")] == before
        again = await billing.Invoice.find("2026-0147", MAX)
        assert again.copied["buyer"]["legal_name"] == "Acme GmbH"
        assert (await billing.contents_of(again)).lines[0].label == "Helpdesk"


@pytest.mark.parametrize(
    "sql",
    [
        "update invoice set net = 0, gross = tax", "update invoice set state = 'draft'", "delete from invoice", "delete from invoice_line",
        "update invoice_line set net = 0", "delete from invoice_vat", "delete from settled_entry", "delete from line_allocation",
        "delete from detail_row",
        "update detail_row set amount = 0", "delete from document", "update document set content = ''", "delete from allocation",
        "update allocation set minutes = 0", "update time_entry set external_comment = 'x'", "delete from time_entry", "delete from approval",
        "insert into invoice_vat select customer_id, invoice_id, 'E', 0, currency, 0, 0 from invoice_vat",
    ],
)  # fmt: skip
async def test_what_is_issued_cannot_change(sql: str, dsn: str) -> None:
    """A trigger refuses every change to an issued invoice and to what it bills, even by the owner of the tables (D37)."""
    async with transaction(MAX):
        await issued()
    owner = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(sql)
    finally:
        await owner.close()


async def test_issuing_twice_is_a_conflict_that_names_the_number() -> None:
    """When Noor issues a draft that Max has issued, she gets a conflict that names the number of the invoice.

    The invoice cannot be deleted, and no entry can be taken off it.
    """
    async with transaction(MAX):
        draft_id = await draft()
        await billing.issue(draft_id, by=MAX, at=NOW)
        with pytest.raises(Conflict, match="It is issued already, as 2026-0147"):
            await billing.issue(draft_id, by=NOOR, at=NOW)
        with pytest.raises(NotFound):
            await billing.issue(4711, by=MAX, at=NOW)
        for verb in (billing.delete_draft(draft_id, by=MAX, at=NOW), billing.take_off(draft_id, 1, by=MAX, at=NOW)):
            with pytest.raises(Conflict):
                await verb
        assert await billing.violations() == {}


async def test_two_managers_issue_at_once_and_one_gets_a_conflict() -> None:
    """If Max and Noor issue a draft at the same time on two connections, one of them gets a conflict (R94)."""
    async with transaction(MAX):
        draft_id = await draft()

    async def one(by: Any) -> str:
        try:
            async with transaction(by):
                return str((await billing.issue(draft_id, by=by, at=NOW)).number)
        except Conflict:
            return "conflict"

    assert sorted(await asyncio.gather(one(MAX), one(NOOR))) == ["2026-0147", "conflict"]


async def test_numbers_have_no_gap_and_rise_with_time_when_ten_issue_at_once() -> None:
    """Of ten drafts that are issued at once, four are rolled back; the others get numbers without gaps (D36).

    The numbers are in the order of the instants of issue, although the clocks of the transactions differ.
    """
    async with transaction(MAX):
        drafts = [await draft(15 * (count + 1)) for count in range(10)]

    class Broken(Exception):
        pass

    async def one(place: int, draft_id: int) -> str | None:
        with contextlib.suppress(Broken):
            async with transaction(MAX if place % 2 else NOOR):
                invoice = await billing.issue(
                    draft_id, by=MAX if place % 2 else NOOR, at=NOW - timedelta(seconds=place * 7 % 10)
                )
                if place % 3 == 0:
                    raise Broken
                return str(invoice.number)
        return None

    numbers = await asyncio.gather(*(one(place, draft_id) for place, draft_id in enumerate(drafts)))
    assert sorted(filter(None, numbers)) == [f"2026-{147 + count:04d}" for count in range(6)]
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select next_number from number_series") == 153
        assert await billing.violations() == {}
        # The PDF shows the number that the invoice has got, even if it was first typeset with another one.
        rows = await tx.fetch(
            "select i.number, d.content from invoice i join document d on d.invoice_id = i.id and d.kind = 'pdf'"
        )
        assert all(f"Invoice {row['number']}" in text_of(PdfReader(io.BytesIO(row["content"]))) for row in rows)


async def test_without_company_or_numbers_nothing_is_issued(dsn: str) -> None:
    """If the company's data or the number series is missing, issuing is refused with a message that says which."""
    async with transaction(MAX):
        draft_id = await draft()
        assert await billing.missing() == []
    owner = await asyncpg.connect(dsn)
    await owner.execute("delete from number_series")
    async with transaction(MAX):
        with pytest.raises(Invalid, match="Where the numbers of invoices begin is not set up"):
            await billing.issue(draft_id, by=MAX, at=NOW)
        assert [lacking.address for lacking in await billing.missing()] == ["/agent/setup/company"]
    await owner.execute("delete from company")
    await owner.close()
    async with transaction(MAX):
        with pytest.raises(Invalid, match="Who issues the invoice is not set up"):
            await billing.issue(draft_id, by=MAX, at=NOW)


async def test_a_contact_sees_issued_invoices_of_the_own_customer_and_no_drafts() -> None:
    """Ada sees the issued invoices of her own customer, but no drafts (R24, R25, R26).

    `visible_to` leaves out other invoices, and so does row-level security for queries without `visible_to`. Alan, Gil
    and Ines cannot find Acme's invoice.
    """
    async with transaction(MAX):
        invoice = await issued()
        await draft(45)
        theirs = await log(60, service=GLOBEX_HELPDESK)
        await billing.approve([theirs.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [GLOBEX], by=MAX, at=NOW)
        assert run is not None
        foreign = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    async with transaction(ADA) as tx:
        assert [row["number"] for row in (await billing.list_issued(ADA)).rows] == ["2026-0147"]
        assert [row["number"] for row in (await billing.list_issued(ADA, customer_id=GLOBEX)).rows] == ["2026-0147"]
        assert (await billing.Invoice.find("2026-0147", ADA)).id == invoice.id
        with pytest.raises(NotFound):
            await billing.Invoice.find(str(foreign.number), ADA)
        assert await tx.fetchval("select count(*) from invoice") == 1
        for table in ("invoice_line", "invoice_vat", "detail_row", "document"):
            assert await tx.fetchval(f"select count(distinct invoice_id) from {table}") == 1
        with pytest.raises(NotFound):
            await billing.hand_out("pdf", foreign)
        contents = await billing.contents_of(invoice)
        assert [line.label for line in contents.lines] == ["Helpdesk"]
    async with transaction(ALAN):
        assert (await billing.list_issued(ALAN)).rows == []
        assert await billing.latest(ALAN) == []
        with pytest.raises(NotFound):
            await billing.Invoice.find("2026-0147", ALAN)
    async with transaction(GIL):
        with pytest.raises(NotFound):
            await billing.Invoice.find("2026-0147", GIL)
    async with transaction(INES):
        with pytest.raises(NotFound):
            await billing.Invoice.find("2026-0147", INES)


@pytest.mark.parametrize(
    "table", ["allocation", "approval", "rejection", "rate", "billing_run", "skipped_entry", "number_series"]
)
async def test_a_contact_cannot_even_ask_for_what_is_ours(table: str) -> None:
    """PostgreSQL refuses to let Ada read the tables that are for agents only, such as approvals and rates (R27)."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA) as tx:
            await tx.fetch(f"select * from {table}")


@pytest.mark.parametrize("table", ["settled_entry", "line_allocation"])
async def test_a_contact_learns_of_no_draft_through_what_hangs_on_it(table: str) -> None:
    """PostgreSQL refuses to let Ada read the tables from which she could learn of a draft (R27)."""
    async with transaction(MAX):
        await draft()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA) as tx:
            await tx.fetch(f"select * from {table}")


async def test_actual_minutes_are_out_of_reach_for_a_contact() -> None:
    """PostgreSQL refuses to let Ada read the column of the minutes worked (D57)."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA) as tx:
            await tx.fetch("select actual_minutes from time_entry")


async def test_the_first_reading_is_recorded_once() -> None:
    """Only the first time that Ada opens an invoice is recorded; PostgreSQL refuses to record that Gil has opened it."""
    async with transaction(MAX):
        invoice = await issued()
    async with transaction(ADA):
        await billing.record_seen(invoice, ADA, NOW)
        await billing.record_seen(invoice, ADA, NOW + timedelta(hours=1))
        assert [(row["name"], row["seen_at"]) for row in await billing.seen(invoice)] == [("Ada Lindqvist", NOW)]
    async with transaction(GIL):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(GIL):
                await billing.record_seen(invoice, GIL, NOW)


async def test_lists_go_on_page_by_page() -> None:
    """The list of issued invoices shows the newest first and continues page by page by its cursors."""
    async with transaction(MAX):
        for minutes in range(1, 6):
            await issued(minutes)
        first = await billing.list_issued(MAX, limit=2)
        assert ([row["number"] for row in first.rows], first.next_after) == (["2026-0151", "2026-0150"], "2026-0150")
        second = await billing.list_issued(MAX, after=first.next_after, limit=2)
        last = await billing.list_issued(MAX, after=second.next_after, limit=2)
        assert ([row["number"] for row in last.rows], last.next_after) == (["2026-0147"], None)
        assert (await billing.list_issued(MAX, customer_id=GLOBEX)).rows == []
