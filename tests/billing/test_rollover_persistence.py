"""Test that unused included hours roll over: what is stored, what a run fixes, and what pages show."""

from datetime import date
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.contracts.contracts import Contract
from portal.contracts.services import Service, ServiceFacts
from portal.database import current, transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from tests.billing.test_prepaid_persistence import PLAN, approved, billed
from tests.billing.work import Logged, a_service, log
from tests.people.test_people import but
from tests.world import ACME, ACME_CONTRACT, ADA, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")

OCTOBER, NOVEMBER, LATER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 11, 20)
ROLLING = PLAN | {"rollover_periods": 1}


async def a_plan(**columns: Any) -> int:
    """Insert a subscription with 10 included hours a month, which roll over for one period; return its id."""
    return await a_service(ACME, ACME_CONTRACT, "Care", **ROLLING | columns)


async def pieces(entry: Logged) -> list[tuple[Any, ...]]:
    """Return kind, minutes, period and period of origin of each allocation of an entry.

    Each period is given by its first day. The period of origin is that from which the minutes rolled over, or None.
    """
    rows = await current().fetch(
        "select kind, minutes, period_start, rolled_from from allocation where entry_id = $1 order by position",
        entry.id,
    )
    return [tuple(row) for row in rows]


async def in_november(*minutes: int, service: int) -> list[Logged]:
    return await approved(*minutes, service=service, on=date(2026, 11, 3))


async def test_unused_hours_are_drawn_in_the_next_period_before_its_own() -> None:
    """D26, D20: October uses 400 of its 600 minutes; in November, the other 200 are drawn before November's own 600.

    | entry      | minutes | rolled over | own | charged |
    |------------|---------|-------------|-----|---------|
    | 6 October  | 400     |             | 400 |         |
    | 3 November | 900     | 200         | 600 | 100     |
    """
    async with transaction(MAX):
        plan = await a_plan()
        [first] = await approved(400, service=plan)
        [second] = await in_november(900, service=plan)
        assert await pieces(first) == [("included", 400, OCTOBER, None)]
        expected = [
            ("included", 200, NOVEMBER, OCTOBER),
            ("included", 600, NOVEMBER, None),
            ("charged", 100, None, None),
        ]
        assert await pieces(second) == expected
        await billed(LATER)
        assert await pieces(second) == expected
        assert await billing.violations() == {}


async def test_the_time_detail_says_which_hours_have_rolled_over() -> None:
    """D26, S0.19: if an entry draws rolled-over and own included hours, the time detail has a row for each of the two.

    Each row says whether its hours have rolled over.
    """
    async with transaction(MAX):
        plan = await a_plan()
        await in_november(900, service=plan)
        draft = await billing.Invoice.find_draft((await billed(LATER)).draft_ids[0], MAX)
        rows = [row for row in (await billing.contents_of(draft)).detail if row.entry_id]
        assert [(row.covered_by, row.minutes) for row in rows] == [
            ("included hours rolled over from 1 Oct 2026", 600),
            ("included hours", 300),
        ]
        await billing.issue(draft.id, by=MAX, at=NOW)
        assert await billing.violations() == {}


async def test_at_most_the_cap_rolls_over_and_nothing_from_before_the_first_day() -> None:
    """D26: at most the cap rolls from one period into the next, and nothing from a period that ended before `rollover_from`."""
    async with transaction(MAX):
        capped = await a_plan(rollover_cap=60)
        late = await a_service(ACME, ACME_CONTRACT, "Late", **ROLLING | {"rollover_from": NOVEMBER})
        [one], [two] = await in_november(660, service=capped), await in_november(660, service=late)
        assert [minutes for _, minutes, *_ in await pieces(one)] == [60, 600]
        assert await pieces(two) == [("included", 600, NOVEMBER, None), ("charged", 60, None, None)]


async def test_an_approval_after_the_run_finds_only_what_did_not_roll_on() -> None:
    """D26, D32: the run up to 1 November fixes that 200 minutes roll over, so later work in October is charged."""
    async with transaction(MAX):
        plan = await a_plan()
        await approved(400, service=plan)
        await billed()
        [late] = await approved(90, service=plan)
        assert await pieces(late) == [("charged", 90, None, None)]
        [november] = await in_november(700, service=plan)
        assert [minutes for _, minutes, *_ in await pieces(november)] == [200, 500]
        assert await billing.violations() == {}


async def test_a_deleted_draft_opens_its_periods_again() -> None:
    """D26: once a draft is deleted, rolled-over minutes are computed from approved time again until the next run fixes them."""
    async with transaction(MAX):
        plan = await a_plan()
        await approved(400, service=plan)
        run = await billed()
        assert await current().fetchval("select minutes from rolled_minutes where service_id = $1", plan) == 200
        await billing.delete_draft(run.draft_ids[0], by=MAX, at=NOW)
        assert await current().fetchval("select count(*) from rolled_minutes") == 0
        [late] = await approved(90, service=plan)
        assert await pieces(late) == [("included", 90, OCTOBER, None)]
        await billed()
        assert await current().fetchval("select minutes from rolled_minutes where service_id = $1", plan) == 110
        assert await billing.violations() == {}


async def test_a_period_stays_closed_whose_rolled_minutes_a_document_has_used() -> None:
    """D26: if a later document has used rolled-over minutes, deleting the older draft does not open their period again."""
    async with transaction(MAX):
        plan = await a_plan()
        await approved(400, service=plan)
        first = await billed()
        await in_november(150, service=plan)
        await billed(LATER)
        await billing.delete_draft(first.draft_ids[0], by=MAX, at=NOW)
        assert await current().fetchval("select minutes from rolled_minutes where service_id = $1", plan) == 200
        [late] = await approved(90, service=plan)
        assert await pieces(late) == [("charged", 90, None, None)]
        assert await billing.violations() == {}


async def test_the_statement_says_what_rolled_over_and_what_is_left() -> None:
    """S2.3, S2.20, D26: in November, 800 minutes are available, 200 of them rolled over, and 150 are used.

    Contacts read the same figures. A run, which fixes how many minutes have rolled over, does not change the figures.
    """
    async with transaction(MAX):
        plan = await a_plan()
        await approved(400, service=plan)
        await in_november(150, service=plan)

    async def shown() -> None:
        for reader in (MAX, ADA):
            async with transaction(reader):
                [standing] = await billing.standings(reader, ACME, NOW.date(), [plan])
                assert (standing.granted, standing.rolled, standing.included, standing.left) == (800, 200, 150, 650)

    await shown()
    async with transaction(MAX):
        await billed()
    await shown()


async def test_rollover_is_off_by_default_and_its_fields_are_checked() -> None:
    """D26: rollover is off for a new service; a cap or a first day needs a number of periods; bad values are refused."""
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, SYSTEM)
        facts = ServiceFacts(name="Care", settlement="subscription", fee="500", included="10h")
        plan = await Service.create(contract, facts, NOW)
        assert (plan.rollover_periods, plan.rollover_cap, plan.rollover_from) == (None, None, None)
        for field, value in (
            ("rollover_cap", "5h"),
            ("rollover_from", "2026-11-01"),
            ("rollover_periods", "0"),
            ("rollover_periods", "61"),
            ("rollover_cap", "much"),
        ):
            with pytest.raises(Invalid) as refusal:
                await plan.change(but(plan.facts, **{field: value}))
            assert set(refusal.value.fields) == {field}
        await plan.change(but(plan.facts, rollover_periods="2", rollover_cap="5h", rollover_from="2026-11-01"))
        changed = await Service.find(plan.id, SYSTEM)
        assert (changed.rollover_periods, changed.rollover_cap, changed.rollover_from) == (2, 300, NOVEMBER)
        assert but(changed.facts) == but(
            plan.facts, rollover_periods="2", rollover_cap="5\N{NO-BREAK SPACE}h", rollover_from="2026-11-01"
        )


async def test_the_database_refuses_a_rollover_that_cannot_be() -> None:
    """D26: the database refuses to change the settlement of a service with rollover, or the cycle of its contract.

    It also refuses an allocation of minutes that rolled into a period from that same period.
    """
    async with transaction(MAX):
        plan = await a_plan()
        await approved(400, service=plan)
        await billed()
        entry = await log(30, service=plan)
    for statement in (
        "update service set settlement = 'voucher', fee = null, included_minutes = null, due = null where id = $1",
        "update contract set cycle = 'yearly' where id = (select contract_id from service where id = $1)",
        "insert into allocation (customer_id, entry_id, position, kind, minutes, currency, amount, pool_service_id, period_start, rolled_from)"
        f" values ({ACME}, {entry.id}, 0, 'included', 30, 'EUR', 0, $1, '2026-11-01', '2026-11-01')",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(NOOR) as tx:
                await tx.execute(statement, plan)
