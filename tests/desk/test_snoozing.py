"""Test snoozing a case: it leaves the working views, and comes back by itself or when the customer replies (S3.18)."""

from datetime import timedelta

import pytest

from portal.database import current, transaction
from portal.desk import Case, Question, Status, agents_list
from portal.desk.verbs.snoozing import SnoozeFacts
from portal.desk.workflow import returning
from portal.errors import Conflict, Invalid
from portal.people.readers import SYSTEM
from tests.world import ADA, INCIDENT, INES, NOW

pytestmark = pytest.mark.usefixtures("dsn")
HOUR = timedelta(hours=1)
UNTIL = NOW + 24 * HOUR


async def snoozed() -> Case:
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Router", text="Dead.", case_type_id=INCIDENT, at=NOW)
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
        for _ in range(2):
            await case.snooze(UNTIL, by=INES, at=NOW + HOUR)
    return case


async def views() -> list[str]:
    async with transaction(INES):
        names = ("mine", "unassigned", "waiting", "snoozed", "all")
        return [name for name in names if (await agents_list(INES, Question.read([("view", name)]))).rows]


async def reread(case: Case) -> Case:
    async with transaction(INES):
        return await Case.find(case.number, INES)


async def told(case: Case) -> list[tuple[str, bool]]:
    async with transaction(SYSTEM):
        sql = "select kind, contact_may_know from case_event where case_id = $1 and kind in ('snoozed', 'woken') order by id"
        return [(row["kind"], row["contact_may_know"]) for row in await current().fetch(sql, case.id)]


async def test_a_snoozed_case_leaves_the_working_views_and_comes_back_on_top_by_itself() -> None:
    """S3.18: a snoozed case leaves the working views and is woken once, even if the worker is late.

    Contacts do not learn that the case is snoozed or woken.
    """
    case = await snoozed()
    before = (await reread(case)).updated_at
    assert before == NOW
    assert await views() == ["snoozed", "all"]
    for at, count in ((UNTIL - timedelta(seconds=1), 0), (UNTIL + 99 * HOUR, 1), (UNTIL + 100 * HOUR, 0)):
        async with transaction(SYSTEM):
            assert await returning.wake(at) == count
    assert await views() == ["mine", "all"]
    assert (await reread(case)).updated_at == UNTIL + 99 * HOUR
    assert await told(case) == [("snoozed", False), ("woken", False)]


async def test_a_reply_of_the_customer_brings_the_case_back_at_once() -> None:
    """S3.18: the customer's reply wakes a snoozed case at once; a note or a reply of an agent does not."""
    case = await snoozed()
    async with transaction(INES):
        await case.note(by=INES, text="Later.", at=NOW + 2 * HOUR)
        await case.reply(by=INES, text="Tomorrow.", at=NOW + 2 * HOUR)
    assert (await reread(case)).snoozed_until == UNTIL
    async with transaction(ADA):
        await case.reply(by=ADA, text="It smokes now!", at=NOW + 3 * HOUR)
    assert (await reread(case)).snoozed_until is None
    assert await told(case) == [("snoozed", False), ("woken", False)]


async def test_a_case_to_which_the_customer_replied_meanwhile_is_not_snoozed() -> None:
    """S3.18: if the customer replied after the agent had loaded the page, snoozing is refused with a conflict."""
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Router", text="Dead.", case_type_id=INCIDENT, at=NOW)
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="It smokes now!", at=NOW + HOUR)
    with pytest.raises(Conflict, match="written meanwhile"):
        async with transaction(INES):
            await case.snooze(UNTIL, by=INES, at=NOW + 2 * HOUR, seen=NOW)
    assert (await reread(case)).snoozed_until is None


async def test_a_case_that_is_done_is_not_snoozed_and_the_snooze_can_be_ended() -> None:
    case = await snoozed()
    async with transaction(INES):
        for _ in range(2):
            await case.wake(by=INES, at=NOW + 2 * HOUR)
        await case.snooze(UNTIL, by=INES, at=NOW + 2 * HOUR)
        await case.change_status(Status.CLOSED, by=INES, at=NOW + 3 * HOUR)
    assert (await reread(case)).snoozed_until is None
    with pytest.raises(Conflict):
        async with transaction(INES):
            await case.snooze(UNTIL, by=INES, at=NOW + 4 * HOUR)
    assert [kind for kind, _ in await told(case)] == ["snoozed", "woken", "snoozed"]


async def test_a_snooze_ends_in_the_future_where_the_agent_is() -> None:
    assert SnoozeFacts(day="2026-11-23", time="09:00").until(INES, NOW).astimezone(NOW.tzinfo).hour == 8
    for day, time in (("2026-11-20", "10:59"), ("2027-12-24", "09:00"), ("x", "09:00"), ("2026-11-23", "")):
        with pytest.raises(Invalid):
            SnoozeFacts(day=day, time=time).until(INES, NOW)
