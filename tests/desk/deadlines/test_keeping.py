"""Test which deadlines a case has after each action on it, and after changes of targets and business hours."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from portal.database import transaction
from portal.desk import Case, Priority, Status
from portal.desk.deadlines import recounting
from portal.desk.verbs.splitting import split
from portal.errors import Invalid, Unavailable
from portal.people.readers import SYSTEM
from portal.timekeeping.moving.merging import merge
from tests.desk.deadlines.promises import HOURS, TARGETS, deadlines, promise
from tests.desk.test_cases import opened, reread
from tests.faulty import refusing
from tests.world import ADA, HELPDESK, INES, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """Return the instant of a text such as `20 11:30`: the day of November 2026 and the time in Berlin.

    NOW is `20 11:00`, a Friday.
    """
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=BERLIN)


async def dues(case: Case) -> list[str | None]:
    """Return when the reply, the solution and the first running deadline are due, in the form that `at` reads."""
    stored, case = await deadlines(case), await reread(case)
    found = [stored[duty]["due_at"] if duty in stored else None for duty in ("reply", "solve")]
    return [f"{one.astimezone(BERLIN):%-d %H:%M}" if one else None for one in (*found, case.due_at)]


async def test_a_case_has_the_deadlines_of_its_priority() -> None:
    """S3.20, D49: reply and solution are due after the promised business hours; lunch and the weekend do not count.

    If an agent opens the case, the agent's first message counts as the reply.
    """
    await promise()
    assert await dues(await opened(priority=Priority.HIGH)) == ["20 12:00", "20 16:00", "20 12:00"]
    assert await dues(await opened(priority=Priority.NORMAL)) == ["20 16:00", "24 14:00", "20 16:00"]
    assert await dues(await opened(priority=Priority.LOW)) == [None, None, None]
    assert await dues(await opened(by=INES, contact_id=ADA.id)) == [None, "20 16:00", "20 16:00"]


async def test_a_case_that_is_opened_outside_business_hours_is_due_from_the_next_opening_on() -> None:
    """D49: the clock of a case that is opened on Saturday night counts from Monday morning on."""
    await promise()
    assert await dues(await opened(at=at("21 23:00"))) == ["23 10:00", "23 14:00", "23 10:00"]


async def test_without_targets_no_case_has_a_deadline() -> None:
    """S3.20: if an admin has set no targets, a new case has no deadlines."""
    assert await dues(await opened()) == [None, None, None]


async def test_a_service_has_its_own_targets() -> None:
    """S3.20: if a service has a target of its own, none of the usual targets applies to the cases of the service.

    Here the service has no target for replies, so its cases have no deadline for the reply. When the case is taken out
    of the service, the usual targets apply to the case.
    """
    await promise()
    await promise(type(TARGETS)(solve_high="1h"), service_id=HELPDESK)
    case = await opened()
    assert case.service_id == HELPDESK
    assert await dues(case) == [None, "20 12:00", "20 12:00"]
    async with transaction(INES):
        await case.change_facts(by=INES, at=NOW + HOUR, service_id=None)
    assert await dues(case) == ["20 12:00", "20 16:00", "20 12:00"]


async def test_a_change_of_priority_counts_from_the_opening() -> None:
    """D49: after a change of priority, the deadlines are as if the case had been opened with the new priority."""
    await promise()
    case = await opened(priority=Priority.NORMAL)
    async with transaction(INES):
        await case.change_facts(by=INES, at=at("20 11:45"), priority=Priority.URGENT)
    assert await dues(case) == ["20 11:30", "20 14:00", "20 11:30"]


async def test_only_a_reply_of_an_agent_that_the_customer_reads_is_a_response() -> None:
    """D49: neither a note nor the customer's own message meets the deadline of the reply."""
    await promise()
    case = await opened()
    async with transaction(INES):
        await case.note(by=INES, text="Looks odd.", at=at("20 11:10"))
    async with transaction(ADA):
        await case.reply(by=ADA, text="Anybody there?", at=at("20 11:20"))
    assert (await deadlines(case))["reply"]["met_at"] is None
    async with transaction(INES):
        await case.reply(by=INES, text="Yes.", at=at("20 11:30"))
    assert (await deadlines(case))["reply"]["met_at"] == at("20 11:30")
    assert await dues(case) == ["20 12:00", "20 16:00", "20 16:00"]


async def test_what_was_kept_stays_kept() -> None:
    """D49: neither a pause nor a change of priority after the reply moves the deadline of the reply."""
    await promise()
    case = await opened(priority=Priority.NORMAL)
    async with transaction(INES):
        await case.reply(by=INES, text="Yes.", at=at("20 15:00"), then=Status.WAITING_FOR_CUSTOMER)
        await case.change_facts(by=INES, at=at("20 15:30"), priority=Priority.URGENT)
    stored = (await deadlines(case))["reply"]
    assert (stored["due_at"], stored["met_at"], stored["minutes"]) == (at("20 16:00"), at("20 15:00"), 240)


async def test_a_reply_before_anything_was_promised_is_neither_kept_nor_late() -> None:
    """D49: targets do not apply to a reply that was sent before they were set; the solution has a deadline."""
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="Yes.", at=at("20 16:30"))
    await promise()
    async with transaction(INES):
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=at("20 16:40"))
        await case.change_status(Status.OPEN, by=INES, at=at("20 16:40"))
    assert await dues(case) == [None, "20 16:00", "20 16:00"]


async def test_a_case_that_waits_has_no_deadline_and_goes_on_with_what_was_left() -> None:
    """D49: while a case waits, no deadline runs. Each pause is stored with its cause and moves the deadline of the solution."""
    await promise()
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="Which one?", at=at("20 11:30"), then=Status.WAITING_FOR_CUSTOMER)
    assert await dues(case) == ["20 12:00", None, None]
    async with transaction(INES):
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=at("20 12:00"))
    async with transaction(ADA):
        await case.reply(by=ADA, text="The left one.", at=at("20 14:00"))
    assert await dues(case) == ["20 12:00", None, None]
    async with transaction(INES):
        await case.change_status(Status.OPEN, by=INES, at=at("23 09:00"))
    # 0:30 h passed before the pauses, which took until Monday: 3:30 h are left.
    assert await dues(case) == ["20 12:00", "23 13:30", "23 13:30"]
    async with transaction(INES) as tx:
        rows = await tx.fetch("select cause, began_at, ended_at from pause where case_id = $1 order by id", case.id)
    assert [tuple(row) for row in rows] == [
        ("customer", at("20 11:30"), at("20 12:00")),
        ("others", at("20 12:00"), at("23 09:00")),
    ]


async def test_a_case_that_waits_from_the_beginning_has_no_running_deadline() -> None:
    """D49: a case that an agent opens and sets to waiting for the customer has no deadline until the customer replies."""
    await promise()
    case = await opened(by=INES, contact_id=ADA.id)
    async with transaction(INES):
        await case.change_status(Status.WAITING_FOR_CUSTOMER, by=INES, at=NOW)
    assert await dues(case) == [None, None, None]
    async with transaction(ADA):
        await case.reply(by=ADA, text="Here.", at=at("23 09:00"))
    assert await dues(case) == [None, "23 14:00", "23 14:00"]


async def test_a_solved_case_has_kept_its_deadline_until_it_is_opened_again() -> None:
    """D49: a resolved case has met the deadline of its solution.

    After the case is opened again, the time in which it was resolved or closed does not count.
    """
    await promise()
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="Done.", at=at("20 11:30"), then=Status.RESOLVED)
    stored = (await deadlines(case))["solve"]
    assert (stored["due_at"], stored["met_at"]) == (at("20 16:00"), at("20 11:30"))
    assert (await reread(case)).due_at is None
    async with transaction(INES):
        await case.close(by=INES, at=at("20 12:00"))
    async with transaction(ADA):
        await case.reply(by=ADA, text="No.", at=at("25 09:00"))
    assert await dues(case) == ["20 12:00", "25 13:30", "25 13:30"]


async def test_a_passed_deadline_is_not_moved_by_a_pause_after_it() -> None:
    """D49: a pause moves only the deadlines that have not passed when it begins."""
    await promise()
    case = await opened()
    async with transaction(INES):
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=at("20 13:00"))
        await case.change_status(Status.OPEN, by=INES, at=at("20 14:00"))
    assert await dues(case) == ["20 12:00", "20 17:00", "20 12:00"]


async def test_merged_cases_go_on_with_the_clock_that_began_first() -> None:
    """D49, D53: after a merge, the remaining case has the deadlines of the case opened first; the other has none."""
    await promise()
    first, second = await opened(at=at("20 10:00")), await opened(at=at("20 11:00"))
    async with transaction(INES):
        await second.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=at("20 11:10"))
        await merge([first.number], second.number, by=INES, at=at("20 11:30"))
    assert await dues(second) == ["20 11:00", "20 15:00", "20 11:00"]
    assert await deadlines(first) == {}
    async with transaction(NOOR) as tx:
        assert await tx.fetchval("select count(*) from pause where ended_at is null") == 0
        assert await tx.fetchval("select count(*) from cases where due_at is not null") == 1


async def test_a_merge_with_a_closed_case_takes_no_clock_from_it() -> None:
    """D49: merging an earlier case that is closed already does not change the deadlines of the case that remains."""
    await promise()
    done, case = await opened(at=at("18 10:00")), await opened()
    async with transaction(INES):
        await done.close(by=INES, at=at("18 10:10"))
        await merge([done.number], case.number, by=INES, at=at("20 11:30"))
    assert await dues(case) == ["20 12:00", "20 16:00", "20 12:00"]


async def test_a_case_that_is_split_off_is_due_from_when_the_contact_wrote_it() -> None:
    """D49: the deadlines of a case that is split off run from the contact's message on; pauses of the old case move them."""
    await promise()
    case = await opened(at=at("20 09:00"))
    async with transaction(ADA):
        await case.reply(by=ADA, text="And the printer.", at=at("20 10:00"))
    async with transaction(INES) as tx:
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=at("20 10:30"))
        await case.change_status(Status.OPEN, by=INES, at=at("20 11:30"))
        written = await tx.fetchval("select max(id) from message where case_id = $1", case.id)
        made = await split(case, [written], "Printer", by=INES, at=at("20 14:00"))
    assert await dues(made) == ["20 12:00", "20 16:00", "20 12:00"]


async def test_a_repeated_change_writes_nothing() -> None:
    """D49: assigning a case moves no deadline, and so writes no row of a deadline."""
    await promise()
    case = await opened()
    async with transaction(INES) as tx:
        before = await tx.fetch("select xmin, * from deadline")
        await case.assign(INES.id, by=INES, at=NOW + HOUR)
        assert await tx.fetch("select xmin, * from deadline") == before


async def recounted() -> recounting.Recount | None:
    """Run all batches of the newest recount, the job that computes deadlines again, and return its progress."""
    async with transaction(SYSTEM):
        latest: Any = await recounting.latest()
        while await recounting.recount(latest.version, NOW):
            pass
        return await recounting.latest()


async def test_a_change_of_the_business_hours_computes_open_cases_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3.20, D49: after a change of the business hours, a job computes the deadlines of open cases again.

    Deadlines that were met stay, and so do the deadlines of closed cases.
    """
    monkeypatch.setattr(recounting, "BATCH", 2)
    await promise()
    cases = [await opened() for _ in range(3)]
    replied, closed = await opened(), await opened()
    async with transaction(INES):
        await replied.reply(by=INES, text="Yes.", at=at("20 11:30"))
        await closed.close(by=INES, at=at("20 11:30"))
    await promise(hours=type(HOURS)(hours_friday="9-11:30", hours_monday="9-17", time_zone="Europe/Berlin"))
    found = await recounted()
    assert found
    assert (found.total, found.done, found.ended_at) == (4, 4, NOW)
    for case in cases:
        assert await dues(case) == ["23 09:30", "23 12:30", "23 09:30"]
    assert await dues(replied) == ["20 12:00", "23 12:30", "23 12:30"]
    assert (await deadlines(closed))["solve"]["due_at"] == at("20 16:00")


async def test_a_case_that_breaks_keeps_its_deadlines_and_stops_no_other(dsn: str) -> None:
    """S3.20: if the deadlines of one case cannot be stored, the job stores the deadlines of all others and ends."""
    await promise()
    cases = [await opened() for _ in range(4)]
    before = await dues(cases[1])
    await promise(hours=type(HOURS)(hours_friday="9-11:30", hours_monday="9-17", time_zone="Europe/Berlin"))
    async with refusing(dsn, "deadline", f"new.case_id = {cases[1].id}"):
        found = await recounted()
    assert found
    assert (found.done, found.ended_at) == (4, NOW)
    assert await dues(cases[1]) == before
    for case in (cases[0], *cases[2:]):
        assert await dues(case) == ["23 09:30", "23 12:30", "23 09:30"]


async def test_a_recount_waits_for_a_lock_and_leaves_no_case_out(dsn: str) -> None:
    """If a lock is not free in time, the whole batch is rolled back, and the job computes its cases in the next run."""
    await promise()
    cases = [await opened() for _ in range(2)]
    await promise(hours=type(HOURS)(hours_friday="9-11:30", hours_monday="9-17", time_zone="Europe/Berlin"))
    async with refusing(dsn, "deadline", f"new.case_id = {cases[1].id}", code="55P03"):
        with pytest.raises(Unavailable):
            await recounted()
    assert await dues(cases[0]) != ["23 09:30", "23 12:30", "23 09:30"]
    await recounted()
    for case in cases:
        assert await dues(case) == ["23 09:30", "23 12:30", "23 09:30"]


async def test_a_recount_stops_if_the_targets_have_changed_again() -> None:
    """S3.20: after two changes of the deadline targets, only the job of the later change computes deadlines again.

    Running that job a second time changes nothing.
    """
    await promise()
    case = await opened()
    await promise(type(TARGETS)(solve_high="1h"))
    async with transaction(SYSTEM):
        assert not await recounting.recount(1, NOW)
    assert await dues(case) == ["20 12:00", "20 16:00", "20 12:00"]
    await recounted()
    assert await dues(case) == [None, "20 12:00", "20 12:00"]
    assert await recounted() == await recounted()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reply_high": "soon"}, "reply_high"),
        ({"reply_high": "4h", "solve_high": "2h"}, "solve_high"),
        ({"reply_low": "1001h"}, "reply_low"),
        ({"reply_low": "1h", "goal_low": "101"}, "goal_low"),
        ({"goal_low": "90"}, "goal_low"),
    ],
)
async def test_a_wrong_target_is_refused_at_its_field(fields: dict[str, str], field: str) -> None:
    """S3.20, S3.35: a target that is unreadable or not allowed gets an error message at its field, and nothing is stored."""
    with pytest.raises(Invalid) as refusal:
        await promise(type(TARGETS)(**fields))
    assert refusal.value.fields.keys() == {field}
    async with transaction(NOOR) as tx:
        assert await tx.fetchval("select count(*) from deadline_target") == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"hours_monday": "nine to five"}, "hours_monday"),
        ({"hours_monday": "9-12, 11-15"}, "hours_monday"),
        ({"hours_monday": "17-9"}, "hours_monday"),
        ({"hours_monday": "9-25"}, "hours_monday"),
        ({"hours_monday": ""}, "hours_monday"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"country": "ZZ"}, "country"),
        ({"region": "HH"}, "region"),
        ({"country": "DE", "region": "XY"}, "region"),
    ],
)
async def test_wrong_business_hours_are_refused_at_their_field(fields: dict[str, str], field: str) -> None:
    """D49: business hours that are invalid get an error message at their field."""
    with pytest.raises(Invalid) as refusal:
        await promise(hours=type(HOURS)(**({"hours_monday": "9-17", "time_zone": "Europe/Berlin"} | fields)))
    assert refusal.value.fields.keys() == {field}
