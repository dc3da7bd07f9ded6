"""Test the reminders, made in the reader's morning: of waiting approvals once a day, of missing time once a week."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal import notices
from portal.database import transaction
from portal.people.agents import Agent
from portal.people.readers import SYSTEM
from portal.people.working.absences import Absence, AbsenceFacts
from portal.timekeeping.policy.switches import RulesFacts, TimeRules
from tests.billing.work import log
from tests.world import INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
MONDAY = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
"""Monday, 08:30 in Berlin."""
LAST_WEEK = date(2026, 11, 16)


async def reminded(at: datetime) -> list[tuple[Any, ...]]:
    """Make the reminders that are due at `at`; return the credential, kind, day and amount of the new ones."""
    async with transaction(SYSTEM) as tx:
        last = await tx.fetchval("select coalesce(max(id), 0) from notice")
        await notices.remind(at)
        rows = await tx.fetch(
            "select credential_id, kind, subject_id, amount from notice where id > $1 order by credential_id, kind",
            last,
        )
    return [tuple(row) for row in rows]


async def week_of_ines(days: int = 5, state: str = "submitted") -> None:
    async with transaction(MAX):
        for day in range(days):
            await log(480, on=LAST_WEEK + timedelta(days=day), state=state)


async def test_a_manager_is_reminded_once_on_a_working_day_of_what_waits() -> None:
    """A manager is reminded of waiting approvals once per working day, in the morning, and only if something waits."""
    assert await reminded(NOW) == []
    async with transaction(MAX):
        await log(60)
    early = datetime(2026, 11, 20, 6, 59, tzinfo=UTC)
    assert await reminded(early) == []
    waiting = (MAX.credential_id, "time.waiting", 20261120, 1)
    assert [one for one in await reminded(NOW) if one[1] == "time.waiting"] == [
        waiting,
        (3, "time.waiting", 20261120, 1),
    ]
    assert await reminded(NOW + timedelta(hours=3)) == []
    saturday = NOW + timedelta(days=1)
    assert await reminded(saturday) == []
    assert MAX.credential_id in {one[0] for one in await reminded(MONDAY) if one[1] == "time.waiting"}


async def test_an_agent_is_reminded_once_a_week_of_time_that_is_missing() -> None:
    """An agent is reminded once a week of the working hours for which no time is logged."""
    await week_of_ines(days=4)
    assert [one for one in await reminded(MONDAY) if one[0] == INES.credential_id] == [
        (INES.credential_id, "time.missing", 20261116, 480)
    ]
    await reminded(MONDAY + timedelta(days=1, hours=1))
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice where credential_id = 1 and kind = 'time.missing'") == 1


async def test_a_whole_week_needs_no_reminder_unless_it_is_not_submitted() -> None:
    await week_of_ines()
    assert [one for one in await reminded(MONDAY) if one[0] == INES.credential_id] == []


async def test_the_reminder_of_time_that_is_not_submitted_has_no_minutes() -> None:
    await week_of_ines(state="draft")
    assert [one for one in await reminded(MONDAY) if one[0] == INES.credential_id] == [
        (INES.credential_id, "time.missing", 20261116, 0)
    ]


async def test_nobody_is_reminded_while_away_or_while_time_is_not_tracked() -> None:
    await week_of_ines(days=1)
    async with transaction(SYSTEM):
        facts = AbsenceFacts(first_day="2026-11-23", last_day="2026-11-24")
        await Absence.create(await Agent.find(INES.id), facts, own=False)
    assert [one for one in await reminded(MONDAY) if one[0] == INES.credential_id] == []
    async with transaction(SYSTEM):
        await TimeRules.change(RulesFacts(tracks_time="", lock_time_zone="UTC"))
    assert await reminded(MONDAY + timedelta(days=2)) == []
