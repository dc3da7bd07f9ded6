"""Test that contacts are reminded of cases that wait for the customer, and that unanswered cases are closed (S3.18)."""

import asyncio
import contextvars
from datetime import datetime, timedelta

import pytest

from portal import notices
from portal.database import current, transaction
from portal.desk import Case, Details, Status
from portal.desk.workflow import unanswered
from portal.desk.workflow.statuses import CaseStatus, StatusFacts
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from tests.world import ADA, INCIDENT, INES, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
DAY = timedelta(days=1)


async def rule(remind: str, close: str) -> None:
    async with transaction(NOOR):
        status = next(one for one in await CaseStatus.listed() if one.status is Status.WAITING_FOR_CUSTOMER)
        facts = StatusFacts(name=status.name, pauses="yes", remind_days=remind, close_days=close)
        await status.change(facts)


async def waiting(at: datetime = NOW) -> Case:
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Router", text="Dead.", case_type_id=INCIDENT, at=at)
    async with transaction(INES):
        await case.reply(by=INES, text="Is it on?", at=at, then=Status.WAITING_FOR_CUSTOMER)
    return case


async def run(at: datetime) -> tuple[int, int]:
    async with transaction(SYSTEM):
        done = await unanswered.remind(at), await unanswered.close(at)
        while await notices.pass_on(at):
            pass
        return done


async def reread(case: Case) -> Case:
    async with transaction(INES):
        return await Case.find(case.number, INES)


async def told(case: Case) -> list[str]:
    async with transaction(INES):
        sql = "select kind || coalesce(':' || (details ->> 'unanswered'), '') as kind from case_event where case_id = $1 order by id"
        return [row["kind"] for row in await current().fetch(sql, case.id)][2:]


async def test_a_case_is_reminded_of_and_closed_as_the_reminder_announced() -> None:
    """S3.18: the contact of a case that waits for an answer is reminded once; the case is closed on the announced day.

    If the reminder is sent late, the case is closed later by the same delay.
    """
    case = await waiting()
    assert await run(NOW + 99 * DAY) == (0, 0)  # Off until an admin sets a rule.
    await rule("7", "14")
    assert await run(NOW + 7 * DAY - timedelta(seconds=1)) == (0, 0)
    late = NOW + 30 * DAY
    assert await run(late) == (1, 0)
    assert await run(late) == (0, 0)
    assert (await reread(case)).closes_at == late + 7 * DAY
    async with transaction(SYSTEM):
        sent = await current().fetch("select credential_id, mail from notice where kind = 'case.reminded'")
    assert [(row["credential_id"], row["mail"]) for row in sent] == [(ADA.credential_id, "at_once")]
    async with transaction(ADA):
        assert (await Details.find(case.number, ADA)).case.closes_at == late + 7 * DAY
    assert await run(late + 7 * DAY - timedelta(seconds=1)) == (0, 0)
    assert await run(late + 7 * DAY) == (0, 1)
    assert await run(late + 7 * DAY) == (0, 0)
    closed = await reread(case)
    assert (closed.stands, closed.waits_since, closed.closes_at) == (Status.CLOSED, None, None)
    assert await told(case) == ["reminded", "status:true"]


async def test_an_answer_a_new_question_and_a_changed_rule_end_what_was_announced() -> None:
    """S3.18: an answered case is not closed. No case is closed once the rule sets no number of days until closing.

    Another reply of an agent restarts the time until the reminder.
    """
    await rule("1", "2")
    answered, asked, kept = await waiting(), await waiting(), await waiting()
    assert await run(NOW + DAY) == (3, 0)
    async with transaction(ADA):
        await answered.reply(by=ADA, text="Yes.", at=NOW + DAY)
    async with transaction(INES):
        await asked.reply(by=INES, text="Are you there?", at=NOW + DAY)
    await rule("1", "")
    assert await run(NOW + 2 * DAY) == (1, 0)
    assert [(await reread(case)).stands for case in (answered, asked, kept)] == [
        Status.OPEN, Status.WAITING_FOR_CUSTOMER, Status.WAITING_FOR_CUSTOMER,
    ]  # fmt: skip


@pytest.mark.parametrize(("remind", "close"), [("", "3"), ("3", "3"), ("4", "3"), ("0", ""), ("x", ""), ("1", "366")])
async def test_a_closing_without_a_reminder_before_it_is_refused(remind: str, close: str) -> None:
    with pytest.raises(Invalid):
        await rule(remind, close)


async def test_a_case_that_is_answered_while_it_is_to_be_closed_stays_open() -> None:
    """S3.18: the job that closes cases skips a case while Ada is replying to it, and the answered case stays open."""
    await rule("1", "2")
    case, at = await waiting(), NOW + 2 * DAY
    await run(NOW + DAY)
    is_held, may_end = asyncio.Event(), asyncio.Event()

    async def answer() -> None:
        async with transaction(ADA):
            await case.reply(by=ADA, text="Yes.", at=at)
            is_held.set()
            await may_end.wait()

    task = asyncio.get_running_loop().create_task(answer(), context=contextvars.Context())
    await is_held.wait()
    assert await run(at) == (0, 0)
    may_end.set()
    await task
    assert await run(at) == (0, 0)
    assert (await reread(case)).stands is Status.OPEN


async def test_an_answer_after_the_closing_opens_the_case_again() -> None:
    await rule("1", "2")
    case = await waiting()
    await run(NOW + DAY)
    assert await run(NOW + 2 * DAY) == (0, 1)
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="Yes.", at=NOW + 3 * DAY)
    assert (await reread(case)).stands is Status.OPEN
