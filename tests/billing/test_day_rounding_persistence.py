"""Test rounding by day in the database, where the time of a day is rounded as a whole (D4).

The rounding difference is the rounded sum less the sum of the day's minutes. It is added to the last approved
entry of the day.
"""

from datetime import timedelta
from typing import Any

import pytest

from portal import billing
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.desk import Case
from portal.errors import Conflict
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.moving.merging import merge
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import billed
from tests.billing.work import OCTOBER, Logged, a_case, a_service, log
from tests.browser import Browser, text_of
from tests.world import ACME, ACME_CONTRACT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def a_service_by_day(**columns: Any) -> int:
    """Insert a time-spent service that rounds each day up to 15 minutes; return its id."""
    return await a_service(ACME, ACME_CONTRACT, "On call", **{"rounding_per": "day"} | columns)


async def worked(*minutes: int, service: int, **options: Any) -> list[Logged]:
    """Log entries that are rounded by day, each a minute after the one before, and return them without approving them."""
    entries = [
        await log(each, service=service, at=NOW - timedelta(days=2, minutes=-place), **options)
        for place, each in enumerate(minutes)
    ]
    await current().execute(
        "update time_entry set rounded_by_day = true where id = any($1)", [entry.id for entry in entries]
    )
    return entries


async def approve(*entries: Logged) -> None:
    assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused


async def counted(*entries: Logged) -> list[int]:
    """Return the billable minutes of the entries, after checking that all invariants of billing hold."""
    found = {
        row["id"]: row["billable_minutes"]
        for row in await current().fetch(
            "select id, billable_minutes from time_entry where id = any($1)", [entry.id for entry in entries]
        )
    }
    assert (broken := await billing.violations()) == {}, broken
    return [found[entry.id] for entry in entries]


async def test_the_last_approved_entry_of_a_day_takes_the_difference() -> None:
    """D4: three replies of 2 minutes count 15 together and not 45; the difference moves when a later one is approved.

    | step                    | first | second | third |
    |-------------------------|-------|--------|-------|
    | logged                  | 2     | 2      | 2     |
    | first and second approved | 2   | 13     | 2     |
    | third approved          | 2     | 2      | 11    |
    | third withdrawn         | 2     | 13     | 2     |
    """
    async with transaction(MAX):
        first, second, third = await worked(2, 2, 2, service=await a_service_by_day())
        assert await counted(first, second, third) == [2, 2, 2]
        await approve(first, second)
        assert await counted(first, second, third) == [2, 13, 2]
        await approve(third)
        assert await counted(first, second, third) == [2, 2, 11]
        states = await current().fetch("select state, version from time_entry where id = $1", second.id)
        assert [tuple(row) for row in states] == [("approved", 1)]
        await billing.withdraw(third.id, by=MAX, at=NOW)
        assert await counted(first, second, third) == [2, 13, 2]


async def test_other_cases_agents_days_and_charges_are_rounded_by_themselves() -> None:
    """D4: only minutes of the same case, service, agent, day and kind of charge are added up.

    Billable minutes that a manager set are not rounded.
    """
    async with transaction(MAX):
        service = await a_service_by_day()
        case = await a_case()
        plain, more = await worked(2, 3, service=service)
        others = [
            *await worked(2, service=service, case_id=case["id"]),
            *await worked(2, service=service, who=NOOR),
            *await worked(2, service=service, on=OCTOBER + timedelta(days=1)),
            *await worked(2, service=service, billing="no_charge"),
        ]
        by_hand = await log(2, service=service, counted=7)
        await approve(plain, more, *others, by_hand)
        assert await counted(plain, more, *others, by_hand) == [2, 13, 15, 15, 15, 15, 7]


async def test_time_with_a_fixed_fee_is_not_rounded_with_its_day() -> None:
    """D4: the 2 minutes of a call-out with a fixed fee are not rounded, not even with other time of its day."""
    async with transaction(MAX):
        service = await a_service_by_day()
        task = await Task.create(await Service.find(service, SYSTEM), TaskFacts(name="Call-out", fixed_fee="35"))
        entries = [*await worked(2, 2, service=service), *await worked(2, service=service, billing="no_charge")]
        fees = [entries[0].id, entries[2].id]
        await current().execute("update time_entry set task_id = $1 where id = any($2)", task.id, fees)
        await approve(*entries)
        assert await counted(*entries) == [2, 15, 2]


async def test_a_day_that_rounds_to_more_than_48_hours_is_refused_with_a_sentence() -> None:
    """D4, D19: an entry holds at most 48 h, so 47 h that round up to 50 h are refused, and other days are approved."""
    async with transaction(MAX):
        service = await a_service_by_day(rounding_increment=1000)
        [long] = await worked(1410, service=service)
        [other] = await worked(2, service=service, on=OCTOBER + timedelta(days=1))
        await current().execute(
            "update time_entry set billable_minutes = 2820, stretches = '1410x2', started_at = created_at,"
            " ended_at = created_at + interval '1410 min', time_zone = 'Europe/Berlin' where id = $1", long.id,
        )  # fmt: skip
        outcome = await billing.approve([long.choice, other.choice], by=MAX, at=NOW)
        [refused] = outcome.refused
        assert (refused.entry_id, "more than 48 h" in refused.sentence) == (long.id, True)
        assert await counted(long, other) == [2820, 1000]


async def test_a_withdrawal_that_would_make_an_entry_too_long_is_refused_with_a_sentence() -> None:
    """D4: a day has entries of 47 h and 3 h, which sum to 50 h. Withdrawing the approval of the 3 h is refused.

    The entry of 47 h alone would be rounded up to 50 h, and an entry has at most 48 h.
    """
    async with transaction(MAX):
        service = await a_service_by_day(rounding_increment=1000)
        long, other = await worked(1410, 180, service=service)
        await current().execute(
            "update time_entry set billable_minutes = 2820, stretches = '1410x2', started_at = created_at,"
            " ended_at = created_at + interval '1410 min', time_zone = 'Europe/Berlin' where id = $1", long.id,
        )  # fmt: skip
        await approve(long, other)
        with pytest.raises(Conflict, match="more than 48 h"):
            async with transaction(MAX):
                await billing.withdraw(other.id, by=MAX, at=NOW)
        assert await counted(long, other) == [2820, 180]


async def test_what_a_document_has_settled_stays_and_the_rest_is_rounded_by_itself() -> None:
    """D4: after billing, a further entry of the day is rounded alone; once the draft is deleted, both are rounded together."""
    async with transaction(MAX):
        first, second = await worked(2, 2, service=await a_service_by_day())
        await approve(first)
        run = await billed()
        await approve(second)
        assert await counted(first, second) == [15, 15]
        await billing.delete_draft(run.draft_ids[0], by=MAX, at=NOW)
        assert await counted(first, second) == [2, 13]


async def test_the_amount_is_that_of_the_counted_minutes() -> None:
    """D4, D6: a draft of three replies of 2 minutes bills 15 minutes at 120.00, which is 30.00."""
    async with transaction(MAX):
        entries = await worked(2, 2, 2, service=await a_service_by_day(), hourly_rate=120)
        await approve(*entries)
        draft = await billing.Invoice.find_draft((await billed()).draft_ids[0], MAX)
        assert (draft.net, [line.minutes for line in (await billing.contents_of(draft)).lines]) == (30, [15])


async def test_the_list_of_waiting_time_says_what_a_day_would_count_and_cost() -> None:
    """D4: of two waiting entries of 2 minutes, the later is listed with 13 minutes and 26.00 at 120.00 an hour."""
    async with transaction(MAX):
        await worked(2, 2, service=await a_service_by_day(), hourly_rate=120)
        waiting = await billing.list_waiting(MAX, at=NOW)
        assert sorted((entry.billable_minutes, entry.cost.amount) for entry in waiting.entries) == [(2, 4), (13, 26)]


async def test_the_total_of_a_group_on_one_page_is_what_its_time_is_billed_at() -> None:
    """D4, S3.31: the minutes and amounts that the list shows for each agent are those that the run then bills.

    The figures agree even if other time of the same day is approved already.
    """
    async with transaction(MAX):
        service = await a_service_by_day()
        await approve(*await worked(2, service=service, hourly_rate=120))
        entries = await worked(2, 7, 31, service=service, hourly_rate=120)
        entries += await worked(4, 4, service=service, hourly_rate=95, on=OCTOBER + timedelta(days=1))
        entries += await worked(3, 20, service=service, hourly_rate=99, who=NOOR)
        groups = (await billing.list_waiting(MAX, at=NOW)).groups
        shown = {group.agent_id: (group.minutes, group.amounts["EUR"]) for group in groups}
        await approve(*entries)
        await billed()
        rows = await current().fetch(
            "select e.agent_id, sum(a.minutes) as minutes, sum(a.amount) as amount from allocation a join time_entry e on e.id = a.entry_id"
            " join settled_entry d on d.entry_id = e.id where e.id = any($1) group by 1",
            [entry.id for entry in entries],
        )
        assert {row["agent_id"]: (row["minutes"], row["amount"]) for row in rows} == shown
        assert await billing.violations() == {}


@pytest.mark.usefixtures("clock")
async def test_the_total_of_a_long_group_says_whether_its_days_are_rounded_wherever_they_are_listed(app: Gate) -> None:
    """D4: if a group of entries that wait for approval spans several pages, its total is the sum of the logged minutes.

    If days of the group are rounded, each of these pages says that the total is not rounded, and why.
    """
    async with transaction(MAX):
        await log(60, on=OCTOBER + timedelta(days=1))
        filters, pages = billing.Filters(), list[Any]()
        for after in ("before a day is rounded", "after"):
            pages.append(await billing.list_waiting(MAX, filters, at=NOW, size=1))
            if after != "after":
                await worked(2, 2, service=await a_service_by_day(), hourly_rate=120)
        assert [(page.groups[0].count, page.groups[0].rounds_days) for page in pages] == [(1, False), (3, True)]
        assert pages[1].groups[0].all_minutes == 64
        assert not (await billing.list_waiting(MAX, at=NOW)).groups[0].rounds_days  # All entries are on one page.
        await log(60, on=OCTOBER + timedelta(days=2), comment="Other")
        for _ in range(50):
            await log(1, on=OCTOBER + timedelta(days=3))
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "as logged, because each day is rounded as a whole" in text_of(
            (await browser.get("/agent/approvals")).text
        )


async def test_a_deleted_entry_gives_the_difference_back() -> None:
    """D4, S2.22: when a manager deletes the last entry of a day, the entry before it gets the rounding difference."""
    async with transaction(MAX):
        first, second = await worked(2, 2, service=await a_service_by_day())
        await approve(first, second)
        await billing.delete_entry(second.id, version=1, by=MAX, at=NOW)
        assert await counted(first) == [15]


async def test_time_of_merged_cases_is_rounded_together() -> None:
    """D4, D53: once two cases are merged, their minutes of a day are rounded together, and no approval is withdrawn."""
    async with transaction(MAX):
        service = await a_service_by_day()
        one, other = await a_case(), await a_case(subject="VPN again")
        [first], [second] = (
            await worked(2, service=service, case_id=one["id"]),
            await worked(2, service=service, case_id=other["id"]),
        )
        await approve(first, second)
        assert await counted(first, second) == [15, 15]
        target = await merge([one["number"], other["number"]], one["number"], by=MAX, at=NOW)
        await billing.reallocate([target.customer_id])
        assert sum(await counted(first, second)) == 15
        assert await current().fetchval("select count(*) from approval where withdrawn_at is null") == 2


async def test_time_that_is_logged_counts_as_it_was_worked() -> None:
    """D3, D4: under a service that rounds by day, an entry is stored with its worked minutes as billable minutes.

    If an agent sets the billable minutes by hand, these are stored, and the entry is not rounded with its day.
    """
    async with transaction(SYSTEM):
        service = await a_service_by_day()
    async with transaction(INES):
        work = Work(minutes=7, work_date=NOW.date(), service_id=service, external_comment="Called back")
        case = await Case.find((await a_case())["number"], INES)
        entry = await TimeEntry.log(INES, work, at=NOW, case=case)
        assert (entry.billable_minutes, entry.rounded_by_day) == (7, True)
        by_hand = Work(
            minutes=7,
            work_date=NOW.date(),
            service_id=service,
            external_comment="x",
            counts=20,
            override_reason="Agreed",
        )
        entry = await entry.change(INES, by_hand, version=1, at=NOW)
        assert (entry.billable_minutes, entry.rounded_by_day) == (20, False)


async def test_a_service_that_rounds_each_entry_again_leaves_no_difference_behind() -> None:
    """D4: if a service rounds each entry instead of each day, or the reverse, its unbilled minutes change at once."""
    async with transaction(NOOR):
        service = await a_service_by_day()
        first, second = await worked(2, 2, service=service)
        await approve(first, second)
        async with billing.changing_terms(ACME):
            await current().execute("update service set rounding_per = 'entry' where id = $1", service)
        assert await counted(first, second) == [2, 2]
        async with billing.changing_terms(ACME):
            await current().execute(
                "update service set rounding_per = 'day', rounding_increment = 30 where id = $1", service
            )
        assert await counted(first, second) == [2, 28]
