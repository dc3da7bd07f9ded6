"""Test who is warned that a deadline is near or has passed, and that nobody is warned twice."""

from datetime import datetime, timedelta

import pytest

from portal import notices
from portal.database import transaction
from portal.desk import Case, Status
from portal.desk.deadlines import warning
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.desk.deadlines.promises import TARGETS, promise
from tests.notices.test_passing import EVERYBODY, opened
from tests.world import ADA, INES, MOVE, NOOR, NOW, SUPPORT

pytestmark = pytest.mark.usefixtures("dsn")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def warned(at: datetime) -> set[tuple[str, str]]:
    """Make the warnings of deadlines that are due at `at`; return who was warned, with the kind of each warning.

    Before that, all rows of the outbox are marked as passed on; afterwards, all notices are deleted.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update outbox set passed_on = true")
        await warning.warn(at)
        await notices.pass_on(at)
        rows = await tx.fetch("select credential_id, kind from notice")
        await tx.execute("delete from notice")
    return {(EVERYBODY[row["credential_id"]], row["kind"]) for row in rows}


async def case_of_ines() -> Case:
    """Open an urgent case, to be answered within 30 minutes and solved within two hours, and give it to Ines."""
    await promise()
    case = await opened(priority=4)
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
    return case


async def test_the_agent_is_warned_before_the_deadline_and_the_manager_when_it_has_passed() -> None:
    """S3.20, D49: Ines is warned halfway to the deadline; when it passes, she and Max, who manages Support, are warned.

    Each of them is warned once, however often the job runs.
    """
    await case_of_ines()
    assert await warned(NOW + 14 * MINUTE) == set()
    assert await warned(NOW + 15 * MINUTE) == {("Ines", "case.ending")}
    assert await warned(NOW + 16 * MINUTE) == set()
    assert await warned(NOW + 30 * MINUTE) == {("Ines", "case.overdue"), ("Max", "case.overdue")}
    assert await warned(NOW + 31 * MINUTE) == set()


async def test_nobody_is_warned_of_what_waits_or_is_done() -> None:
    """D49: deadlines that are met or paused cause no warning; when a pause ends, open deadlines cause warnings again."""
    case = await case_of_ines()
    async with transaction(INES):
        await case.reply(by=INES, text="Which one?", at=NOW, then=Status.WAITING_FOR_CUSTOMER)
    assert await warned(NOW + 3 * HOUR) == set()
    async with transaction(ADA):
        await case.reply(by=ADA, text="The left.", at=NOW + 4 * HOUR)
    assert await warned(NOW + 5 * HOUR) == {("Ines", "case.ending")}
    async with transaction(INES):
        await case.close(by=INES, at=NOW + 5 * HOUR)
    assert await warned(NOW + 72 * HOUR) == set()


async def test_people_are_warned_of_a_missed_deadline_only_that_it_has_passed() -> None:
    """D49: if no worker ran before the deadline, people are warned only that it has passed, not that it is near."""
    await case_of_ines()
    assert await warned(NOW + 35 * MINUTE) == {("Ines", "case.overdue"), ("Max", "case.overdue")}


@pytest.mark.parametrize(
    ("later", "is_told"),
    [(69 * MINUTE, True), (71 * MINUTE, False), (9 * HOUR, False), (70 * HOUR - MINUTE, False), (70 * HOUR, True)],
)
async def test_nobody_is_warned_outside_business_hours(later: timedelta, is_told: bool) -> None:
    """D49: a deadline found overdue in the lunch break, at night or on Sunday is reported at the next opening."""
    await case_of_ines()
    assert bool(await warned(NOW + later)) is is_told


async def test_designations_of_higher_departments_count_and_those_of_former_managers_do_not() -> None:
    """S3.20: if Support has no manager, the manager of the department above is warned.

    If the department above has none either, for example because the designated agent is no longer a manager, all
    managers are warned.
    """
    await promise()
    case = await opened(priority=4)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update cases set department_id = $1 where id = $2", SUPPORT, case.id)
        await tx.execute("update department set parent_id = $1 where id = $2", MOVE, SUPPORT)
        await tx.execute("update designation set department_id = $1", MOVE)
    assert await warned(NOW + 15 * MINUTE) == {("Max", "case.ending")}
    async with transaction(SYSTEM) as tx:
        await tx.execute("update designation set agent_id = $1", INES.id)
    assert await warned(NOW + 30 * MINUTE) == {("Max", "case.overdue"), ("Noor", "case.overdue")}


async def test_the_managers_of_the_department_are_warned_of_a_case_without_an_agent() -> None:
    """S3.20: Max, who manages Support, is warned of the deadlines of Support's unassigned cases.

    If an unassigned case has no department, all managers are warned.
    """
    await promise()
    case = await opened(priority=4)
    assert await warned(NOW + 15 * MINUTE) == {("Max", "case.ending"), ("Noor", "case.ending")}
    async with transaction(SYSTEM) as tx:
        await tx.execute("update cases set department_id = $1 where id = $2", SUPPORT, case.id)
    assert await warned(NOW + 30 * MINUTE) == {("Max", "case.overdue")}


async def test_a_moved_deadline_causes_another_warning_and_an_unchanged_one_does_not() -> None:
    """D49: a pause after the deadline has passed causes no second warning; a new priority, with new deadlines, does."""
    case = await case_of_ines()
    await warned(NOW + 30 * MINUTE)
    async with transaction(INES):
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=NOW + 31 * MINUTE)
        await case.change_status(Status.OPEN, by=INES, at=NOW + 32 * MINUTE)
    assert await warned(NOW + 40 * MINUTE) == set()
    async with transaction(INES):
        await case.change_facts(by=INES, at=NOW + 40 * MINUTE, priority=3)
    assert await warned(NOW + 41 * MINUTE) == {("Ines", "case.ending")}


@pytest.mark.usefixtures("clock")
async def test_a_warning_says_what_is_due_and_when_and_only_agents_read_it(app: Gate) -> None:
    """S3.20, R27: the warning and the agents' log of the case say what was due when; the customer's log does not."""
    await promise(type(TARGETS)(solve_urgent="30m"))
    case = await opened(priority=4)
    async with transaction(SYSTEM):
        await warning.warn(NOW + 30 * MINUTE)
        await notices.pass_on(NOW + 30 * MINUTE)
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        for page in ("/agent/notices", f"/agent/cases/{case.number}"):
            assert "The solution was due Fri 20 Nov, 11:30" in (await noor.get(page)).text
    async with transaction(ADA) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind like 'deadline.%'") == 0
