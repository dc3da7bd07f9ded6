"""Test timers: they run in the database, one at a time, and become time entries (S1.3, D54)."""

import asyncio
import contextvars
import uuid
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from portal.database import transaction
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import SYSTEM
from portal.timekeeping import logged_on
from portal.timekeeping.clock.lines import TimerLine, discarded_of, find_line, timers_of
from portal.timekeeping.clock.timers import KEPT, Timer, forget, pause_all
from tests.world import INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
BERLIN = ZoneInfo("Europe/Berlin")
FORM = uuid.UUID(int=7)


def later(**length: float) -> datetime:
    return NOW + timedelta(**length)


async def shown(by: Any = INES) -> list[TimerLine]:
    async with transaction(by, readonly=True):
        return await timers_of(by)


async def test_a_timer_counts_while_it_runs_and_its_pauses_do_not(case: Any) -> None:
    """S1.3, D54: a timer adds up the time without pauses; pausing or resuming it twice changes nothing."""
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW)
        await timer.pause(INES, at=later(minutes=10))
        await timer.pause(INES, at=later(minutes=15))
        await timer.resume(INES, at=later(minutes=30))
        await timer.resume(INES, at=later(minutes=31))
    (line,) = await shown()
    assert [line.shown(later(minutes=minutes)) for minutes in (30, 34)] == ["0:10:00", "0:14:00"]
    assert line.minutes(later(minutes=34, seconds=29)) == 14
    assert line.minutes(later(minutes=34, seconds=30)) == 15


async def test_starting_or_resuming_another_timer_pauses_the_one_that_runs(case: Any) -> None:
    """D54: starting or resuming a timer pauses the agent's other timer; a colleague's timer is not affected."""
    async with transaction(INES):
        first = await Timer.start(INES, at=NOW)
        await Timer.start(INES, at=later(minutes=5), on=await logged_on.named(f"case-{case.number}"))
        await first.resume(INES, at=later(minutes=8))
    async with transaction(MAX):
        await Timer.start(MAX, at=NOW)
    running, paused = await shown()
    assert (running.id, running.since, running.counted) == (first.id, later(minutes=8), timedelta(minutes=5))
    assert (paused.on, paused.since, paused.counted) == (f"case-{case.number}", None, timedelta(minutes=3))
    assert len(await shown(MAX)) == 1


async def test_a_case_has_one_timer_of_an_agent(case: Any) -> None:
    """If an agent who has a paused timer on a case starts a timer there, the paused one is resumed."""
    async with transaction(INES):
        on = await logged_on.named(f"case-{case.number}")
        timer = await Timer.start(INES, at=NOW, on=on)
        await timer.pause(INES, at=later(minutes=3))
        again = await Timer.start(INES, at=later(minutes=9), on=on)
    assert again.id == timer.id
    assert [line.shown(later(minutes=10)) for line in await shown()] == ["0:04:00"]


async def test_a_form_that_is_sent_twice_starts_one_timer() -> None:
    for minutes in (0, 2):
        async with transaction(INES):
            await Timer.start(INES, at=later(minutes=minutes), note="On the phone", form_key=FORM)
    (line,) = await shown()
    assert (line.since, line.note) == (NOW, "On the phone")


async def test_two_tabs_at_once_start_one_timer() -> None:
    """If two tabs send the same form at once, one timer starts.

    Another form, which is sent at the same time, starts a second timer and pauses the first.
    """

    async def start(key: uuid.UUID) -> None:
        async with transaction(INES):
            await Timer.start(INES, at=later(minutes=1), form_key=key)

    async with transaction(INES):
        await Timer.start(INES, at=NOW, form_key=FORM)
        others = [asyncio.create_task(start(key), context=contextvars.Context()) for key in (FORM, uuid.UUID(int=8))]
        await asyncio.sleep(0.05)
    await asyncio.gather(*others)
    assert [(line.since is None, line.counted) for line in await shown()] == [
        (False, timedelta(0)),
        (True, timedelta(minutes=1)),
    ]


async def test_a_timer_is_attached_later(case: Any) -> None:
    """S1.3: a timer can be started without a case and attached to one later."""
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW, note="Somebody on the phone")
        await timer.change(await logged_on.named(f"case-{case.number}"), "VPN again", INES, at=later(minutes=1))
        line = await find_line(timer.id, INES)
        assert (line.on, line.customer, line.note) == (f"case-{case.number}", "Acme", "VPN again")
        with pytest.raises(Invalid):
            await timer.change(None, "x" * 201, INES, at=NOW)


async def test_nobody_else_finds_a_timer() -> None:
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW)
    async with transaction(MAX):
        for find in (Timer.find, find_line):
            with pytest.raises(NotFound):
                await find(timer.id, MAX)


async def test_a_discarded_timer_can_be_brought_back() -> None:
    """A discarded timer can be restored; until then it cannot be resumed or changed. Discarding it twice is harmless."""
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW)
        for minutes in (10, 20):
            await timer.discard(INES, at=later(minutes=minutes))
        with pytest.raises(Conflict):
            await timer.resume(INES, at=later(minutes=20))
        with pytest.raises(Conflict):
            await timer.change(None, "", INES, at=later(minutes=20))
        assert [line.id for line in await discarded_of(INES, later(hours=1))] == [timer.id]
        assert await discarded_of(INES, later(hours=25)) == []
        assert await timers_of(INES) == []
        await timer.restore(INES, at=later(minutes=30))
        await timer.restore(INES, at=later(minutes=31))
    (line,) = await shown()
    assert (line.since, line.counted) == (None, timedelta(minutes=10))


async def test_of_a_forgotten_timer_the_first_minutes_are_kept() -> None:
    """D54: when Ines keeps 30 minutes of a forgotten timer, only the time since it was last resumed is shortened.

    A length that is not positive, or not shorter than that time, is refused. A second attempt is refused too, because
    the timer no longer runs.
    """
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW)
        await timer.pause(INES, at=later(minutes=10))
        await timer.resume(INES, at=later(hours=1))
        for minutes in (0, -5, 14 * 60):
            with pytest.raises(Invalid):
                await timer.keep(minutes, INES, at=later(hours=14))
        await timer.keep(30, INES, at=later(hours=14))
        with pytest.raises(Conflict):
            await timer.keep(30, INES, at=later(hours=14))
    (line,) = await shown()
    assert (line.since, line.counted) == (None, timedelta(minutes=40))


async def test_a_timer_that_still_runs_is_not_asked_about_again() -> None:
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW)
        (line,) = await timers_of(INES)
        assert line.is_forgotten(later(hours=11), BERLIN)
        await timer.confirm(INES, at=later(hours=11))
    (line,) = await shown()
    assert (line.is_forgotten(later(hours=11), BERLIN), line.elapsed(later(hours=11))) == (False, timedelta(hours=11))


async def test_a_timer_is_logged_once() -> None:
    """A timer becomes one entry: finishing it again with the same entry changes nothing, with another entry is refused.

    If the entry is deleted, the timer can be restored.
    """
    async with transaction(INES) as tx:
        timer = await Timer.start(INES, at=NOW)
        entries = [
            await tx.fetchval(
                "insert into time_entry (agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes, external_comment,"
                " description, state, created_at, window_from) values (1, 1, $2, 5, 'not_billable', 0, '', 'x', 'draft', $1, $1) returning id",
                NOW, NOW.date(),
            )
            for _ in range(2)
        ]  # fmt: skip
        for _ in range(2):
            await timer.finish(entries[0], INES, at=later(minutes=5))
        with pytest.raises(Invalid, match="logged already"):
            await timer.finish(entries[1], INES, at=later(minutes=6))
        await tx.execute("delete from time_entry where id = $1", entries[0])
        assert [line.id for line in await discarded_of(INES, later(hours=1))] == [timer.id], "its minutes are not lost"


async def test_the_timer_of_an_agent_who_leaves_stops() -> None:
    async with transaction(INES):
        await Timer.start(INES, at=NOW)
        await pause_all(INES.id, later(minutes=20))
    (line,) = await shown()
    assert (line.since, line.counted) == (None, timedelta(minutes=20))


async def test_old_timers_are_deleted_once_they_have_ended() -> None:
    async with transaction(INES):
        ended, kept = await Timer.start(INES, at=NOW), await Timer.start(INES, at=NOW)
        await ended.discard(INES, at=NOW)
    async with transaction(SYSTEM) as tx:
        await forget(NOW + KEPT)
        assert await tx.fetchval("select count(*) from timer") == 2
        await forget(NOW + KEPT + timedelta(seconds=1))
        assert [row["id"] for row in await tx.fetch("select id from timer")] == [kept.id]


async def test_only_the_agent_of_a_timer_gets_the_event_of_its_change() -> None:
    async with transaction(INES) as tx:
        await Timer.start(INES, at=NOW)
        row = await tx.fetchrow("select * from outbox where kind = 'timer.changed'")
    assert (row["subject_id"], row["contact_may_know"], row["customer_id"]) == (INES.id, False, None)
