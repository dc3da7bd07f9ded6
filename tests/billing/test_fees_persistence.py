"""Test tasks with a fixed fee: what their entries cost, what documents say, and how they are credited."""

from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import Chosen
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from tests.billing.test_credits_persistence import credited
from tests.billing.test_prepaid_persistence import PLAN, billed
from tests.billing.work import Logged, a_service, log
from tests.people.test_people import but
from tests.world import ACME, ACME_CONTRACT, HELPDESK, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def travel(service: int = HELPDESK, fee: str = "50") -> int:
    """Add a task with a fixed fee to a service, and return its id."""
    task = await Task.create(await Service.find(service, SYSTEM), TaskFacts(name="Travel", fixed_fee=fee))
    return int(task.id)


async def trip(task: int, minutes: int = 45, **options: Any) -> Logged:
    """Log an entry with a task, approve it, and return it."""
    entry = await log(minutes, **options)
    await current().execute("update time_entry set task_id = $2 where id = $1", entry.id, task)
    assert not (await billing.approve([entry.choice], by=MAX, at=NOW)).refused
    return entry


async def pieces(entry: Logged) -> list[tuple[Any, ...]]:
    rows = await current().fetch(
        "select kind, minutes, hourly_rate, rate_source, amount from allocation where entry_id = $1 order by position",
        entry.id,
    )
    return [tuple(row) for row in rows]


async def test_a_trip_costs_its_fee_however_long_it_took_and_draws_nothing() -> None:
    """S3.22, D20: a trip of 45 minutes under a subscription with 10 included hours costs 50.00 and draws no hours.

    The draft has a line of 50.00 for the trip, which says "fixed fee" instead of a unit price.
    """
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        entry = await trip(await travel(plan), service=plan)
        assert await pieces(entry) == [("charged", 45, None, None, Decimal(50))]
        [standing] = await billing.standings(MAX, ACME, date(2026, 10, 20), [plan])
        assert (standing.included, standing.charged, standing.left) == (0, 45, 600)
        draft = await billing.Invoice.find_draft((await billed()).draft_ids[0], MAX)
        lines = (await billing.contents_of(draft)).lines
        assert [(line.net, line.unit_price) for line in lines if line.kind == "time"] == [(Decimal(50), None)]
        assert [line.instead_of_price for line in lines if line.kind == "time"] == ["fixed fee"]
        assert await billing.violations() == {}


async def test_the_approval_fixes_the_fee() -> None:
    """C12, D17: an approved entry keeps its fee when the fee of its task changes.

    If the approval is withdrawn and the entry is approved again, the entry gets the new fee.
    """
    async with transaction(NOOR):
        task = await travel()
        first, second = await trip(task), await trip(task)
        found = await Task.find(task)
        await found.change(but(found.facts, fixed_fee="60"))
        assert [row[4] for row in await pieces(first)] == [Decimal(50)]
        await billing.withdraw(second.id, by=NOOR, at=NOW)
        assert not (await billing.approve([second.choice], by=MAX, at=NOW)).refused
        assert [row[4] for row in await pieces(second)] == [Decimal(60)]
        assert await billing.violations() == {}


async def test_a_fee_needs_no_rate_and_can_be_0_minutes_or_free() -> None:
    """D19, D9: a trip with a fixed fee is approved without any rate, and costs its fee even if it has 0 minutes.

    A trip at no charge, or one that is not billable, costs nothing.
    """
    async with transaction(NOOR):
        await current().execute("delete from rate")
        task = await travel()
        assert await pieces(await trip(task, counted=0)) == [("charged", 0, None, None, Decimal(50))]
        assert await pieces(await trip(task, billing="no_charge")) == [("no_charge", 45, None, None, Decimal(0))]
        assert await pieces(await trip(task, billing="not_billable")) == []
        assert await billing.violations() == {}


async def test_a_line_of_trips_and_hours_has_no_unit_price() -> None:
    """D7, D6: an invoice line that sums a trip at 50.00 and an hour at 120.00 says "various rates".

    In the time detail, the row of the trip says "fixed fee".
    """
    async with transaction(MAX):
        await trip(await travel())
        hour = await log(60)
        assert not (await billing.approve([hour.choice], by=MAX, at=NOW)).refused
        price = (await pieces(hour))[0][4]
        invoice = await billing.issue((await billed()).draft_ids[0], by=MAX, at=NOW)
        contents = await billing.contents_of(invoice)
        assert [(line.net, line.unit_price) for line in contents.lines] == [(price + 50, None)]
        assert contents.lines[0].instead_of_price == "various rates"
        assert sorted(row.covered_by for row in contents.detail) == ["charged", "fixed fee"]
        assert contents.charged_count == 2
        assert "fixed fee" in (await billing.stored("csv", invoice)).decode("utf-8-sig")
        assert await billing.violations() == {}


async def test_a_fixed_fee_is_credited_as_a_whole_or_not_at_all() -> None:
    """D39, D40: of a trip of 45 minutes at a fixed fee of 50.00, 20 minutes cannot be credited, but all 45 can.

    The credit note gives 50.00 back, which the next run bills again.
    """
    async with transaction(MAX):
        await trip(await travel())
        invoice = await billing.issue((await billed()).draft_ids[0], by=MAX, at=NOW)
        with pytest.raises(Invalid) as refusal:
            await credited(invoice, Chosen(minutes={1: 20}))
        assert "as a whole" in refusal.value.fields["minutes-1"]
        note = await credited(invoice, Chosen(minutes={1: 45}))
        assert note.net == Decimal(50)
        assert await billing.violations() == {}
        again = await billing.Invoice.find_draft((await billed()).draft_ids[0], MAX)
        assert again.net == Decimal(50)
        assert await billing.violations() == {}


async def test_a_credited_fee_of_0_minutes_is_written_off() -> None:
    """D39: crediting a whole invoice credits the fee of a trip of 0 minutes too.

    The credit writes the fee off, so no run bills the fee again.
    """
    async with transaction(MAX):
        await trip(await travel(), counted=0)
        invoice = await billing.issue((await billed()).draft_ids[0], by=MAX, at=NOW)
        assert (await credited(invoice, Chosen(everything=True), freed=False)).net == Decimal(50)
        assert await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW) is None
        assert await billing.violations() == {}


async def test_a_bad_fee_is_refused_and_changes_nothing() -> None:
    """S0.10: a fee below zero or with more decimals than the currency has is refused; a task may also have no fee."""
    async with transaction(NOOR):
        task = await Task.find(await travel())
        for fee in ("-1", "5.001", "much"):
            with pytest.raises(Invalid) as refusal:
                await task.change(but(task.facts, fixed_fee=fee))
            assert set(refusal.value.fields) == {"fixed_fee"}
        assert (await Task.find(task.id)).fixed_fee == Decimal(50)
        await task.change(but(task.facts, fixed_fee=""))
        assert (await Task.find(task.id)).fixed_fee is None


async def test_the_database_refuses_charged_time_without_a_price() -> None:
    """D19: the database refuses charged time without an hourly rate unless its amount is the fee that the approval fixed."""
    async with transaction(MAX):
        entry = await trip(await travel())
    for amount in (0, 51):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="no price"):
            async with transaction(NOOR) as tx:
                await tx.execute(
                    "insert into allocation (customer_id, entry_id, position, kind, minutes, currency, amount)"
                    " values ($1, $2, 1, 'charged', 0, 'EUR', $3)",
                    ACME, entry.id, Decimal(amount),
                )  # fmt: skip


async def test_a_start_that_is_moved_earlier_inside_a_billed_period_costs_the_fee_to_the_cent() -> None:
    """D26: 15 of 30 days of a fee of 99.99 are billed at 50.00 (49.995); the 15 days before, added later, cost 49.99."""
    async with transaction(MAX):
        plan = await a_service(
            ACME, ACME_CONTRACT, "Care", **PLAN | {"fee": Decimal("99.99"), "effective_start": date(2026, 9, 16)}
        )
        lines = "select active_from, net from invoice_line where service_id = $1 and period_start = '2026-09-01' order by id"
        for start in (date(2026, 9, 16), date(2026, 9, 1)):
            await Service.update(effective_start=start).where(Service.id == plan)
            run = await billed()
            await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        assert [tuple(row) for row in await current().fetch(lines, plan)] == [
            (date(2026, 9, 16), Decimal("50.00")),
            (date(2026, 9, 1), Decimal("49.99")),
        ]
        assert await billing.violations() == {}


async def test_the_share_of_earlier_days_is_that_of_a_fee_that_was_changed_since() -> None:
    """D26, D37: 15 of 30 days are billed at a fee of 100.00; then the fee becomes 200.00 and the start moves 15 days back.

    The billed days keep their 50.00, and the 15 added days cost 100.00, which is half of the new fee.
    """
    async with transaction(MAX):
        plan = await a_service(
            ACME, ACME_CONTRACT, "Care", **PLAN | {"fee": Decimal(100), "effective_start": date(2026, 9, 16)}
        )
        await billed()
        await Service.update(fee=Decimal(200), effective_start=date(2026, 9, 1)).where(Service.id == plan)
        await billed()
        nets = (
            "select array_agg(net order by id) from invoice_line where service_id = $1 and period_start = '2026-09-01'"
        )
        assert await current().fetchval(nets, plan) == [50, 100]
