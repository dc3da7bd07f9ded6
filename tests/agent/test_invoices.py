"""Test draft invoices, issued invoices and statements over HTTP, as managers see them."""

import re
from dataclasses import replace
from typing import Any

import pytest

from portal import billing
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, Logged, a_case, log, seen_sum, tick
from tests.browser import Browser
from tests.queries import counted
from tests.world import ACME, ADA, ALAN, GIL, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")


async def draft(*entries: Logged) -> int:
    """Approve these entries as Max, run billing for Acme up to `NOVEMBER`, and return the id of the draft invoice."""
    await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
    run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    return run.draft_ids[0]


async def test_a_draft_shows_its_lines_and_its_time(app: Gate) -> None:
    """The page of a draft shows Max its lines, tax, total and time entries; the list of invoices links to this page.

    The page says that the invoice will be mailed, unless there is no mail server.
    """
    async with transaction(MAX):
        case = await a_case()
        charged = await log(50, comment="Gateway renewed", case_id=case["id"])
        draft_id = await draft(charged, await log(30, billing="no_charge", comment="Goodwill"))
    async with await Browser.of(app, MAX, at=NOW) as browser:
        html = (await browser.get(f"/agent/drafts/{draft_id}")).text.replace("\xa0", " ")
        for words in (
            "Draft for Acme",
            "Support 2026",
            "Helpdesk",
            "100.00",
            "Germany",
            "€119.00",
            "Gateway renewed",
            f"#{case['number']}",
            "no charge",
            "4500-7731",
        ):
            assert words in html, words
        listed = (await browser.get("/agent/invoices")).text.replace("\xa0", " ")
        assert f"/agent/drafts/{draft_id}" in listed
        assert "1 draft waits to be issued" in listed
        mailed = "and it is mailed" in " ".join(html.split())
        app.settings = replace(app.settings, smtp_url=None)
        html = " ".join((await browser.get(f"/agent/drafts/{draft_id}")).text.split())
        assert (mailed, "and it is mailed" in html) == (True, False)


async def test_the_drafts_that_are_ticked_are_issued_and_the_others_are_named(app: Gate) -> None:
    """Max issues the ticked drafts, with consecutive numbers; the page then names each draft that cannot be issued.

    The value of each tick box names the draft and the sum that the page showed. A value without the sum, or with
    another sum than the draft has, gets 409. Sending the form again issues nothing and gets 409. A form without ticks
    gets 422, and Ines, who is not a manager, gets 403.
    """
    async with transaction(MAX):
        first = await draft(await log(60))
        await billing.approve([(await log(30, service=GLOBEX_HELPDESK)).choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [GLOBEX], by=MAX, at=NOW)
        assert run is not None
        second = run.draft_ids[0]
    path = "/agent/drafts/issue"
    async with await Browser.of(app, INES, at=NOW) as ines:
        assert (await ines.send_form(path, {"draft": [str(first)]})).status_code == 403
    async with await Browser.of(app, MAX, at=NOW) as browser:
        nothing = await browser.send_form(path, {})
        assert (nothing.status_code, "Tick the drafts that you want to issue." in nothing.text) == (422, True)
        some = await browser.send_form(path, {"draft": [await tick(first), "999"]})
        assert (some.status_code, some.text.count("One draft: ")) == (200, 1)
        assert "1\xa0invoice issued." in some.text
        for unseen in (str(second), f"{await tick(second)}1"):
            refused = await browser.send_form(path, {"draft": [unseen]})
            assert (refused.status_code, "The draft has changed." in refused.text) == (409, True)
        rest = await browser.send_form(path, {"draft": [await tick(second)]})
        assert (rest.status_code, rest.headers["location"]) == (303, "/agent/invoices?issued=1")
        assert "1\xa0invoice issued." in (await browser.get(rest.headers["location"])).text
        again = await browser.send_form(path, {"draft": [str(first), str(second)]})
        assert again.status_code == 409
        assert again.text.count("It is issued already, as") == 2
        for id, name in ((first, "Acme, "), (second, "Globex, ")):
            assert re.search(rf'<a href="/agent/drafts/{id}">{name}[^<]+</a>: It is issued already', again.text)
    async with transaction(SYSTEM) as tx:
        numbers = [
            row["series_number"] for row in await tx.fetch("select series_number from invoice order by series_number")
        ]
        assert numbers == list(range(numbers[0], numbers[0] + 2))
        assert await billing.violations() == {}


async def test_issuing_gives_the_number_and_twice_is_a_conflict(app: Gate) -> None:
    """A draft that Max issues gets the next number, a PDF and a CSV file.

    A form without the sum that the page of the draft showed gets 409, and so does sending the form again. After the
    issue, the page of the draft redirects to the invoice.
    """
    async with transaction(MAX):
        draft_id = await draft(await log(60))
    async with await Browser.of(app, MAX, at=NOW) as browser:
        path, shown = f"/agent/drafts/{draft_id}/issue", await seen_sum(draft_id)
        assert (await browser.send_form(path)).status_code == 409
        answer = await browser.send_form(path, shown)
        assert (answer.status_code, answer.headers["location"]) == (303, "/agent/invoices/2026-0147")
        again = await browser.send_form(path, shown)
        assert again.status_code == 409
        assert "It is issued already, as 2026-0147." in again.text
        assert (await browser.get(f"/agent/drafts/{draft_id}")).headers["location"] == answer.headers["location"]
        page = (await browser.get("/agent/invoices/2026-0147")).text
        assert "Issued by Max Herrmann" in page
        pdf = await browser.get("/agent/invoices/2026-0147/invoice.pdf")
        assert pdf.headers["content-type"] == "application/pdf"
        assert pdf.content.startswith(b"%PDF-")
        assert "attachment" in pdf.headers["content-disposition"]
        csv = await browser.get("/agent/invoices/2026-0147/detail.csv")
        assert csv.headers["content-type"].startswith("text/csv")
        assert "2026-0147" in (await browser.get("/agent/invoices")).text
        assert (await browser.get("/agent/invoices/2026-9999")).status_code == 404
        assert (await browser.send_form("/agent/drafts/4711/issue")).status_code == 404


async def test_an_entry_is_taken_off_and_the_draft_deleted(app: Gate) -> None:
    """Max removes an entry from a draft and deletes the draft; repeating either gets 409."""
    async with transaction(MAX):
        first, second = await log(60), await log(30)
        draft_id = await draft(first, second)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form(f"/agent/drafts/{draft_id}/entries/{first.id}/removal")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/agent/drafts/{draft_id}")
        assert (await browser.send_form(f"/agent/drafts/{draft_id}/entries/{first.id}/removal")).status_code == 409
        assert "€71.40" in (await browser.get(f"/agent/drafts/{draft_id}")).text
        answer = await browser.send_form(f"/agent/drafts/{draft_id}/deletion")
        assert (answer.status_code, answer.headers["location"]) == (303, "/agent/invoices")
        assert (await browser.send_form(f"/agent/drafts/{draft_id}/deletion")).status_code == 409
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from settled_entry") == 0
        assert await billing.violations() == {}


async def test_without_numbers_the_draft_says_what_is_missing(app: Gate, dsn: str) -> None:
    """If the first invoice number is not set up, the page of a draft says so and links to the set-up.

    Issuing the draft is then refused with 422.
    """
    import asyncpg

    async with transaction(MAX):
        draft_id = await draft(await log(60))
    owner = await asyncpg.connect(dsn)
    await owner.execute("delete from number_series")
    await owner.close()
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        page = (await browser.get(f"/agent/drafts/{draft_id}")).text
        assert "Where the numbers of invoices begin is not set up." in page
        assert 'href="/agent/setup/company"' in page
        answer = await browser.send_form(f"/agent/drafts/{draft_id}/issue", await seen_sum(draft_id))
        assert answer.status_code == 422
        assert "Where the numbers of invoices begin is not set up." in answer.text


async def test_the_list_filters_pages_and_refreshes_itself(app: Gate) -> None:
    """The list of invoices is filtered by customer, has further pages, and refreshes itself on the event `invoices`.

    A request by htmx gets the list alone.
    """
    async with transaction(MAX):
        for minutes in range(1, 28):
            await billing.issue(await draft(await log(minutes)), by=MAX, at=NOW)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        first = (await browser.get("/agent/invoices")).text
        assert "2026-0173" in first
        assert "2026-0148<" not in first
        older = (await browser.get("/agent/invoices?after=2026-0149")).text
        assert "2026-0148<" in older
        assert "2026-0149<" not in older
        assert "No invoices of this customer" in (await browser.get(f"/agent/invoices?customer={GLOBEX}")).text
        fragment = await browser.get("/agent/invoices", headers={"hx-request": "true"})
        assert fragment.text.lstrip().startswith('<div id="invoices" hx-get="/agent/invoices')
        assert 'hx-trigger="invoices from:body' in fragment.text


async def pay(invoice: billing.Invoice, amount: str = "") -> None:
    """Record a payment of this amount, or of all that is owed."""
    paid = amount or f"{(await billing.balance_of(invoice))['open']:.2f}"
    await billing.record_payment(invoice, billing.PaymentFacts(amount=paid, paid_on="2026-11-18"), by=MAX, at=NOW)


UNPAID = [(MAX, f"/agent/invoices?customer={ACME}"), (ADA, "/invoices?")]
"""Who reads the invoices of Acme, and where."""


async def test_what_is_still_to_be_paid_is_listed_for_one_customer(app: Gate) -> None:
    """A filter shows managers and the contact a customer's unpaid invoices; later pages and refreshes keep this filter.

    A partly paid invoice is listed. Paid or credited invoices, drafts, statements and credit notes are left out. If
    managers have chosen no customer, the filter is ignored.
    """
    async with transaction(MAX):
        free = await log(30, billing="no_charge")
        await billing.approve([free.choice], by=MAX, at=NOW)
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        invoices = [await billing.issue(await draft(await log(60)), by=MAX, at=NOW) for _ in range(29)]
        await pay(invoices[0])
        await pay(invoices[1], "10.00")
        await billing.issue_credit(
            invoices[28], billing.Chosen(everything=True), reason="Agreed.", freed=False, by=MAX, at=NOW
        )
        await draft(await log(30))
    others = ("/drafts/", "/statements/", "/credit-notes/")
    for reader, address in UNPAID:
        async with await Browser.of(app, reader, at=NOW) as browser:
            every = (await browser.get(address)).text
            assert [other in every for other in others] == [reader is MAX, True, True]
            first = (await browser.get(f"{address}&show=unpaid")).text.replace("&amp;", "&")
            assert ["2026-0175<" in first, "2026-0174<" in first] == [False, True]
            assert [other in first for other in others] == [False, False, False]
            assert re.search(r'hx-get="[^"]*show=unpaid&', first)
            assert re.search(r'href="[^"]*show=unpaid&after=2026-0150"', first)
            assert re.search(r'show=unpaid" aria-current="page">To pay', first)
            last = (await browser.get(f"{address}&show=unpaid&after=2026-0150")).text
            assert ["2026-0149<" in last, "2026-0148<" in last, "2026-0147<" in last] == [True, True, False]
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "2026-0175<" in (await browser.get("/agent/invoices?show=unpaid")).text


async def test_nothing_is_to_be_paid_only_if_no_page_has_an_invoice(app: Gate) -> None:
    """Only an empty first page of unpaid invoices says "Nothing to pay".

    A further page that has become empty, or a cursor that names no invoice, gets "No further invoices" instead.
    """
    async with transaction(MAX):
        invoice = await billing.issue(await draft(await log(60)), by=MAX, at=NOW)
    for reader, address in UNPAID:
        async with await Browser.of(app, reader, at=NOW) as browser:
            for cursor in (f"after={invoice.number}", "after=of-nobody"):
                text = (await browser.get(f"{address}&show=unpaid&{cursor}")).text
                assert ["Nothing to pay" in text, "No further invoices" in text] == [False, True]
            assert "2026-0147<" in (await browser.get(f"{address}&show=unpaid&statements=1")).text
    async with transaction(MAX):
        await pay(invoice)
    for reader, address in UNPAID:
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert "Nothing to pay" in (await browser.get(f"{address}&show=unpaid")).text


async def test_a_statement_is_shown_with_its_file(app: Gate) -> None:
    """D30: a statement, which lists time for which nothing is charged, is in the list of invoices.

    The page and the CSV file of the statement show its time entries.
    """
    async with transaction(MAX):
        entry = await log(30, billing="no_charge", comment="Goodwill")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    path = f"/agent/statements/{run.statement_ids[0]}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert path in (await browser.get("/agent/invoices")).text
        assert "Goodwill" in (await browser.get(path)).text
        assert "Goodwill" in (await browser.get(f"{path}/detail.csv")).text
        assert (await browser.get("/agent/statements/no-id")).status_code == 404


async def test_a_statement_is_corrected_by_a_form_that_keeps_what_was_typed(app: Gate) -> None:
    """D30, D38: if Max corrects a statement by more minutes than are left, he gets 422 and what he typed stays.

    The statement and its correction link to each other. Ada can open the correction, and sees it in her list of
    invoices.
    """
    async with transaction(MAX):
        entry = await log(30, billing="no_charge", comment="Goodwill")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    path = f"/agent/statements/{run.statement_ids[0]}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert f"{path}/correction?entry={entry.id}" in (await browser.get(f"/agent/time/{entry.id}")).text
        form = {
            "scope": "chosen",
            "row": "1",
            "minutes": "0:45",
            "then": "free",
            "reason": "Logged twice.",
            "left": "30",
        }
        refused = await browser.send_form(f"{path}/correction", form)
        assert refused.status_code == 422
        assert "Only 0:30 are left to give back." in refused.text
        assert 'value="0:45"' in refused.text
        made = await browser.send_form(f"{path}/correction", form | {"minutes": "0:10"})
        assert made.status_code == 303
        correction = (await browser.get(made.headers["location"])).text
        assert "Logged twice." in correction
        assert path in correction
        assert made.headers["location"] in (await browser.get(path)).text
    async with await Browser.of(app, ADA, at=NOW) as browser:
        shown = await browser.get(made.headers["location"].removeprefix("/agent"))
        assert "Correction of a statement" in shown.text
        assert "given back" in (await browser.get("/invoices")).text


@pytest.mark.parametrize("reader_and_status", [(INES, 403), (ADA, 404), (ALAN, 404), (GIL, 404)])
async def test_agents_get_403_and_contacts_404(app: Gate, reader_and_status: tuple[Any, int]) -> None:
    """On managers' URLs of drafts, invoices and statements, agents get 403 and contacts get 404; a draft stays a draft.

    If a contact may see an issued document, the agents' URLs of this document redirect the contact to the document's
    page in the customers' area.
    """
    reader, status = reader_and_status
    async with transaction(MAX):
        entry = await log(60)
        await billing.issue(await draft(await log(30)), by=MAX, at=NOW)
        draft_id = await draft(entry)
        covered = await log(30, billing="no_charge")
        await billing.approve([covered.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    statement = f"/agent/statements/{run.statement_ids[0]}"
    issued = "/agent/invoices/2026-0147"
    async with await Browser.of(app, reader, at=NOW) as browser:
        for path in (
            "/agent/invoices", f"/agent/drafts/{draft_id}", issued, f"{issued}/invoice.pdf", f"{issued}/detail.csv",
            statement, f"{statement}/detail.csv",
        ):  # fmt: skip
            leads = reader == ADA and path not in ("/agent/invoices", f"/agent/drafts/{draft_id}")
            answer = await browser.get(path)
            there = "/".join(path.removeprefix("/agent").split("/")[:3]) if leads else None
            assert (answer.status_code, answer.headers.get("location")) == (303 if leads else status, there), path
        for verb in ("issue", f"entries/{entry.id}/removal", "deletion"):
            assert (await browser.send_form(f"/agent/drafts/{draft_id}/{verb}")).status_code == status
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select state from invoice where id = $1", draft_id) == "draft"


async def test_a_long_draft_asks_the_database_the_same_as_a_short_one(app: Gate) -> None:
    """The page of a draft with thirty entries takes as many SQL statements as with one, and at most 16."""
    counts = []
    async with await Browser.of(app, MAX, at=NOW) as browser:
        await browser.get("/agent/invoices")
        for many in (1, 30):
            async with transaction(MAX):
                draft_id = await draft(*[await log(15) for _ in range(many)])
            with counted() as statements:
                await browser.get(f"/agent/drafts/{draft_id}")
            counts.append(len(statements))
    assert counts[0] == counts[1] <= 16, statements


async def test_the_drafts_have_a_next_page(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of drafts has further pages and shows the number of all drafts."""
    ids = []
    for _ in range(3):
        async with transaction(MAX):
            ids.append(await draft(await log(60)))
    async with transaction(MAX):
        first = await billing.list_drafts(MAX, limit=2)
        rest = await billing.list_drafts(MAX, after=first.next_after, limit=2)
        assert [row["id"] for row in first.rows + rest.rows] == ids
        assert (first.rows[0]["total"], rest.rows[0]["total"], rest.next_after) == (3, 3, None)
    monkeypatch.setattr(
        "portal.billing.documents.invoices.list_drafts.__kwdefaults__", {"customer_id": None, "after": None, "limit": 2}
    )
    async with await Browser.of(app, MAX, at=NOW) as browser:
        html = (await browser.get("/agent/invoices")).text
        assert f'href="/agent/invoices?drafts={ids[1]}"' in html
        assert "3 drafts wait" in html.replace("\xa0", " ")
        more = (await browser.get(f"/agent/invoices?drafts={ids[1]}")).text
        assert f"/agent/drafts/{ids[2]}" in more
        assert f"/agent/drafts/{ids[0]}" not in more


async def test_a_draft_says_what_its_pdf_cannot_show(app: Gate) -> None:
    async with transaction(SYSTEM) as tx:
        draft_id = await draft(await log(60))
        await tx.execute("update contract set name = 'Rollout 🎓' where customer_id = $1", ACME)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"/agent/drafts/{draft_id}")).text
        assert "Invoices show □ instead of 🎓, because their fonts do not have it." in page
        issued = await browser.send_form(f"/agent/drafts/{draft_id}/issue", await seen_sum(draft_id))
        assert issued.status_code == 303


async def test_a_long_document_is_shown_page_by_page(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines and time entries of a long draft or invoice are shown in pages, and each page shows the total number.

    After an entry is removed from a draft, the redirect leads to the same page. Ada's page of the invoice shows the
    first entries of a line and how many there are in total.
    """
    monkeypatch.setattr("portal.billing.documents.contents.SHOWN", 2)
    monkeypatch.setattr("portal.customer.invoices.EXPLAINED", 2)
    async with transaction(MAX):
        draft_id = await draft(*[await log(15, comment=f"Deed {number}") for number in range(5)])
    path = f"/agent/drafts/{draft_id}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        first = (await browser.get(path)).text
        assert [f"Deed {number}" in first for number in range(5)] == [True, True, False, False, False]
        assert "1 to 2 of 5" in " ".join(first.split())
        [next_page] = re.findall(r'href="([^"]+)" rel="next"', first)
        assert next_page == f"{path}?detail=2#detail"
        second = (await browser.get(next_page)).text
        assert [f"Deed {number}" in second for number in range(5)] == [False, False, True, True, False]
        _, action = re.findall(r'action="(/agent/drafts/[^"]+/removal)"', second)
        taken = await browser.send_form(action, referer=f"http://127.0.0.1:8000{path}?detail=2")
        assert taken.headers["location"] == f"{path}?detail=2#detail"
        issued = await browser.send_form(f"{path}/issue", await seen_sum(int(path.rpartition("/")[2])))
        last = (await browser.get(f"{issued.headers['location']}?detail=2")).text
        assert [f"Deed {number}" in last for number in range(5)] == [False, False, True, False, True]
    async with await Browser.of(app, ADA, at=NOW) as browser:
        html = (await browser.get(issued.headers["location"].removeprefix("/agent"))).text
        assert [f"Deed {number}" in html for number in range(5)] == [True, True, False, False, False]
        assert "These are the first 2 of 4 entries" in " ".join(html.split())


async def test_a_page_of_rows_begins_after_its_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of rows begins after the row that the cursor names, and has the cursor of the next page.

    An invalid cursor, or one that no row follows, leads to the first page.
    """
    monkeypatch.setattr("portal.billing.documents.contents.SHOWN", 2)
    empty = billing.part_of(list[billing.DetailRow](), "7")
    assert (empty.rows, empty.total, empty.next_after, empty.is_all) == ([], 0, None, True)
    async with transaction(MAX):
        draft_id = await draft(*[await log(15) for _ in range(4)])
        rows = (await billing.contents_of(await billing.Invoice.find_draft(draft_id, MAX))).detail
    for after, first, next_after in (("", 1, 2), ("2", 3, None), ("1", 2, 3), ("4", 1, 2), ("-1", 1, 2), ("x", 1, 2)):
        part = billing.part_of(rows, after)
        assert (part.first, [row.position for row in part.rows], part.next_after) == (
            first,
            [first, first + 1],
            next_after,
        )
