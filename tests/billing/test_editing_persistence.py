"""Test editing drafts: putting time back, adding lines by hand, and a note to the customer."""

import asyncio
import re
from decimal import Decimal
from typing import Any

import pytest

from portal import billing
from portal.billing import ExtraLineFacts, Invoice, NoteFacts
from portal.database import transaction
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, Logged, log, seen_sum
from tests.browser import Browser
from tests.world import ACME, ADA, HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")


async def a_draft(*minutes: int) -> tuple[int, list[Logged]]:
    """Approve and bill entries of Acme at 120.00 an hour, and return the id of the draft and the entries."""
    async with transaction(MAX):
        entries = [await log(each) for each in minutes]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        return run.draft_ids[0], entries


async def add(draft_id: int, amount: str, what: str = "charge", **fields: Any) -> None:
    facts = ExtraLineFacts(**{"what": what, "service": HELPDESK, "label": "By agreement", "amount": amount} | fields)
    async with transaction(MAX):
        await billing.add_line(await billing.hold_draft(draft_id, MAX), facts, by=MAX, at=NOW)


async def sums(draft_id: int) -> tuple[Decimal, ...]:
    """Return net, tax and gross of a draft, after checking that all invariants hold."""
    async with transaction(MAX):
        assert await billing.violations() == {}
        draft = await Invoice.find_draft(draft_id, MAX)
        return draft.net, draft.tax, draft.gross


async def test_time_that_was_taken_off_is_put_back_with_what_was_approved_since() -> None:
    """S2.42: time that was taken off a draft, or approved after the run, can be put on the draft, but only once."""
    draft_id, (first, second) = await a_draft(60, 30)
    async with transaction(MAX):
        await billing.take_off(draft_id, second.id, by=MAX, at=NOW)
        late = await log(15)
        await log(45)
        await billing.approve([late.choice], by=MAX, at=NOW)
        offered = await billing.addable(await Invoice.find_draft(draft_id, MAX))
        assert ({row["id"] for row in offered.rows}, offered.total) == ({second.id, late.id}, 2)
    for entry in (second, late):
        async with transaction(MAX):
            await billing.put_on(draft_id, entry.id, by=MAX, at=NOW)
    assert await sums(draft_id) == (Decimal("210.00"), Decimal("39.90"), Decimal("249.90"))
    for entry in (first, second):
        with pytest.raises(Conflict):
            async with transaction(MAX):
                await billing.put_on(draft_id, entry.id, by=MAX, at=NOW)


async def test_two_managers_who_put_the_same_time_on_do_it_once() -> None:
    """R94: of two managers who put the same entry on a draft at the same time, one gets a conflict."""
    first, (entry, _) = await a_draft(60, 15)
    async with transaction(MAX):
        await billing.take_off(first, entry.id, by=MAX, at=NOW)

    async def put(by: Any) -> str:
        try:
            async with transaction(by):
                await billing.put_on(first, entry.id, by=by, at=NOW)
        except Conflict:
            return "conflict"
        return "done"

    assert sorted(await asyncio.gather(put(MAX), put(NOOR))) == ["conflict", "done"]
    assert (await sums(first))[0] == Decimal("150.00")


async def test_a_charge_and_a_discount_are_lines_with_the_vat_of_their_service() -> None:
    """S4.4, D41: a charge and a discount added by hand are part of the draft's net and VAT, and can be removed again.

    They stay on the draft when time is taken off it.
    """
    draft_id, (_, second) = await a_draft(60, 60)
    await add(draft_id, "45.50", label="Cable")
    await add(draft_id, "20", "discount", label="Thank you")
    assert await sums(draft_id) == (Decimal("265.50"), Decimal("50.45"), Decimal("315.95"))
    async with transaction(MAX):
        await billing.take_off(draft_id, second.id, by=MAX, at=NOW)
        contents = await billing.contents_of(await Invoice.find_draft(draft_id, MAX))
        assert [(line.words, line.net) for line in contents.lines] == [
            ("Helpdesk", Decimal("120.00")),
            ("Cable", Decimal("45.50")),
            ("Thank you", Decimal("-20.00")),
        ]
        await billing.remove_line(draft_id, 2, by=MAX, at=NOW)
    assert (await sums(draft_id))[0] == Decimal("100.00")
    for position in (1, 9):
        with pytest.raises(Conflict):
            async with transaction(MAX):
                await billing.remove_line(draft_id, position, by=MAX, at=NOW)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("amount", {"amount": "0"}),
        ("amount", {"amount": "1,234.50"}),
        ("amount", {"amount": "120.01", "what": "discount"}),
        ("amount", {"amount": "999999999999"}),
        ("amount", {"amount": "200000000000"}),
        ("label", {"label": " "}),
        ("service", {"service": 4711}),
        ("what", {"what": "gift"}),
    ],
)
async def test_a_line_that_cannot_be_is_refused_and_changes_nothing(field: str, wrong: dict[str, Any]) -> None:
    """A line with a wrong field, or a discount above the charges at its VAT rate, is refused, and nothing changes."""
    draft_id, _ = await a_draft(60)
    with pytest.raises(Invalid) as refusal:
        await add(draft_id, wrong.pop("amount", "10"), wrong.pop("what", "charge"), **wrong)
    assert set(refusal.value.fields) == {field}
    assert (await sums(draft_id))[0] == Decimal("120.00")


async def test_time_is_not_taken_off_below_a_discount_and_a_deleted_draft_frees_all() -> None:
    """D40: an entry cannot be taken off a draft if a discount on the draft would exceed the rest.

    Deleting the draft frees its time, which the next run bills.
    """
    draft_id, (entry, _) = await a_draft(60, 15)
    await add(draft_id, "100", "discount")
    with pytest.raises(Conflict, match="discount"):
        async with transaction(MAX):
            await billing.take_off(draft_id, entry.id, by=MAX, at=NOW)
    async with transaction(MAX) as tx:
        await billing.delete_draft(draft_id, by=MAX, at=NOW)
        assert await tx.fetchval("select count(*) from settled_entry") == 0
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
    assert (await sums(run.draft_ids[0]))[0] == Decimal("150.00")


async def test_an_invoice_with_a_discount_is_credited_to_the_cent() -> None:
    """D38, D41: crediting an invoice with a discount as a whole reverses the discount too, to the cent.

    Crediting only the line that the discount reduced is refused as too much. If the sum of the credit is not the sum
    that Max has seen, he gets a conflict.
    """
    draft_id, _ = await a_draft(60)
    await add(draft_id, "30", "discount")
    async with transaction(MAX):
        invoice = await billing.issue(draft_id, by=MAX, at=NOW)
        left = await billing.creditable(invoice)
        with pytest.raises(Invalid, match="discount"):
            billing.credit(left, billing.Chosen(lines=frozenset({1})))
        assert billing.credit(left, billing.Chosen(minutes={1: 30})).net == Decimal("60.00")
        with pytest.raises(Conflict, match="in the meantime"):
            await billing.issue_credit(
                invoice,
                billing.Chosen(everything=True),
                reason="Agreed.",
                freed=True,
                by=MAX,
                at=NOW,
                seen=Decimal("1.00"),
            )
        note = await billing.issue_credit(
            invoice, billing.Chosen(everything=True), reason="Agreed.", freed=True, by=MAX, at=NOW, seen=invoice.gross
        )
        assert (note.net, note.tax, note.gross) == (invoice.net, invoice.tax, invoice.gross)
        assert await billing.violations() == {}
        assert (await billing.creditable(invoice)).is_empty


async def test_a_page_of_a_draft_that_has_changed_since_changes_nothing(app: Gate) -> None:
    """R94: a form that adds a line to a draft, or removes one, is refused if it is sent twice.

    Issuing is refused if the sum of the draft has changed since its page was opened.
    """
    draft_id, _ = await a_draft(60)
    path = f"/agent/drafts/{draft_id}"
    line = {
        "what": "charge",
        "label": "Cable",
        "amount": "20",
    }  # The contract has one service, so that nobody has to choose it.
    async with await Browser.of(app, MAX, at=NOW) as browser:
        [net] = re.findall(r'name="net" value="([^"]+)"', (await browser.get(f"{path}/lines")).text)
        assert (await browser.send_form(f"{path}/lines", line | {"net": net})).status_code == 303
        twice = await browser.send_form(f"{path}/lines", line | {"net": net})
        assert (twice.status_code, "add the line if it is still missing" in twice.text) == (422, True)
        assert 'value="Cable"' in twice.text
        [now] = re.findall(r'name="net" value="([^"]+)"', twice.text)
        assert (await browser.send_form(f"{path}/lines", line | {"net": now})).status_code == 303
        page = (await browser.get(path)).text
        [shown, _] = re.findall(r'name="net" value="([^"]+)"', page)
        [payable] = re.findall(r'name="sum" value="([^"]+)"', page)
        assert (await browser.send_form(f"{path}/lines/2/removal", {"net": shown})).status_code == 303
        again = await browser.send_form(f"{path}/lines/2/removal", {"net": shown})
        assert (again.status_code, "The draft has changed." in again.text) == (409, True)
        assert (await sums(draft_id))[0] == Decimal("140.00")
        unseen = await browser.send_form(f"{path}/issue", {"sum": payable})
        assert (unseen.status_code, "The draft has changed." in unseen.text) == (409, True)
        [payable] = re.findall(r'name="sum" value="([^"]+)"', (await browser.get(path)).text)
        assert (await browser.send_form(f"{path}/issue", {"sum": payable})).status_code == 303


async def test_a_note_is_printed_and_frozen_with_the_invoice(app: Gate) -> None:
    """Max writes a note and adds a line over HTTP; the customer reads both on the invoice.

    For the pages of the note and of the lines, Ines, who is not a manager, gets 403, and Ada, a contact, gets 404.

    Once the invoice is issued, the note cannot be changed.
    """
    draft_id, _ = await a_draft(60)
    path = f"/agent/drafts/{draft_id}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        saved = await browser.send_form(f"{path}/note", {"note": "Thank you for\nyour patience."})
        assert saved.status_code == 303
        assert (await browser.send_form(f"{path}/note", {"note": "x" * 1001})).status_code == 422
        line = {"what": "discount", "label": "Goodwill", "amount": "20", "service": str(HELPDESK)}
        [net] = re.findall(r'name="net" value="([^"]+)"', (await browser.get(f"{path}/lines")).text)
        assert (await browser.send_form(f"{path}/lines", line)).status_code == 422
        assert (await browser.send_form(f"{path}/lines", line | {"net": net})).status_code == 303
        [net] = re.findall(r'name="net" value="([^"]+)"', (await browser.get(f"{path}/lines")).text)
        wrong = await browser.send_form(f"{path}/lines", line | {"amount": "200", "net": net})
        assert (wrong.status_code, "The discount would be more" in wrong.text) == (422, True)
        page = (await browser.get(path)).text
        assert ("Thank you for\nyour patience." in page, "Remove Goodwill" in page) == (True, True)
        issued = await browser.send_form(f"{path}/issue", await seen_sum(draft_id))
        assert issued.status_code == 303
        assert "Remove Goodwill" not in (await browser.get(issued.headers["location"])).text
        late = await browser.post(f"{path}/note", data={"csrf": await browser.csrf(), "note": "Other"})
        assert late.status_code == 409
    for reader, status in ((INES, 403), (ADA, 404)):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(f"{path}/note")).status_code == status
            assert (await browser.get(f"{path}/lines")).status_code == status
    async with await Browser.of(app, ADA, at=NOW) as browser:
        page = (await browser.get(issued.headers["location"].removeprefix("/agent"))).text.replace("\xa0", " ")
        assert ("your patience." in page, "Goodwill" in page, "-20.00" in page or "−20.00" in page) == (
            True,
            True,
            True,
        )
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select note from invoice") == "Thank you for\nyour patience."


async def test_only_managers_edit_drafts() -> None:
    """S2.28: Ines, who is not a manager, can neither load a draft for editing nor put time on it."""
    draft_id, (entry,) = await a_draft(60)
    async with transaction(INES):
        with pytest.raises(Forbidden):
            await billing.hold_draft(draft_id, INES)
        with pytest.raises(Forbidden):
            await billing.put_on(draft_id, entry.id, by=INES, at=NOW)
    async with transaction(MAX):
        with pytest.raises(Conflict):
            await billing.hold_draft(4711, MAX)
        await billing.change_note(await billing.hold_draft(draft_id, MAX), NoteFacts(note=" "), by=MAX, at=NOW)
