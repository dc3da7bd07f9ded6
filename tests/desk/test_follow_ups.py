"""Test a customer's reply to a closed case: it reopens the case or creates a follow-up case (S3.18)."""

import uuid
from datetime import timedelta

import pytest

from portal.database import current, transaction
from portal.desk import Case, Details, Status
from portal.desk.workflow.follow_ups import FollowUpFacts, FollowUpRule
from portal.errors import Conflict, Invalid
from tests.world import ADA, ALAN, INCIDENT, INES, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
DAY = timedelta(days=1)


async def limit(days: str) -> None:
    async with transaction(NOOR):
        await FollowUpRule.change(FollowUpFacts(reopen_days=days))


async def closed() -> Case:
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Router", text="Dead.", case_type_id=INCIDENT, priority=3, at=NOW)
    async with transaction(INES):
        await case.reply(by=INES, text="It is on.", at=NOW, then=Status.RESOLVED)
        await case.close(by=INES, at=NOW)
    return case


async def answer(case: Case, at: object, key: uuid.UUID | None = None) -> Case:
    async with transaction(ADA):
        found = await Case.find(case.number, ADA)
        return await found.answer(by=ADA, text="Dead again.", at=at, form_key=key)  # type: ignore[arg-type]


async def test_a_reply_within_the_days_opens_the_case_and_a_later_one_begins_a_case_that_follows_it() -> None:
    """S3.18: a customer's reply within the 14-day limit reopens the closed case; a later reply creates a new case.

    The logs of both cases record that the new case follows the old one, and the old case stays closed. Sending the same
    form again creates no third case. After the 14 days, an agent can reopen the old case, but the customer cannot.
    """
    case = await closed()
    assert (await answer(case, NOW + 999 * DAY)).number == case.number  # Without a limit, every reply reopens the case.
    await limit("14")
    case = await closed()
    assert (await answer(case, NOW + 14 * DAY)).number == case.number
    case, late, key = await closed(), NOW + 14 * DAY + timedelta(seconds=1), uuid.uuid4()
    made = await answer(case, late, key)
    assert (await answer(case, late + DAY, key)).number == made.number
    assert (made.follows_id, made.stands, made.priority, made.contact_id) == (case.id, Status.NEW, 3, ADA.id)
    async with transaction(INES):
        assert (await Details.find(made.number, INES)).follows == case.number
        assert (await Case.find(case.number, INES)).stands is Status.CLOSED
        sql = "select kind from case_event where case_id = any($1) and kind in ('follows', 'followed') order by id"
        assert [row["kind"] for row in await current().fetch(sql, [case.id, made.id])] == ["follows", "followed"]
        assert await current().fetchval("select text from message where case_id = $1", made.id) == "Dead again."
    with pytest.raises(Conflict):
        async with transaction(ADA):
            await (await Case.find(case.number, ADA)).reopen(by=ADA, at=late)
    async with transaction(INES):
        await (await Case.find(case.number, INES)).reopen(by=INES, at=late)


async def test_a_type_that_contacts_may_not_choose_is_replaced_and_a_stranger_finds_nothing() -> None:
    await limit("1")
    case = await closed()
    async with transaction(NOOR):
        await current().execute("update case_type set for_contacts = false where id = $1", INCIDENT)
    made = await answer(case, NOW + 2 * DAY)
    assert made.case_type_id != INCIDENT
    async with transaction(ALAN):
        assert not await Case.visible_to(ALAN).where(Case.id == made.id)


@pytest.mark.parametrize("days", ["0", "x", "3651", "-1"])
async def test_a_wrong_number_of_days_changes_nothing(days: str) -> None:
    await limit("7")
    with pytest.raises(Invalid):
        await limit(days)
    async with transaction(NOOR):
        assert (await FollowUpRule.facts()).reopen_days == "7"


async def test_the_first_message_of_a_case_that_an_agent_opens_is_a_reply() -> None:
    """D49: the first message counts as the first reply if an agent opens the case, but not if a contact does."""
    async with transaction(INES):
        mine = await Case.open(
            by=INES, subject="Renewal", text="Yours ends.", case_type_id=INCIDENT, contact_id=ADA.id, at=NOW
        )
    async with transaction(ADA):
        theirs = await Case.open(by=ADA, subject="Router", text="Dead.", case_type_id=INCIDENT, at=NOW)
    assert (mine.first_replied_at, theirs.first_replied_at) == (NOW, None)
