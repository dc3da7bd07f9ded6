"""Test invoices and statements over HTTP as contacts see them, and what contacts never see."""

import csv
import io
import re
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pypdf import PdfReader

from portal import billing
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests import owner
from tests.billing.test_prepaid_persistence import a_voucher
from tests.billing.work import NOVEMBER, a_case, a_service, log
from tests.browser import Browser
from tests.queries import counted
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")

INVOICE = "/invoices/2026-0147"


@pytest.fixture
async def invoice(dsn: str) -> billing.Invoice:
    """Issue an invoice to Acme and return it; also create time and a draft that no contact may see.

    The invoice has an entry of 37 minutes that counts as 45, and one at no charge. Other entries are not billable,
    rejected, not approved, or on the draft; their texts begin with MARK.
    """
    async with transaction(MAX):
        case = await a_case()
        entries = [
            await log(37, counted=45, comment="Gateway renewed", case_id=case["id"], description="MARK-INTERNAL"),
            await log(20, billing="no_charge", comment="Goodwill", description="MARK-INTERNAL"),
            await log(25, billing="not_billable", comment="MARK-UNBILLED"),
        ]
        rejected = await log(61, comment="MARK-REJECTED")
        await log(62, comment="MARK-WAITS")
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        await billing.reject([rejected.choice], reason="MARK-REASON", by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        issued = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        later = await log(63, comment="MARK-DRAFT")
        await billing.approve([later.choice], by=MAX, at=NOW)
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        return issued


@pytest.mark.usefixtures("invoice")
async def test_a_contact_sees_number_line_tax_total_and_why(app: Gate) -> None:
    """S0.18, D9: an invoice shows lines by service, tax and total, and the time behind each line.

    Time at no charge is in the time detail with 0.00; time that is not billable is left out.
    """
    async with await Browser.of(app, ADA, at=NOW) as browser:
        html = (await browser.get(INVOICE)).text.replace("\xa0", " ")
        for words in (
            "Invoice 2026-0147", "€107.10", "Helpdesk", "0:45 h", "120.00", "19 %", "90.00", "17.10", "due on 4 Dec 2026", "Why this amount?",
            "Senior consultant €120.00 per hour", "Gateway renewed", "Goodwill", "no charge", "Issued by Max Herrmann", "Halden IT GmbH",
            "DE02 1203 0000 0000 2020 51", "Acme GmbH", "Germany", "VAT id DE100000016", "4500-7731",
        ):  # fmt: skip
            assert words in html, words
        detail = (await browser.get(f"{INVOICE}/detail.csv")).text
        assert re.search(r"Goodwill,no charge,\d+,,EUR,0\.00", detail), detail
        assert "MARK-UNBILLED" not in html + detail
        listed = (await browser.get("/invoices")).text.replace("\xa0", " ")
        assert INVOICE in listed
        assert "€107.10" in listed


@pytest.mark.usefixtures("invoice")
async def test_nothing_internal_is_anywhere_a_contact_can_reach(app: Gate) -> None:
    """R27, D57, S0.31: no page or file shows Ada internal texts, minutes worked, drafts, or time that is not invoiced."""
    async with await Browser.of(app, ADA, at=NOW) as browser:
        for path in ("/", "/invoices", INVOICE, f"{INVOICE}/detail.csv", f"{INVOICE}/invoice.pdf"):
            answer = await browser.get(path)
            assert answer.status_code == 200
            assert b"MARK" not in answer.content, path
            assert b"0:37" not in answer.content
            assert b"2026-0148" not in answer.content
        rows = list(
            csv.DictReader(
                io.StringIO((await browser.get(f"{INVOICE}/detail.csv")).content.decode("utf-8-sig"), newline="")
            )
        )
        assert [(row["Comment"], row["Minutes"]) for row in rows] == [("Gateway renewed", "45"), ("Goodwill", "20")]
        assert sum(Decimal(row["Amount"]) for row in rows) == Decimal(90)


async def test_the_files_are_what_was_stored(app: Gate, invoice: billing.Invoice) -> None:
    """R65: the downloaded PDF and CSV files are the stored ones, byte for byte."""
    async with transaction(MAX):
        stored = {kind: await billing.hand_out(kind, invoice) for kind in ("pdf", "csv")}
    async with await Browser.of(app, ADA, at=NOW) as browser:
        pdf = await browser.get(f"{INVOICE}/invoice.pdf")
        assert pdf.content == stored["pdf"]
        assert pdf.headers["content-disposition"] == "attachment; filename*=UTF-8''2026-0147.pdf"
        assert (await browser.get(f"{INVOICE}/detail.csv")).content == stored["csv"]


async def test_the_first_reading_is_recorded_and_shown(app: Gate, invoice: billing.Invoice) -> None:
    """Only the first time that Ada opens an invoice is recorded; from then on, she and Max see that she has seen it."""
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert "Seen by you" not in (await browser.get(INVOICE)).text
        app.clock = lambda: NOW + timedelta(minutes=5)
        assert "Seen by you" in (await browser.get(INVOICE)).text
    async with transaction(MAX):
        assert [(row["name"], row["seen_at"]) for row in await billing.seen(invoice)] == [("Ada Lindqvist", NOW)]
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "Seen by Ada Lindqvist" in (await browser.get(f"/agent{INVOICE}")).text


@pytest.mark.usefixtures("invoice")
@pytest.mark.parametrize("reader", [ALAN, GIL, INES, None], ids=["without the right", "stranger", "agent", "anonymous"])
async def test_nobody_else_finds_anything_there(app: Gate, reader: Any) -> None:
    """R25: contacts without the right to invoices, other customers and agents get 404 on invoices and statements.

    The response is the same as for a missing invoice, and no reading is recorded. Visitors are sent to the sign-in
    page.
    """
    async with transaction(MAX):
        covered = await log(30, billing="no_charge")
        await billing.approve([covered.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    statement = f"/statements/{run.statement_ids[0]}"
    paths = [INVOICE, f"{INVOICE}/invoice.pdf", f"{INVOICE}/detail.csv", statement, f"{statement}/detail.csv"]
    if reader is None:
        async with Browser(app) as nobody:
            for path in ["/invoices", *paths]:
                assert (await nobody.get(path)).status_code == 303
        return
    async with await Browser.of(app, reader, at=NOW) as browser:
        assert (await browser.get("/invoices")).status_code == (200 if reader is GIL else 404)
        for path in paths:
            answer = await browser.get(path)
            missing = await browser.get(path.replace("0147", "9999").replace(statement, f"/statements/{uuid.uuid4()}"))
            assert (answer.status_code, len(answer.content)) == (404, len(missing.content)), path
            assert b"107.10" not in answer.content
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from invoice_seen") == 0


@pytest.mark.usefixtures("invoice")
async def test_a_stranger_finds_none_of_it_in_the_own_list(app: Gate) -> None:
    """R26: a contact's list of invoices shows no invoice of another customer."""
    async with await Browser.of(app, GIL, at=NOW) as browser:
        html = (await browser.get("/invoices?after=2026-0147")).text + (await browser.get("/invoices")).text
        assert "0147<" not in html
        assert "Acme" not in html
        assert "No invoices yet" in html


async def test_a_statement_sums_what_each_kind_of_cover_has_paid_for(app: Gate) -> None:
    """D30, S0.19: 80 minutes are covered by a voucher and 30 cost nothing: a statement shows both sums and the total.

    Its PDF shows both sums and the total too, with the rows of time.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", settlement="voucher", overflow="bill")
        await a_voucher(care, hours="2h", sold_elsewhere="yes")
        entries = [await log(45, service=care), await log(35, service=care), await log(30, billing="no_charge")]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "<dd>1 h 20 min</dd>" in (await browser.get(f"/agent/statements/{run.statement_ids[0]}")).text.replace(
            "\xa0", " "
        )
    async with await Browser.of(app, ADA, at=NOW) as browser:
        page = " ".join((await browser.get(f"/statements/{run.statement_ids[0]}")).text.replace("\xa0", " ").split())
        file = await browser.get(f"/statements/{run.statement_ids[0]}/statement.pdf")
    sums = page.partition('id="sums"')[2].partition("</dl>")[0]
    assert "<dt>Prepaid hours</dt><dd>1 h 20 min</dd>" in sums
    assert "<dt>No charge</dt><dd>30 min</dd>" in sums
    assert "<dt>In all</dt><dd><strong>1 h 50 min</strong></dd>" in sums
    assert "statement-2026-11-01.pdf" in file.headers["content-disposition"]
    printed = "".join(one.extract_text() for one in PdfReader(io.BytesIO(file.content)).pages).replace("\xa0", " ")
    for text in ("Statement up to", "Acme", "Prepaid hours", "1 h 20 min", "In all", "1 h 50 min", "0:45", "1:50"):
        assert text in printed, text


async def test_a_statement_is_shown_beside_the_invoices(app: Gate) -> None:
    """D30: the list of invoices links to a statement, whose page and CSV file show its time entries."""
    async with transaction(MAX):
        case = await a_case()
        entry = await log(30, billing="no_charge", comment="Goodwill", case_id=case["id"], description="MARK")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    path = f"/statements/{run.statement_ids[0]}"
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert path in (await browser.get("/invoices")).text
        page = (await browser.get(path)).text
        assert "Goodwill" in page
        assert f"/cases/{case['number']}" in page
        assert "MARK" not in page
        file = await browser.get(f"{path}/detail.csv")
        assert "Goodwill,no charge,30,,EUR,0.00" in file.text
        assert (await browser.get("/statements/none")).status_code == 404


async def test_a_statement_of_a_company_that_is_not_set_up_has_no_pdf(app: Gate, dsn: str) -> None:
    """D30: while the company's name and address are not set up, a statement's PDF gets 409; its page and CSV are served."""
    async with transaction(MAX):
        await billing.approve([(await log(30, billing="no_charge")).choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    async with owner.connected(dsn) as connection:
        await connection.execute("delete from company")
    path = f"/statements/{run.statement_ids[0]}"
    async with await Browser.of(app, ADA, at=NOW) as browser:
        refused = await browser.get(f"{path}/statement.pdf")
        assert (refused.status_code, "our name and address are not set up" in refused.text) == (409, True)
        assert (await browser.get(path)).status_code == 200
        assert (await browser.get(f"{path}/detail.csv")).status_code == 200


@pytest.mark.usefixtures("invoice")
async def test_the_list_fetches_itself_again(app: Gate) -> None:
    """A request by htmx gets only the element with the list of invoices; the element has an `hx-get` of its own URL."""
    async with await Browser.of(app, ADA, at=NOW) as browser:
        fragment = (await browser.get("/invoices", headers={"hx-request": "true"})).text
        assert fragment.lstrip().startswith('<div id="invoices" hx-get="/invoices')
        assert "0147" in fragment


@pytest.mark.usefixtures("invoice")
async def test_an_invoice_takes_few_statements(app: Gate) -> None:
    """The page of an invoice takes at most 14 SQL statements, and the list of invoices at most 8."""
    async with await Browser.of(app, ADA, at=NOW) as browser:
        await browser.get(INVOICE)
        with counted() as statements:
            await browser.get(INVOICE)
        assert len(statements) <= 14, statements
        with counted() as statements:
            await browser.get("/invoices")
        assert len(statements) <= 8, statements


async def test_the_statements_have_a_next_page(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """D30: the list of statements has further pages, so that every statement can be reached."""
    ids = []
    for day in (2, 3, 4):
        async with transaction(MAX):
            entry = await log(30, billing="no_charge", on=NOVEMBER.replace(month=10, day=day))
            await billing.approve([entry.choice], by=MAX, at=NOW)
            run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW + timedelta(minutes=day))
        assert run is not None
        ids += run.statement_ids
    async with transaction(ADA):
        first = await billing.list_statements(ADA, limit=2)
        rest = await billing.list_statements(ADA, after=first.next_after, limit=2)
        assert [row["id"] for row in first.rows + rest.rows] == ids[::-1]
        assert rest.next_after is None
        assert len((await billing.list_statements(ADA, after="nonsense")).rows) == 3
    monkeypatch.setattr(
        "portal.billing.documents.statements.list_statements.__kwdefaults__",
        {"customer_id": None, "after": None, "limit": 2},
    )
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert f"/invoices?statements={ids[1]}" in (await browser.get("/invoices")).text
        older = (await browser.get(f"/invoices?statements={ids[1]}")).text
        assert f"/statements/{ids[0]}" in older
        assert f"/statements/{ids[2]}" not in older
