"""Test billing against hostile forms, and against two managers who act at the same instant."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from portal import billing
from portal.billing import Chosen, ExtraLineFacts, Invoice, PaymentFacts
from portal.database import transaction
from portal.errors import Refusal
from portal.people.readers import SYSTEM, AgentReader
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import VOUCHER
from tests.billing.work import NOVEMBER, a_service, log
from tests.browser import Browser
from tests.examples import ALL
from tests.world import ACME, ACME_CONTRACT, HELPDESK, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

HOSTILE = (
    "-1", "0", "1e3", "NaN", "Infinity", "0.001", "9" * 30, "1" + "0" * 30, "٣٠", "１２", "1,5", "--1", "0x10", "1\x00", " ", "½", "−5",
    "1" * 20_000, "0001-01-01", "9999-12-31", "2026-02-30", "", "\x00", "a" * 20_000, "\u202egnp.exe", "<script>", "{{ 7 * 7 }}", "';--",
    "\ud7ff\uffff", "a\r\nb",
)  # fmt: skip
"""Hostile values. The long suite sends each of them to every field, the quick suite every seventh of them."""


async def a_draft(minutes: int = 60) -> int:
    async with transaction(MAX):
        await billing.approve([(await log(minutes)).choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run
        return run.draft_ids[0]


async def an_invoice(minutes: int = 60) -> Invoice:
    draft = await a_draft(minutes)
    async with transaction(MAX):
        return await billing.issue(draft, by=MAX, at=NOW)


async def test_no_value_in_a_form_of_billing_is_an_error_of_the_server(app: Gate) -> None:
    """R84: hostile numbers, dates and texts in forms of billing never cause a server error; all invariants hold."""
    invoice, draft = await an_invoice(), await a_draft(30)
    async with transaction(SYSTEM):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
    paid = {"amount": "1", "paid_on": "2026-11-20", "reference": "x", "direction": "received", "again": "no"}
    number = f"/agent/invoices/{invoice.number}"
    forms: list[tuple[str, dict[str, str]]] = [
        (f"{number}/payments", paid),
        (f"{number}/credit", {"scope": "chosen", "row": "1", "minutes": "0:10", "line": "1", "then": "free", "reason": "x", "sum": "1"}),
        (f"/agent/drafts/{draft}/lines", {"what": "charge", "label": "x", "amount": "1", "service": str(HELPDESK), "net": "1"}),
        (f"/agent/drafts/{draft}/issue", {"sum": "1"}),
        ("/agent/billing/runs", {"until": "2026-11-01", "customer": str(ACME)}),
        (f"/agent/customers/{ACME}/vouchers/new", {"services": str(care), "hours": "1h", "price": "1", "sold_on": "2026-11-20",
                                                   "valid_until": "2026-12-20", "usable_once": "sold", "sold_elsewhere": "no"}),
    ]  # fmt: skip
    failed = []
    async with await Browser.of(app, MAX, at=NOW) as browser:
        for path, fields in forms:
            for place, name in enumerate(fields):
                for value in HOSTILE if ALL else HOSTILE[place % 7 :: 7]:
                    answer = await browser.send_form(path, fields | {name: value})
                    if answer.status_code >= 500:
                        failed.append((path, name, value[:20], answer.status_code))
        for id in ("0", "-1", str(2**31), str(2**63), "9" * 30):
            for path in (f"/agent/drafts/{draft}/lines/{id}/removal", f"/agent/drafts/{draft}/entries/{id}/return", f"/agent/drafts/{id}/lines",
                         f"/agent/drafts/{id}/issue", f"/agent/drafts/{id}/deletion", f"{number}/payments/{id}/removal",
                         f"/agent/questions/{id}/ending", f"/agent/drafts/{id}/note"):  # fmt: skip
                answer = await browser.send_form(path, {"net": "1", "sum": "1"})
                if answer.status_code >= 500:
                    failed.append((path, id, "", answer.status_code))
    assert not failed
    async with transaction(SYSTEM):
        assert await billing.violations() == {}


Act = Callable[[AgentReader], Awaitable[Any]]


async def both(one: Act, other: Act) -> list[str]:
    """Run `one` as Max and `other` as Noor at the same time, each in its own transaction.

    Return, for each action, "done" or the class name of the `Refusal` that it raised.
    """

    async def attempt(act: Act, by: AgentReader) -> str:
        try:
            async with transaction(by):
                await act(by)
        except Refusal as refusal:
            return type(refusal).__name__
        return "done"

    return list(await asyncio.gather(attempt(one, MAX), attempt(other, NOOR)))


def pay(invoice: Invoice, amount: str = "71.40") -> Act:
    facts = PaymentFacts(amount=amount, paid_on="2026-11-20", reference="Transfer 7")
    return lambda by: billing.record_payment(invoice, facts, by=by, at=NOW)


def credit(invoice: Invoice, chosen: Chosen = Chosen(everything=True), seen: Any = None) -> Act:  # noqa: B008
    return lambda by: billing.issue_credit(invoice, chosen, reason="x", freed=True, by=by, at=NOW, seen=seen)


async def test_two_managers_at_once_never_undo_or_double_what_the_other_does() -> None:
    """R94, D47: if two managers act on the same invoice, draft or time at once, at least one of them succeeds.

    The other is refused, or acts on what the first has left. The test tries pairs of payments, credits, issuing, adding
    a line, deleting, billing and withdrawing. All invariants hold afterwards.
    """
    line = ExtraLineFacts(what="charge", service=HELPDESK, label="Cable", amount="20")

    def adding(draft: int) -> Act:
        async def add(by: AgentReader) -> None:
            await billing.add_line(await billing.hold_draft(draft, by), line, by=by, at=NOW)

        return add

    def on(draft: int, verb: Callable[..., Awaitable[Any]]) -> Act:
        return lambda by: verb(draft, by=by, at=NOW)

    part = Chosen(minutes={1: 20})
    invoice = await an_invoice()
    assert sorted(await both(pay(invoice), pay(invoice))) == ["Invalid", "done"]
    outcomes = {
        "credit and credit": await both(credit(invoice, seen=invoice.gross), credit(invoice, seen=invoice.gross)),
        "credit and pay": await both(credit(other := await an_invoice()), pay(other)),
        "part and whole": await both(credit(third := await an_invoice(), part), credit(third, seen=third.gross)),
        "issue and delete": await both(on(draft := await a_draft(), billing.issue), on(draft, billing.delete_draft)),
        "issue and issue": await both(on(draft := await a_draft(), billing.issue), on(draft, billing.issue)),
        "add a line and delete": await both(adding(draft := await a_draft()), on(draft, billing.delete_draft)),
    }
    async with transaction(MAX):
        late = await log(15)
        await billing.approve([late.choice], by=MAX, at=NOW)
    outcomes["run and run"] = await both(*[lambda by: billing.run(NOVEMBER, [ACME], by=by, at=NOW)] * 2)
    async with transaction(MAX):
        later = await log(15)
        await billing.approve([later.choice], by=MAX, at=NOW)
    outcomes["run and withdraw"] = await both(
        lambda by: billing.run(NOVEMBER, [ACME], by=by, at=NOW),
        lambda by: billing.withdraw(later.id, by=by, at=NOW),
    )
    async with transaction(SYSTEM):
        assert await billing.violations() == {}
    assert outcomes["credit and pay"] == ["done", "done"]
    assert outcomes["run and run"] == ["done", "done"]
    assert sorted(outcomes["issue and issue"]) == ["Conflict", "done"]
    assert sorted(outcomes["issue and delete"]) in (["Conflict", "done"], ["NotFound", "done"])
    for race, found in outcomes.items():
        assert "done" in found, race
