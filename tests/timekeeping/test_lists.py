"""Lists and sums of time, and that their cost does not grow with the case (S1.12)."""

from datetime import date, timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.timekeeping import lists, states
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.rules import Billing, State
from portal.timekeeping.work import Work
from tests.world import HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
TODAY = date(2026, 11, 20)


async def test_the_sums_of_a_case_say_what_was_worked_what_counts_and_what_waits(case: Any) -> None:
    async with transaction(INES):
        entries = [await TimeEntry.log(INES, _work(minutes), at=NOW, case=case) for minutes in (50, 20, 10, 5)]
        await TimeEntry.log(INES, Work(minutes=7, work_date=TODAY, billing=Billing.NOT_BILLABLE), at=NOW, case=case)
        await states.submit(INES, [entries[0].id, entries[1].id], at=NOW)
        await states.mark_approved(entries[0].id, 1, at=NOW)
        await states.mark_rejected(entries[2].id, 1, at=NOW)
        sums = await lists.sums_of_case(INES, case.id)
    assert sums == lists.CaseTime(entries=5, worked=92, counts=60 + 30 + 15, draft=12, submitted=20, rejected=10)


async def test_a_case_without_time_has_sums_of_nought(case: Any) -> None:
    async with transaction(INES):
        assert await lists.sums_of_case(INES, case.id) == lists.CaseTime(0, 0, 0, 0, 0, 0)


async def test_the_own_list_shows_the_managers_reason(case: Any) -> None:
    """S0.31: of several rejections the last one."""
    async with transaction(INES) as tx:
        entry = await TimeEntry.log(INES, _work(20), at=NOW, case=case)
        await TimeEntry.log(INES, _work(25), at=NOW, case=case)
        for hours, reason in ((1, "Too long"), (2, "Which switch?")):
            await tx.execute(
                "insert into rejection (entry_id, version, rejected_by_id, reason, rejected_at) values ($1, 1, 2, $2, $3)",
                entry.id, reason, NOW + timedelta(hours=hours),
            )  # fmt: skip
        await states.mark_rejected(entry.id, 1, at=NOW)
        rejected = await lists.page(INES, lists.Filter("agent", INES.id, state=State.REJECTED))
        everything = await lists.page(INES, lists.Filter("agent", INES.id))
        nobodys = await lists.page(INES, lists.Filter("agent", MAX.id))
        counts = await lists.counts(INES, INES.id)
    assert [(row["id"], row["reason"], row["case_number"]) for row in rejected.rows] == [
        (entry.id, "Which switch?", case.number)
    ]
    assert [row["reason"] for row in everything.rows] == [None, "Which switch?"]
    assert (nobodys.rows, nobodys.more) == ([], False)
    assert counts == {State.DRAFT: 1, State.REJECTED: 1}


async def test_general_time_stands_in_the_list_without_a_customer() -> None:
    async with transaction(INES):
        await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, description="Meeting"), at=NOW)
        row = (await lists.page(INES, lists.Filter("agent", INES.id))).rows[0]
    assert (row["customer_name"], row["service_name"], row["case_number"]) == (None, None, None)


@pytest.mark.slow
async def test_a_case_with_ten_thousand_entries_stays_paged(case: Any) -> None:
    """S1.12, D56: pages by key, in order, none twice, and with the index instead of all rows."""
    async with transaction(INES) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing,
              billable_minutes, external_comment, description, state, created_at, window_from)
            select 1, $1, 1, 1 + n % 3, 1, date '2026-11-20' - n % 300, 10, 'billable', 15, '', '',
              'draft', $2::timestamptz + n * interval '1 second', $2::timestamptz
            from generate_series(1, 10000) n""",
            case.id, NOW,
        )  # fmt: skip
        await tx.execute("insert into case_event (customer_id, case_id, kind, contact_may_know, agent_id, actor_name, details, at)"
                         " values (1, $1, 'opened', true, 1, 'x', '{}', $2)", case.id, NOW)  # fmt: skip
        seen, which = [], lists.Filter("case", case.id)
        for _ in range(3):
            page = await lists.page(INES, which)
            seen += [(row["work_date"], row["id"]) for row in page.rows]
            assert page.more
            which = lists.Filter("case", case.id, after=lists.key(page.last))
        assert len(set(seen)) == 3 * lists.PAGE
        assert seen == sorted(seen, reverse=True)
        newest = await lists.on_feed(INES, case.id, newest=50)
        assert [row["created_at"] for row in newest] == [NOW + timedelta(seconds=n) for n in range(9951, 10001)]
        assert (await lists.sums_of_case(INES, case.id)).worked == 100_000
        mine = await lists.page(INES, lists.Filter("case", case.id, agent_id=INES.id, state=State.DRAFT))
        assert {row["agent_id"] for row in mine.rows} == {INES.id}


def _work(minutes: int) -> Work:
    return Work(minutes=minutes, work_date=TODAY, service_id=HELPDESK)
