"""Test the form that credits an invoice and the pages of credit notes, over HTTP."""

import re
import uuid

import pytest

from portal import billing
from portal.database import transaction
from portal.web.gate import Gate
from tests.billing.test_issuing_persistence import issued
from tests.billing.test_unused_days import billed_in_advance, ended
from tests.billing.work import NOVEMBER, log
from tests.browser import Browser
from tests.world import ACME, ADA, HELPDESK, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

INVOICE = "/agent/invoices/2026-0147"


async def test_a_credit_is_seen_before_it_is_issued(app: Gate) -> None:
    """D38, D39: the form shows the sum before Max issues the credit note, which Ada can then open and download too.

    The pages of the invoice and of the credit note name each other. A form with another sum than the shown one issues
    nothing, and the same form sent again creates no second credit note.
    """
    async with transaction(MAX):
        await issued(60, 30, comment="Router replaced")
    fields = {
        "scope": "chosen", "row": ["1", "2"], "minutes": ["0:15", ""], "then": "written_off", "reason": "Agreed on the phone.",
        "form_key": str(uuid.uuid4()),
    }  # fmt: skip
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert f"{INVOICE}/credit" in (await browser.get(INVOICE)).text
        assert "Router replaced" in (await browser.get(f"{INVOICE}/credit")).text
        seen = await browser.send_form(f"{INVOICE}/credit", fields)
        assert seen.status_code == 200
        assert "This credits €35.70" in seen.text
        [total] = re.findall(r'name="sum" value="([^"]+)"', seen.text)
        first, last = re.findall(r"<button[^>]*>(?=See what|Issue credit)", seen.text[seen.text.index('id="sums"') :])[
            :2
        ]
        assert ("sum" in first, 'name="sum"' in last) == (False, True), "Enter presses the first button"
        assert 'type="hidden" name="sum"' not in seen.text
        other = await browser.send_form(f"{INVOICE}/credit", fields | {"sum": "1.00"})
        assert "This credits €35.70" in other.text
        answer = await browser.send_form(f"{INVOICE}/credit", fields | {"sum": total})
        assert answer.headers["location"] == "/agent/credit-notes/C-0001"
        again = await browser.send_form(f"{INVOICE}/credit", fields | {"sum": total})
        assert again.headers["location"] == "/agent/credit-notes/C-0001"
        for path in ("/agent/credit-notes/C-0001", "/agent/invoices", INVOICE):
            page = (await browser.get(path)).text
            assert "C-0001" in page, path
            assert "2026-0147" in page, path
        assert (await browser.get("/agent/credit-notes/C-0001/credit-note.pdf")).content.startswith(b"%PDF")
        assert "Router replaced" in (await browser.get("/agent/credit-notes/C-0001/detail.csv")).text
    async with await Browser.of(app, ADA, at=NOW) as browser:
        for path in ("/credit-notes/C-0001", "/invoices", "/invoices/2026-0147"):
            page = (await browser.get(path)).text
            assert "C-0001" in page, path
            assert "2026-0147" in page, path
        assert (await browser.get("/credit-notes/C-0001/credit-note.pdf")).content.startswith(b"%PDF")
        assert "Router replaced" in (await browser.get("/credit-notes/C-0001/detail.csv")).text


async def test_bad_input_keeps_what_was_typed(app: Gate) -> None:
    """The form that credits an invoice gets 422 for more minutes than are left, a wrong duration or a missing reason.

    The typed values stay in the form. If minutes are typed although "everything" is chosen, the form gets 422 too,
    instead of crediting the whole invoice.
    """
    async with transaction(MAX):
        await issued(60, 30)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        for scope, minutes, reason, sum_, sentence in (
            ("chosen", "2:00", "Why", "", "Only 1:00 are left to credit."), ("chosen", "soon", "Why", "", "Write the time as"),
            ("chosen", "0:15", "", "35.70", "Say why"), ("everything", "0:15", "Why", "", "Lines or minutes are chosen below."),
        ):  # fmt: skip
            fields = {"scope": scope, "row": ["1", "2"], "minutes": [minutes, ""], "reason": reason, "sum": sum_}
            answer = await browser.send_form(f"{INVOICE}/credit", fields)
            assert answer.status_code == 422
            assert sentence in answer.text
            assert f'value="{minutes}"' in answer.text
    async with transaction(MAX):
        assert (await billing.list_credit_notes(MAX)).rows == []


async def test_time_on_an_issued_invoice_leads_to_its_credit(app: Gate) -> None:
    """C2: the page of an entry on an issued invoice links to the credit form, which then shows that entry alone."""
    async with transaction(MAX) as tx:
        await issued(60, comment="First")
        entry_id = await tx.fetchval("select id from time_entry")
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"/agent/time/{entry_id}")).text
        assert f"{INVOICE}/credit?entry={entry_id}" in page.replace("&amp;", "&")
        assert "First" in (await browser.get(f"{INVOICE}/credit?entry={entry_id}")).text
        assert "First" not in (await browser.get(f"{INVOICE}/credit?entry={entry_id + 1}")).text


async def test_unused_days_are_offered_where_the_contract_ended(app: Gate) -> None:
    """After the end of a contract, the customer's page links to a form that credits the unused days.

    The form first shows the sum to credit. Once the days are credited, the link is gone.
    """
    async with transaction(MAX):
        _, november = await billed_in_advance()
        await ended("2026-11-12")
    address = f"/agent/invoices/{november.number}/credit"
    fields = {"scope": "unused", "reason": "The contract has ended.", "form_key": str(uuid.uuid4())}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert address in (await browser.get(f"/agent/customers/{ACME}")).text
        form = (await browser.get(address)).text
        assert "Of the fees, €300.00 is for days that the contract no longer covers." in form
        seen = (await browser.send_form(address, fields)).text
        assert "This credits €357.00" in seen
        [total] = re.findall(r'name="sum" value="([^"]+)"', seen)
        assert (await browser.send_form(address, fields | {"sum": total})).status_code == 303
        assert address not in (await browser.get(f"/agent/customers/{ACME}")).text


async def test_a_part_of_a_charge_is_typed_into_the_form(app: Gate) -> None:
    """D38: to credit a part of an extra line, which is a charge that is not for time, Max types the amount.

    An amount larger than what is left, an amount with fractions of a cent and a text that is no amount are refused with
    422 at their field.
    """
    async with transaction(MAX):
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        facts = billing.ExtraLineFacts(service=HELPDESK, label="Cable", amount="45.50")
        await billing.add_line(await billing.hold_draft(run.draft_ids[0], MAX), facts, by=MAX, at=NOW)
        await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    fields = {"scope": "chosen", "then": "free", "reason": "Agreed.", "part": ["2"], "form_key": str(uuid.uuid4())}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        for wrong in ("45.51", "10.005", "much"):
            answer = await browser.send_form(f"{INVOICE}/credit", fields | {"amounts": [wrong]})
            assert (answer.status_code, f'value="{wrong}"' in answer.text) == (422, True)
            assert 'id="amount-2-error"' in answer.text
            assert ("Only 45.50 is left to credit." in answer.text) == (wrong == "45.51")
        seen = await browser.send_form(f"{INVOICE}/credit", fields | {"amounts": ["10"]})
        assert "This credits €11.90" in seen.text.replace("\xa0", " ")
        answer = await browser.send_form(f"{INVOICE}/credit", fields | {"amounts": ["10"], "sum": "11.90"})
        assert answer.headers["location"] == "/agent/credit-notes/C-0001"
        assert "Time that is credited" not in (await browser.get("/agent/credit-notes/C-0001")).text


async def test_the_lines_to_credit_are_named_as_on_the_invoice() -> None:
    """D38: a line to credit is named by its service and role, and a charge that was added by hand only by its label.

    A label that begins with the name of the service is used as it is.
    """
    by_role = {"kind": "time", "label": "Consultant", "service_name": "Network care"}
    assert billing.line_words(by_role) == "Network care, Consultant"
    assert billing.line_words(by_role | {"label": "Network care, December"}) == "Network care, December"
    assert billing.line_words(by_role | {"kind": "extra", "label": "Cable"}) == "Cable"
