"""Test the statuses that admins configure: their names, which may follow which, and which pause deadlines (S3.18)."""

import asyncio
import contextvars
from datetime import timedelta

import pytest

from portal.database import current, transaction
from portal.desk import Case, Details, Question, Status, agents_list, customers_list
from portal.desk.deadlines import recounting
from portal.desk.deadlines.targets import TargetFacts, save_targets
from portal.desk.events import words_of
from portal.desk.workflow.statuses import CaseStatus, NewStatus, StatusFacts
from portal.errors import Conflict, Invalid
from portal.people.readers import SYSTEM
from tests.world import ADA, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
LATER = NOW + timedelta(hours=1)


async def opened() -> Case:
    async with transaction(ADA):
        return await Case.open(by=ADA, subject="Router", text="Dead.", case_type_id=INCIDENT, at=NOW)


async def added(name: str = "Waiting for the manufacturer", category: str = "waiting_for_others") -> CaseStatus:
    async with transaction(NOOR):
        return await CaseStatus.create(NewStatus(name=name, category=category))


async def set_to(case: Case, status: Status | int, by: object = INES) -> None:
    async with transaction(INES):
        await case.change_status(status, by=by, at=LATER)  # type: ignore[arg-type]


async def of(category: Status) -> CaseStatus:
    async with transaction(NOOR):
        return next(one for one in await CaseStatus.listed() if one.category == category)


async def change(status: CaseStatus, **facts: object) -> None:
    async with transaction(NOOR):
        values = {"name": status.name, "customer_name": status.customer_name or ""} | facts
        await status.change(StatusFacts(**({"pauses": "yes"} if status.status.waits else {}) | values))  # type: ignore[arg-type]


async def test_a_configured_status_is_shown_by_its_name_to_both_sides_and_filtered_and_logged() -> None:
    """S3.18: agents and contacts see a status under its present name; the log keeps the name at the time of the change."""
    case, status = await opened(), await added()
    await change(status, name="With the manufacturer", customer_name="Waiting for the maker")
    await set_to(case, status.id)
    await change(status, name="Renamed")
    async with transaction(INES):
        details = await Details.find(case.number, INES)
        (row,) = (await agents_list(INES, Question.read([("status", str(status.id))]))).rows
        assert not (await agents_list(INES, Question.read([("status", "open")]))).rows
        event = await current().fetchval("select details::text from case_event where kind = 'status'")
    assert (details.status_word, row.status_word, row.status) == ("Renamed", "Renamed", Status.WAITING_FOR_OTHERS)
    assert '"name": "With the manufacturer"' in event
    async with transaction(ADA):
        (row,) = (await customers_list(ADA, everything=False)).rows
        assert (await Details.find(case.number, ADA)).moves == []
    assert row.status_word == "Renamed"


async def test_there_are_no_more_statuses_than_a_menu_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3.18, R81: while the maximum number of statuses is in use, no status can be added, and no ended one resumed."""
    monkeypatch.setattr("portal.desk.workflow.statuses.MOST", 7)
    await added()
    with pytest.raises(Invalid, match="which is the most"):
        await added("Waiting for parts")
    async with transaction(SYSTEM):
        status = await CaseStatus.find(4)
        await status.end(NOW)
    await added("Waiting for parts")
    async with transaction(SYSTEM):
        with pytest.raises(Conflict, match="which is the most"):
            await (await CaseStatus.find(4)).resume()
        await (await CaseStatus.find(3)).resume()


async def test_the_log_names_the_status_as_each_side_reads_it() -> None:
    """S3.18: in the log, agents and contacts each read the name that a status has for them.

    If the event has no name, they read the category of the status.
    """
    details = {"from": "open", "to": "waiting_for_customer", "name": "Ask them", "customer_name": "Ask you"}
    for for_contact, words in ((False, "Ines set the status to Ask them"), (True, "Ines set the status to Ask you")):
        assert words_of("status", "Ines", details, for_contact=for_contact, zone=None) == words  # type: ignore[arg-type]
    for details, words in (
        ({"from": "open", "to": "waiting_for_customer"}, "Ines set the status to Waiting for you"),
        ({"from": "open", "to": "closed", "name": "Rejected"}, "Ines closed the case: Rejected"),
        ({"from": "closed", "to": "closed", "name": "Rejected"}, "Ines set the status to Rejected"),
        ({"from": "closed", "to": "open", "name": "Open"}, "Ines opened the case again"),
    ):
        assert words_of("status", "Ines", details, for_contact=True, zone=None) == words  # type: ignore[arg-type]


async def test_agents_set_only_what_may_follow_and_the_customer_may_always_answer_and_close() -> None:
    """S3.18: agents can set only statuses that may follow the present one; contacts can always answer and close."""
    case, status = await opened(), await added()
    await set_to(case, Status.OPEN)
    first = await of(Status.OPEN)
    await change(first, moves="some", next=[str(status.id), str(first.id), "99"])
    async with transaction(INES):
        details = await Details.find(case.number, INES)
        assert ([move.name for move in details.moves], details.may_become("waiting_for_customer")) == (
            ["Waiting for the manufacturer"],
            False,
        )
    for wanted in (Status.RESOLVED, Status.NEW, (await of(Status.CLOSED)).id, 99):
        with pytest.raises(Invalid):
            await set_to(case, wanted)
    with pytest.raises(Invalid):
        async with transaction(INES):
            await case.reply(by=INES, text="And?", at=LATER, then=Status.WAITING_FOR_CUSTOMER)
    assert (await reread(case)).stands is Status.OPEN
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="It still drops.", at=LATER)
    assert (await reread(case)).stands is Status.OPEN
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).close(by=ADA, at=LATER)
    assert (await reread(case)).stands is Status.CLOSED


async def reread(case: Case) -> Case:
    async with transaction(INES):
        return await Case.find(case.number, INES)


async def test_the_first_status_of_a_category_is_the_one_that_the_portal_sets() -> None:
    """S3.18: when the portal itself sets a status, it takes the first one of the category that has not been ended.

    The order is the one in which admins have arranged the statuses.
    """
    case, first = await opened(), await of(Status.OPEN)
    other = await added("In progress", "open")
    async with transaction(NOOR):
        await other.move_above(first.id)
        await other.move_above((await CaseStatus.listed())[0].id)  # A status of another category: nothing moves.
    async with transaction(INES):
        await case.reply(by=INES, text="We look at it.", at=LATER)
    assert (await reread(case)).status_id == other.id
    async with transaction(NOOR):
        await other.end(LATER)
    await set_to(case, Status.CLOSED)
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="Still dead.", at=LATER)
    assert (await reread(case)).status_id == first.id


async def test_the_last_status_that_the_portal_needs_stays() -> None:
    """S3.18: the last status of a category cannot be ended if the portal needs the category; otherwise, it can."""
    for category in (Status.NEW, Status.OPEN, Status.WAITING_FOR_CUSTOMER, Status.CLOSED):
        with pytest.raises(Conflict):
            async with transaction(NOOR):
                await (await of(category)).end(NOW)
    status = await of(Status.WAITING_FOR_OTHERS)
    for _ in range(2):
        async with transaction(NOOR):
            await status.end(NOW)
    with pytest.raises(Invalid):
        await set_to(await opened(), Status.WAITING_FOR_OTHERS)
    async with transaction(NOOR):
        await status.resume()


async def test_two_admins_cannot_end_the_last_two_statuses_at_once() -> None:
    both = [await of(Status.OPEN), await added("In progress", "open")]

    async def end(status: CaseStatus) -> None:
        async with transaction(NOOR):
            await status.end(NOW)

    tasks = [asyncio.get_running_loop().create_task(end(one), context=contextvars.Context()) for one in both]
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["Conflict", "NoneType"]


async def test_the_clock_follows_the_flag_of_the_status_also_for_cases_that_have_it() -> None:
    """S3.18, S3.20: when an admin lets a status pause deadlines, a pause begins for each case with this status.

    When the admin takes that back, these pauses end. The job that recomputes deadlines begins and ends the pauses.
    """
    async with transaction(NOOR):
        await save_targets(TargetFacts(solve_normal="8h"))
    case = await opened()
    await set_to(case, Status.WAITING_FOR_OTHERS)
    assert (await reread(case)).due_at is None
    for pauses, hours in (("no", 2), ("yes", 3)):
        await change(await of(Status.WAITING_FOR_OTHERS), pauses=pauses)
        async with transaction(SYSTEM):
            recount = await recounting.latest()
            assert recount
            await recounting.recount(recount.version, NOW + timedelta(hours=hours))
        assert ((await reread(case)).due_at is None) is (pauses == "yes")
    async with transaction(INES):
        rows = await current().fetch("select began_at, ended_at from pause where case_id = $1 order by id", case.id)
    assert [(row["began_at"] - NOW, row["ended_at"]) for row in rows] == [
        (timedelta(hours=1), NOW + timedelta(hours=2)), (timedelta(hours=3), None),
    ]  # fmt: skip


async def test_two_agents_set_statuses_of_one_category_at_once_and_one_gets_a_conflict() -> None:
    """S3.18: of two agents who have loaded a case and set different statuses of one category, the second gets a conflict."""
    case, first, second = await opened(), await added("In progress", "open"), await added("Planned", "open")
    mine, theirs = await reread(case), await reread(case)
    await set_to(mine, first.id)
    with pytest.raises(Conflict, match="The status is In progress now"):
        await set_to(theirs, second.id, MAX)
    assert (await reread(case)).status_id == first.id
