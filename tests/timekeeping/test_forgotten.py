"""Test forgotten time: work that the log of a case shows on a day without logged time on that case."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case, Status
from portal.people.readers import SYSTEM
from portal.timekeeping import logged_on
from portal.timekeeping.clock.forgotten import (
    DAYS,
    Pick,
    dismiss,
    dismissed_by,
    forgotten_by,
    log_forgotten,
    suggest_again,
)
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from tests.world import ADA, HELPDESK, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
DAY = date(2026, 11, 12)


def at(hour: int, minute: int = 0, day: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.fixture
async def worked(dsn: str) -> Case:
    """Create a case to which Ines replied four times on `DAY`, in three separate quarter hours, before closing it."""
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN drops", text="Since Tuesday.", case_type_id=INCIDENT, at=at(7))
    async with transaction(INES):
        for hour, minute in ((8, 0), (8, 5), (9, 20), (9, 50)):
            await case.reply(by=INES, text="We look into it.", at=at(hour, minute))
        await case.change_status(Status.CLOSED, by=INES, at=at(9, 51))
    return case


async def found(by: Any = INES, now: datetime = NOW) -> list[Any]:
    async with transaction(by, readonly=True):
        return await forgotten_by(by, now)


async def test_the_case_log_tells_what_was_done_without_time(worked: Case) -> None:
    """The portal suggests 15 minutes for each quarter hour in which Ines replied or closed the case: here 45 minutes.

    Max has done nothing on the case, so nothing is suggested to him.
    """
    (one,) = await found()
    assert one.sentence == f"You replied four times and closed #{worked.number}"
    assert (one.day, one.minutes, one.customer) == (DAY, 45, "Acme")
    assert await found(MAX) == []


async def test_notes_and_other_changes_suggest_no_time_and_neither_does_today() -> None:
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN drops", text="Since Tuesday.", case_type_id=INCIDENT, at=at(7))
    async with transaction(INES):
        await case.note(by=INES, text="Their firewall.", at=at(8))
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=at(9))
        await case.reply(by=INES, text="Now.", at=NOW)
    assert await found() == []
    (tomorrow,) = await found(now=NOW + timedelta(days=1))
    assert (tomorrow.sentence, tomorrow.minutes) == (f"You replied once on #{case.number}", 15)
    assert await found(now=NOW + timedelta(days=DAYS + 1)) == []


async def test_a_day_is_a_day_in_the_agents_time_zone() -> None:
    """Work belongs to the day in the agent's time zone: 23:30 UTC is after midnight in Berlin."""
    async with transaction(INES):
        case = await Case.open(
            by=INES, subject="VPN drops", text="Called.", case_type_id=INCIDENT, at=at(7), contact_id=ADA.id
        )
        await case.change_status(Status.RESOLVED, by=INES, at=at(23, 30))
    assert [(one.day, one.ended) for one in await found()] == [(date(2026, 11, 13), "resolved"), (DAY, None)]


@pytest.mark.parametrize("of", ["an entry", "a timer"])
async def test_what_is_logged_or_timed_is_not_forgotten(worked: Case, of: str) -> None:
    """If Ines has logged time on the case for that day or has a timer on the case, nothing is suggested to her.

    If only Max has logged time on the case for that day, Ines still gets the suggestion.
    """
    work = Work(minutes=5, work_date=DAY, service_id=HELPDESK)
    async with transaction(MAX):
        await TimeEntry.log(MAX, work, at=NOW, case=worked)
    assert len(await found()) == 1
    async with transaction(INES):
        if of == "an entry":
            await TimeEntry.log(INES, work, at=NOW, case=worked)
        else:
            await Timer.start(INES, at=NOW, on=await logged_on.named(f"case-{worked.number}"))
    assert await found() == []


async def test_a_suggestion_is_logged_once(worked: Case) -> None:
    """A suggestion that Ines logs becomes one entry of that day under the case's service.

    Logging the same suggestion again is refused.
    """
    pick = Pick(worked.number, DAY)
    async with transaction(INES):
        first = await log_forgotten(INES, [pick, pick], at=NOW)
    async with transaction(INES):
        second = await log_forgotten(INES, [pick], at=NOW)
    assert (len(first.done), len(second.done), len(second.refused)) == (1, 0, 1)
    async with transaction(SYSTEM) as tx:
        (entry,) = await tx.fetch("select * from time_entry")
    assert (entry["work_date"], entry["actual_minutes"], entry["service_id"], entry["state"]) == (DAY, 45, 1, "draft")
    assert entry["description"] == "Replied four times and closed"


async def test_what_cannot_be_logged_is_reported_and_the_rest_goes_through(worked: Case) -> None:
    async with transaction(SYSTEM) as tx:
        await tx.execute("update cases set service_id = null")
    async with transaction(ADA):
        other = await Case.open(by=ADA, subject="Printer", text="Jams.", case_type_id=INCIDENT, at=at(7))
    async with transaction(INES):
        await other.reply(by=INES, text="On our way.", at=at(8))
        outcome = await log_forgotten(INES, [one.pick for one in await forgotten_by(INES, NOW)], at=NOW)
    assert list(outcome.done) == [Pick(other.number, DAY)]
    assert "Billable time needs a service" in str(outcome.refused[Pick(worked.number, DAY)].fields)  # type: ignore[attr-defined]


async def test_a_dismissed_suggestion_stays_away_until_it_is_taken_back(worked: Case) -> None:
    """A suggestion that Ines has dismissed is not shown until she undoes the dismissal, which is listed for 24 hours.

    Repeating the dismissal or its undo changes nothing.
    """
    pick = Pick(worked.number, DAY)
    async with transaction(INES):
        assert [await dismiss(INES, [pick], at=NOW) for _ in range(2)] == [1, 0]
        assert [one.pick for one in await dismissed_by(INES, NOW)] == [pick]
        assert await dismissed_by(INES, NOW + timedelta(hours=25)) == []
    assert await found() == []
    async with transaction(INES):
        for _ in range(2):
            await suggest_again(INES, pick)
    assert [one.pick for one in await found()] == [pick]


@pytest.mark.parametrize(
    "text",
    ["", "1042", "1042.2026-13-01", "x.2026-11-12", "1042.2026-11-12 ", "\u0663.2026-11-12", "1" * 16 + ".2026-11-12"],
)
async def test_a_text_that_names_no_case_and_day_is_no_pick(text: str) -> None:
    assert Pick.read(text) is None
    assert Pick.read("1042.2026-11-12") == Pick(1042, DAY)
