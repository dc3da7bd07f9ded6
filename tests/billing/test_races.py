"""Test billing runs and credit notes against changes at the same instant: the result is as if one came after the other.

The first of two acts keeps its transaction open until the second act waits for a lock of that transaction. By then, the
second act has read what the first is about to change.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal import billing
from portal.billing import Chosen, Invoice, PaymentFacts
from portal.contracts.contracts import Contract
from portal.contracts.prices.changes import PriceChange, PriceFacts
from portal.contracts.services import Service
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import current, transaction
from portal.errors import Refusal
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, AgentReader, ContactReader
from tests.billing.test_prepaid_persistence import PLAN, VOUCHER, a_voucher
from tests.billing.work import NOVEMBER, a_service, log
from tests.conftest import Connections
from tests.world import ACME, ACME_CONTRACT, ADA, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

LATER = datetime(2026, 11, 20, 11, 0, tzinfo=NOW.tzinfo)
Act = Callable[[Any], Awaitable[Any]]


async def prepare() -> None:
    """Store the data on which the acts of these tests work.

    An issued invoice sells a voucher and is paid. A draft sells another voucher and bills an hour of work. There are
    approved, unbilled entries under the helpdesk, under a subscription, and under a service with the overflow `hold`.
    The voucher of this service covers one of its two entries only in part, so that this entry is held. One more entry
    is not approved.
    """
    async with transaction(MAX):
        holds = await a_service(ACME, ACME_CONTRACT, "Holds", **VOUCHER | {"overflow": "hold"})
        care = await a_service(
            ACME, ACME_CONTRACT, "Care", **PLAN | {"included_minutes": 45, "overage_rate": Decimal("99.90")}
        )
        await a_voucher(holds, hours="1h", label="Bought before", sold_elsewhere="yes")
        await a_voucher(care, hours="8h", label="Paid", usable_once="paid", price="299.99")
        run = await billing.run(date(2026, 9, 30), [ACME], by=MAX, at=NOW)
        assert run
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        await billing.record_payment(
            invoice, PaymentFacts(amount=f"{invoice.gross:.2f}", paid_on="2026-11-18"), by=MAX, at=NOW
        )
        await a_voucher(
            care,
            hours="2h",
            label="Issued",
            usable_once="issued",
            sold_on="2026-10-01",
            valid_until="2026-12-31",
            price="199.99",
        )
        early = await log(60, on=date(2026, 10, 1), comment="early")
        await billing.approve([early.choice], by=MAX, at=NOW)
        assert await billing.run(date(2026, 10, 2), [ACME], by=MAX, at=NOW)
        entries = [
            await log(30, on=date(2026, 10, 1), comment="approved late"),
            await log(90, service=holds, comment="held", on=date(2026, 10, 5)),
            await log(45, service=holds, comment="open", on=date(2026, 10, 7)),
            await log(50, service=care, comment="first", on=date(2026, 10, 8)),
            await log(400, service=care, comment="second", on=date(2026, 10, 20)),
            await log(37, comment="hours", on=date(2026, 10, 21)),
        ]  # fmt: skip
        assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused
        await log(25, service=care, comment="late", on=date(2026, 10, 2))
        async with billing.changing_terms(ACME):
            await PriceChange.create(
                await Service.find(care, SYSTEM), await Contract.find(ACME_CONTRACT, SYSTEM),
                PriceFacts(effective_from="2026-10-15", fee="620", included="1h", overage_rate="101"), NOW,
            )  # fmt: skip
        assert await billing.violations() == {}


async def entry(comment: str) -> billing.Choice:
    row = await current().fetchrow("select id, version from time_entry where external_comment = $1", comment)
    return billing.Choice(row["id"], row["version"])


async def service(name: str) -> int:
    found: int = await current().fetchval("select id from service where name = $1", name)
    return found


async def voucher(label: str) -> Voucher:
    found = await Voucher.objects().where(Voucher.label == label).first()
    assert found
    return found


async def the_draft() -> int:
    """Return the id of the first draft; if there is no draft, return 4711, which is no draft's id."""
    return await current().fetchval("select min(id) from invoice where state = 'draft'") or 4711


async def the_invoice() -> Invoice:
    return await Invoice.find("2026-0147", MAX)


async def run(by: AgentReader) -> None:
    await billing.run(NOVEMBER, [ACME], by=by, at=LATER)


async def released(by: AgentReader) -> None:
    report(await billing.release([await entry("held")], by=by, at=LATER))


async def approved(by: AgentReader) -> None:
    report(await billing.approve([await entry("late")], by=by, at=LATER))


async def flagged(by: AgentReader) -> None:
    report(await billing.flag([await entry("second")], question="Whose?", by=by, at=LATER))


def report(outcome: billing.Outcome) -> None:
    """Raise a `Refusal` with the first error message if an entry was refused, so that the act counts as refused."""
    if outcome.refused:
        raise Refusal(outcome.refused[0].sentence)


async def withdrawn(by: AgentReader) -> None:
    await billing.withdraw((await entry("second")).entry_id, by=by, at=LATER)


async def sold(by: AgentReader) -> None:
    customer = await Customer.find(ACME, by)
    facts = VoucherFacts(
        services=[str(await service("Holds"))], hours="2h", price="400", sold_on="2026-10-02", label="Sold now"
    )
    async with billing.changing_terms(ACME):
        await Voucher.sell(customer, facts, LATER)


async def issued(by: AgentReader) -> None:
    await billing.issue(await the_draft(), by=by, at=LATER)


async def deleted(by: AgentReader) -> None:
    await billing.delete_draft(await the_draft(), by=by, at=LATER)


async def taken_off(by: AgentReader) -> None:
    await billing.take_off(await the_draft(), (await entry("early")).entry_id, by=by, at=LATER)


async def put_on(by: AgentReader) -> None:
    await billing.put_on(await the_draft(), (await entry("approved late")).entry_id, by=by, at=LATER)


async def taken_back(by: AgentReader) -> None:
    invoice = await the_invoice()
    payment, *_ = await billing.payments_of(invoice, by)
    await billing.take_payment_back(invoice, payment["id"], by=by, at=LATER)


async def paid_back(by: AgentReader) -> None:
    facts = PaymentFacts(amount="100", paid_on="2026-11-19", direction="paid_back")
    await billing.record_payment(await the_invoice(), facts, by=by, at=LATER)


async def credited(by: AgentReader, chosen: Chosen = Chosen(everything=True)) -> None:  # noqa: B008
    await billing.issue_credit(await the_invoice(), chosen, reason="Agreed.", freed=True, by=by, at=LATER)


async def ended(by: AgentReader) -> None:
    async with billing.changing_terms(ACME):
        contract = await Contract.find(ACME_CONTRACT, by, hold=True)
        facts = contract.facts
        facts.valid_until = "2026-10-17"
        await contract.change(facts, LATER)


async def priced(by: AgentReader) -> None:
    async with billing.changing_terms(ACME):
        await PriceChange.create(
            await Service.find(await service("Care"), by), await Contract.find(ACME_CONTRACT, by),
            PriceFacts(effective_from="2026-10-04", fee="710", included="2h", overage_rate="77.77"), LATER,
        )  # fmt: skip


async def unpriced(by: AgentReader) -> None:
    async with billing.changing_terms(ACME):
        [change] = await PriceChange.of(await service("Care"))
        await change.withdraw()


async def lowered(by: AgentReader) -> None:
    async with billing.changing_terms(ACME):
        care = await Service.find(await service("Care"), by, hold=True)
        facts = care.facts
        facts.included = "5m"
        await care.change(facts)


async def shortened(by: AgentReader) -> None:
    async with billing.changing_terms(ACME):
        found = await voucher("Paid")
        facts = found.facts
        facts.valid_until = "2026-10-10"
        await found.change(facts)


async def removed(by: AgentReader) -> None:
    await billing.remove_voucher(ACME, await voucher("Bought before"))


async def asked(by: ContactReader) -> None:
    id = await current().fetchval("select id from approved_time where external_comment = 'second'")
    await billing.ask_about_entry(await billing.time_in_hours(id, by), "What was that?", by=by, at=LATER)


AGAINST_A_RUN: list[Act] = [released, withdrawn, sold, issued, taken_back, credited, ended, priced]
FURTHER: list[Act] = [
    approved, flagged, asked, deleted, taken_off, put_on, paid_back, unpriced, lowered, shortened, removed, run,
]  # fmt: skip
PAIRS = [(taken_back, credited), (issued, taken_off)]
FURTHER_PAIRS = [
    (paid_back, credited), (taken_back, paid_back), (issued, deleted), (issued, put_on), (ended, issued), (credited, removed), (sold, released),
    (priced, ended), (shortened, released), (withdrawn, released),
]  # fmt: skip

BOOKS = """
select 'entry' as what, e.external_comment as name, concat_ws(' ', e.state, e.version, e.billable_minutes) as is, null::numeric as amount
  from time_entry e
union all select 'allocation', e.external_comment, concat_ws(' ', a.part, a.position, a.kind, a.minutes, a.hourly_rate, a.period_start, v.label,
    case when exists (select from settled_entry d where d.entry_id = a.entry_id and d.part = a.part) then 'settled' end), a.amount
  from allocation a join time_entry e on e.id = a.entry_id left join voucher v on v.id = a.voucher_id
union all select 'invoice', concat_ws(' ', i.state, i.number, i.until), concat_ws(' ', i.supply_from, i.supply_to, i.tax), i.net from invoice i
union all select 'line', concat_ws(' ', i.state, i.number, l.position), concat_ws(' ', l.kind, l.label, l.minutes, l.unit_price), l.net
  from invoice_line l join invoice i on i.id = l.invoice_id
union all select 'credit', n.number, n.reason, n.net from credit_note n
union all select 'statement', s.contract_name, concat_ws(' ', s.supply_from, s.supply_to), null from statement s
union all select 'voucher', v.label, concat_ws(' ', v.minutes, v.credited_minutes, v.end_on,
    (select sum(m.minutes) from voucher_move m where m.voucher_id = v.id)), v.price from voucher v
union all select 'fee', b.period_start::text, concat_ws(' ', b.active_from, b.active_until), null from billed_fee b
union all select 'sale', v.label, 'billed', null from billed_voucher b join voucher v on v.id = b.voucher_id
union all select 'payment', p.reference, concat_ws(' ', p.paid_on, p.taken_back_at), p.amount from payment p
union all select 'open', i.number, 'open', b.open from invoice_balance b join invoice i on i.id = b.invoice_id
union all select 'skipped', e.external_comment, s.reason, null from skipped_entry s join time_entry e on e.id = s.entry_id
union all select 'flag', e.external_comment, f.question, null from flag f join time_entry e on e.id = f.entry_id where f.lifted_at is null
order by 1, 2, 3, 4
"""
"""A query that returns everything that a run or a change may have stored, without ids."""


async def books() -> list[tuple[Any, ...]]:
    async with transaction(SYSTEM) as tx:
        assert await billing.violations() == {}
        return [tuple(row) for row in await tx.fetch(BOOKS)]


async def attempt(act: Act, by: AgentReader | ContactReader) -> str:
    """Carry out an act in a transaction of its own, and return "done" or the error message of its refusal.

    The act `asked`, which only contacts do, is carried out by Ada instead of `by`.
    """
    by = ADA if act is asked else by
    try:
        async with transaction(by):
            await act(by)
    except Refusal as refusal:
        return refusal.sentence
    return "done"


async def one_after_the_other(first: Act, second: Act) -> list[str]:
    return [await attempt(first, MAX), await attempt(second, NOOR)]


async def at_once(first: Act, second: Act) -> list[str]:
    """Keep the transaction of `first` open until `second` waits for a lock that `first` holds; return both outcomes.

    Fail if `first` succeeds and `second` has never waited for such a lock.
    """
    holds, met = asyncio.Event(), False

    async def holding(by: AgentReader | ContactReader) -> None:
        nonlocal met
        try:
            await first(by)
        finally:
            holds.set()
        while not late.done() and not met:
            met = await current().fetchval(
                "select exists (select from pg_locks l where pg_backend_pid() = any(pg_blocking_pids(l.pid)))"
            )
            await asyncio.sleep(0)

    async def following() -> str:
        await holds.wait()
        return await attempt(second, NOOR)

    late = asyncio.create_task(following())
    outcomes = [await attempt(holding, ADA if first is asked else MAX), await late]
    assert met or outcomes[0] != "done", "The second act waited for no lock of the first."
    return outcomes


async def are_as_in_turn(connections: Connections, first: Act, second: Act) -> list[str]:
    """Carry out both acts at once; then restore the data and carry them out one after the other.

    Fail unless both ways have the same outcomes and store the same rows. Return the outcomes.
    """
    await prepare()
    together, then = await at_once(first, second), await books()
    await connections.lend()
    await prepare()
    assert await one_after_the_other(first, second) == together
    assert await books() == then
    return together


def cases(quick: list[Any], others: list[Any]) -> list[Any]:
    """Return the acts of both lists as parameters for pytest; only `./dev test --all` tries the acts in `others`."""
    return [
        *quick,
        *(pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=pytest.mark.long) for one in others),
    ]


@pytest.mark.parametrize("change", cases(AGAINST_A_RUN, FURTHER), ids=lambda act: act.__name__)
@pytest.mark.parametrize("place", ["before the run", "after the run"])
async def test_a_change_beside_a_run_ends_as_one_after_the_other(
    dsn: str, connections: Connections, change: Act, place: str
) -> None:
    """R94, D47: of a run and a change at once, the second waits for the first; neither is half done or lost."""
    outcomes = await are_as_in_turn(connections, *((change, run) if place == "before the run" else (run, change)))
    assert outcomes[0] == "done"


@pytest.mark.parametrize(("one", "other"), cases(PAIRS, FURTHER_PAIRS), ids=lambda act: act.__name__)
async def test_two_changes_at_once_end_as_one_after_the_other(
    dsn: str, connections: Connections, one: Act, other: Act
) -> None:
    """R94, D37, D39: of two changes of payments, drafts, credits or terms at once, the second sees what the first did."""
    for first, second in ((one, other), (other, one)):
        assert (await are_as_in_turn(connections, first, second))[0] == "done"
        await connections.lend()
