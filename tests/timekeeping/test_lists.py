"""Test the lists and sums of time entries, and that their cost does not grow with the number of entries (S1.12)."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from portal.billing import list_entries, violations
from portal.database import current, transaction
from portal.desk.feed import Feed, Happened
from portal.timekeeping import feed, lists, states
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.feed import CaseTime, with_time
from portal.timekeeping.filters import Filter, key
from portal.timekeeping.work import Work
from portal.words import EntryBilling, EntryState
from tests.queries import counted
from tests.world import HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
TODAY = date(2026, 11, 20)


async def test_the_sums_of_a_case_say_what_was_worked_what_counts_and_what_waits(case: Any) -> None:
    async with transaction(INES):
        entries = [await TimeEntry.log(INES, _work(minutes), at=NOW, case=case) for minutes in (50, 20, 10, 5)]
        await TimeEntry.log(
            INES, Work(minutes=7, work_date=TODAY, billing=EntryBilling.NOT_BILLABLE), at=NOW, case=case
        )
        await states.submit(INES, [entries[0].id, entries[1].id], at=NOW)
        await states.mark_approved({entries[0].id: 1}, by=MAX, at=NOW)
        await states.mark_rejected({entries[2].id: 1}, by=MAX, at=NOW, reason="Which site?")
        _, sums = await with_time(_empty(), case.id, INES)
    assert sums == CaseTime(entries=5, worked=92, counts=60 + 30 + 15, draft=12, submitted=20, rejected=10)


async def test_the_minutes_of_several_cases_are_summed_by_one_query(case: Any) -> None:
    async with transaction(INES):
        for minutes in (33, 10):
            await TimeEntry.log(INES, _work(minutes), at=NOW, case=case)
        with counted() as statements:
            assert await feed.worked_on([case.id, case.id + 1]) == {case.id: 43}
    assert len(statements) == 1


async def test_a_case_without_time_has_sums_of_nought(case: Any) -> None:
    async with transaction(INES):
        assert await with_time(_empty(), case.id, INES) == (_empty(), CaseTime(0, 0, 0, 0, 0, 0))


async def test_the_own_list_shows_the_managers_reason(case: Any) -> None:
    """S0.31: Ines's list shows the reason for the latest rejection of her entry, and can be filtered by state."""
    async with transaction(INES) as tx:
        entry = await TimeEntry.log(INES, _work(20), at=NOW, case=case)
        await TimeEntry.log(INES, _work(25), at=NOW, case=case)
        for hours, reason in ((1, "Too long"), (2, "Which switch?")):
            await tx.execute(
                "insert into rejection (entry_id, version, rejected_by_id, reason, rejected_at) values ($1, 1, 2, $2, $3)",
                entry.id, reason, NOW + timedelta(hours=hours),
            )  # fmt: skip
        await states.mark_rejected({entry.id: 1}, by=MAX, at=NOW, reason="Which site?")
        rejected = await list_entries(INES, Filter("agent", INES.id, state=EntryState.REJECTED))
        everything = await list_entries(INES, Filter("agent", INES.id))
        nobodys = await list_entries(INES, Filter("agent", MAX.id))
        counts = await lists.counts(INES.id)
    assert [(line.id, line.reason, line.case_number) for line in rejected.lines] == [
        (entry.id, "Which switch?", case.number)
    ]
    assert [line.reason for line in everything.lines] == [None, "Which switch?"]
    assert (nobodys.lines, nobodys.more) == ([], False)
    assert counts == {EntryState.DRAFT: 1, EntryState.REJECTED: 1}


async def test_general_time_stands_in_the_list_without_a_customer() -> None:
    async with transaction(INES):
        await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, description="Meeting"), at=NOW)
        line = (await lists.page(INES, Filter("agent", INES.id))).lines[0]
    assert (line.customer, line.service, line.case_number, line.state_word) == (None, None, None, "Not submitted")


@pytest.mark.slow
async def test_a_case_with_ten_thousand_entries_stays_paged(case: Any) -> None:
    """S1.12, D56: on a case with 10,000 entries, three consecutive pages have different entries, newest day first.

    The two newest pages of the case's feed follow each other, and the sum of the minutes covers all entries.
    """
    async with transaction(INES) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing,
              billable_minutes, external_comment, description, state, created_at, window_from)
            select 1, $1, 1, 1 + n % 3, 1, date '2026-11-20' - n % 300, 10, 'billable', 15, '', '',
              'draft', $2::timestamptz + n * interval '1 second', $2::timestamptz
            from generate_series(1, 10000) n""",
            case.id, NOW,
        )  # fmt: skip
        seen, which = [], Filter("case", case.id)
        for _ in range(3):
            page = await lists.page(INES, which)
            seen += [(line.work_date, line.id) for line in page.lines]
            assert page.more
            which = Filter("case", case.id, after=key(page.last))
        assert len(set(seen)) == 3 * lists.PAGE
        assert seen == sorted(seen, reverse=True)
        mine = await lists.page(INES, Filter("case", case.id, agent_id=INES.id, state=EntryState.DRAFT))
        assert {line.agent_id for line in mine.lines} == {INES.id}
        newest, sums = await with_time(_empty(), case.id, INES)
        older, _ = await with_time(_empty(), case.id, INES, before=newest.earlier)
    assert [line.at for line in newest.items] == [NOW + timedelta(seconds=n) for n in range(9951, 10001)]
    assert [line.at for line in older.items] == [NOW + timedelta(seconds=n) for n in range(9901, 9951)]
    assert sums.worked == 100_000


async def test_entries_of_one_instant_stand_on_one_page_each(case: Any) -> None:
    """Each of 60 entries logged at the same instant appears exactly once on the two pages of the case's feed."""
    async with transaction(INES):
        ids = [(await TimeEntry.log(INES, _work(5), at=NOW, case=case)).id for _ in range(60)]
        newest, _ = await with_time(_empty(), case.id, INES)
        older, _ = await with_time(_empty(), case.id, INES, before=newest.earlier)
    assert [line.id for line in older.items + newest.items] == ids
    assert older.earlier == ""


async def test_what_was_said_before_the_oldest_entry_shown_comes_with_the_page_before(case: Any) -> None:
    early, late = (Happened(n, NOW + timedelta(hours=n), "info", "x") for n in (0, 2))
    async with transaction(INES):
        for _ in range(51):
            await TimeEntry.log(INES, _work(5), at=NOW + timedelta(hours=1), case=case)
        feed, _ = await with_time(Feed([early, late], "", None, None), case.id, INES)
    assert [item.shape for item in feed.items] == ["entry"] * 50 + ["event"]
    assert feed.earlier


async def test_entries_before_a_window_of_the_desk_come_with_the_page_before(case: Any) -> None:
    event = Happened(7, NOW, "info", "x")
    async with transaction(INES):
        await TimeEntry.log(INES, _work(5), at=NOW - timedelta(hours=1), case=case)
        entry = await TimeEntry.log(INES, _work(5), at=NOW + timedelta(hours=1), case=case)
        feed, _ = await with_time(Feed([event], "1.2.3", NOW, None), case.id, INES)
    assert [(item.shape, item.id) for item in feed.items] == [("event", 7), ("entry", entry.id)]
    assert feed.earlier == "1.2.3"


def _empty() -> Feed:
    return Feed([], "", None, None)


def _work(minutes: int) -> Work:
    return Work(minutes=minutes, work_date=TODAY, service_id=HELPDESK)


@pytest.mark.slow
async def test_a_list_of_more_than_ten_thousand_entries_costs_no_more(case: Any) -> None:
    """D56: without a filter by days, the sums of a list of 12,000 entries are exact, because they are stored.

    If a filter by days matches more than 10,000 entries, the sums are marked as not exact. The sums of single days are
    exact with and without a filter.
    """
    async with transaction(INES) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing,
              billable_minutes, external_comment, description, state, created_at, window_from)
            select 1, $1, 1, 1, 1, date '2026-11-20' - n % 300, 10, 'billable', 15, '', '', 'draft', $2::timestamptz, $2::timestamptz
            from generate_series(1, 12000) n""",
            case.id, NOW,
        )  # fmt: skip
        few = await lists.totals(INES, Filter("case", case.id, since=TODAY - timedelta(days=9)), [TODAY])
        many = await lists.totals(INES, Filter("case", case.id, until=TODAY), [TODAY])
        every = await lists.totals(INES, Filter("case", case.id), [TODAY])
    assert (few.all.entries, few.ready.entries, few.is_exact) == (400, 400, True)
    assert (many.all.entries, many.is_exact) == (lists.SUMMED + 1, False)
    assert every.all == every.ready == lists.Sums(12_000, 120_000, 180_000)
    assert every.is_exact
    assert few.by_day == many.by_day == every.by_day == {TODAY: lists.Sums(40, 400, 600)}


_PLACES = (
    {"scope": "case"}, {"scope": "service"}, {"scope": "agent"}, {"scope": "case", "state": EntryState.DRAFT},
    {"scope": "case", "agent_id": MAX.id}, {"scope": "service", "billing": EntryBilling.NOT_BILLABLE},
)  # fmt: skip


async def test_the_kept_sums_of_a_list_are_those_of_its_entries(case: Any) -> None:
    """D56: after each change, the stored sums of a list equal those computed from all of its entries.

    The changes are logging, submitting, approving, rejecting, editing and deleting entries. The test also compares the
    sums of those entries that the reader can submit.
    """

    async def compare() -> None:
        for reader in (INES, MAX):
            for place in _PLACES:
                ids = {"case": case.id, "service": HELPDESK, "agent": INES.id}
                which: Any = Filter(id=ids[place["scope"]], **place)
                kept = await lists.totals(reader, which)
                computed = await lists.totals(reader, replace(which, until=date.max))
                assert kept == computed, which

    async with transaction(MAX):
        entries = [
            await TimeEntry.log(MAX, replace(_work(minutes), billing=billing), at=NOW, case=case, agent_id=agent)
            for minutes, billing in ((50, EntryBilling.BILLABLE), (7, EntryBilling.NOT_BILLABLE))
            for agent in (INES.id, MAX.id, INES.id)
        ]
        await compare()
        await states.submit(MAX, [entry.id for entry in entries[:4]], at=NOW)
        await compare()
        await states.mark_approved({entries[0].id: 1}, by=MAX, at=NOW)
        await states.mark_rejected({entries[2].id: 1, entries[3].id: 1}, by=MAX, at=NOW, reason="Which site?")
        await compare()
        rejected = await TimeEntry.find(entries[2].id, MAX)
        await rejected.change(MAX, _work(70), version=1, at=NOW)
        await compare()
        await entries[5].discard(MAX, version=1, at=NOW)
        await compare()
        sums = await lists.totals(MAX, Filter("case", case.id))
        mine = await lists.totals(INES, Filter("case", case.id, state=EntryState.DRAFT))
    assert (sums.all.entries, sums.ready.entries) == (5, 2)
    assert (mine.all.entries, mine.ready.entries) == (1, 0)


async def test_two_people_who_log_on_one_case_at_once_wait_for_nobody(case: Any) -> None:
    """D56: Ines and Max can log time on a case without waiting for an open transaction that has logged time there.

    The sums of the case are right afterwards.
    """
    begun, logged = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with transaction(INES):
            await TimeEntry.log(INES, _work(50), at=NOW, case=case)
            begun.set()
            await asyncio.wait_for(logged.wait(), 5)

    async def second() -> None:
        await begun.wait()
        for reader in (INES, MAX):  # The first transaction has changed sums of Ines.
            async with transaction(reader):
                await TimeEntry.log(reader, _work(20), at=NOW, case=case)
        logged.set()

    async with transaction(INES):
        await TimeEntry.log(INES, _work(10), at=NOW, case=case)
    await asyncio.gather(first(), second())
    async with transaction(INES):
        assert await feed.worked_on([case.id]) == {case.id: 100}
        assert await violations() == {}
        await TimeEntry.log(INES, _work(5), at=NOW, case=case)
        rows = await current().fetchval("select count(*) from time_sum where scope = 'case' and agent_id = $1", INES.id)
    assert rows == 1, "later changes merge the rows of a sum"
