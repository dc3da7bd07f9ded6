"""Test changes of many cases at once: changing, refusing, resuming, undoing, and two processes at once."""

import asyncio
import contextvars
import uuid
from datetime import timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case, Question, Status
from portal.desk.bulk import changes, running
from portal.desk.bulk.changes import BulkChange, Progress
from portal.desk.bulk.running import go_on
from portal.desk.bulk.verbs import NOBODY, Verb
from portal.errors import Conflict, Invalid, NotFound
from portal.people.agents import Agent
from portal.people.readers import SYSTEM, AgentReader
from portal.words import CaseView
from tests.desk.test_cases import opened
from tests.queries import counted
from tests.world import ADA, INES, MAX, NOOR, NOW

WAITING_FOR_OTHERS, RESOLVED = 4, 5
"""The ids of the first statuses of these categories (`STATUSES` of tests/world.py)."""

pytestmark = pytest.mark.usefixtures("dsn")


async def prepared(verb: Verb, *cases: Case, by: AgentReader = INES, question: Question | None = None) -> uuid.UUID:
    async with transaction(by):
        numbers = [str(case.number) for case in cases] if cases else None
        change = await BulkChange.prepare(verb, question or Question(at=NOW), numbers, by=by, at=NOW)
    return uuid.UUID(str(change.id))


async def begun(change: uuid.UUID, value: str, *, by: AgentReader = INES) -> Progress:
    async with transaction(by):
        await (await BulkChange.find(change, by, hold=True)).begin(value, NOW)
    await go_on(change, by=by, at=NOW)
    return await progress(change, by=by)


async def progress(change: uuid.UUID, *, by: AgentReader = INES) -> Progress:
    async with transaction(by):
        return await (await BulkChange.find(change, by)).progress()


async def undone(change: uuid.UUID, *, by: AgentReader = INES) -> uuid.UUID:
    async with transaction(by):
        undoing = await (await BulkChange.find(change, by, hold=True)).undo(by=by, at=NOW)
    await go_on(undoing, by=by, at=NOW)
    return undoing


async def reasons(change: uuid.UUID) -> dict[int, str]:
    async with transaction(INES):
        return {row.number: row.reason for row in (await (await BulkChange.find(change, INES)).refused())[0]}


async def values(column: str, *cases: Case) -> list[Any]:
    async with transaction(INES):
        return [getattr(await Case.find(case.number, INES), column) for case in cases]


async def four() -> list[Case]:
    """Create and return four cases; the second is assigned to Max, and the fourth is closed."""
    cases = [await opened(ADA, subject=f"Case {place}", priority=2) for place in range(4)]
    async with transaction(MAX):
        await cases[1].take(by=MAX, at=NOW)
        await cases[3].close(by=MAX, at=NOW)
    return cases


@pytest.mark.parametrize(
    ("verb", "value", "column", "new"),
    [
        (Verb.ASSIGN, str(MAX.id), "agent_id", MAX.id), (Verb.ASSIGN, NOBODY, "agent_id", None),
        (Verb.STATUS, str(WAITING_FOR_OTHERS), "status_id", WAITING_FOR_OTHERS), (Verb.PRIORITY, "4", "priority", 4),
    ],
)  # fmt: skip
async def test_chosen_cases_get_the_value_and_their_own_one_back(verb: Verb, value: str, column: str, new: Any) -> None:
    """A bulk change sets the value on the chosen cases only; undoing it restores each case's former value."""
    cases = await four()
    before = await values(column, *cases)
    change = await prepared(verb, *cases[:3])
    same = before[:3].count(new)
    assert await begun(change, value) == Progress(0, 3 - same, same, 0)
    assert await begun(change, value) == Progress(0, 3 - same, same, 0), "a repeat changes nothing more"
    assert await values(column, *cases) == [new, new, new, before[3]]
    undoing = await undone(change)
    assert await values(column, *cases) == before
    assert await undone(change) == undoing, "a repeat returns the same undoing"
    with pytest.raises(Conflict):
        await undone(undoing)


async def test_all_that_match_are_those_that_the_list_finds_when_it_is_prepared() -> None:
    cases = await four()
    question = Question(CaseView.ALL, agents=(0,), at=NOW)
    change = await prepared(Verb.PRIORITY, question=question)
    later = await opened(ADA, priority=2)
    assert await begun(change, "1") == Progress(0, 2, 0, 0)
    assert await values("priority", *cases, later) == [1, 2, 1, 2, 2]
    async with transaction(INES):
        groups = await (await BulkChange.find(change, INES)).groups()
    assert [(group.words, group.count) for group in groups] == [("Normal", 2)]


async def test_a_case_that_cannot_be_changed_is_reported_and_stops_no_other() -> None:
    """A case that was changed or merged in the meantime stays as it is and is reported with the reason (D35)."""
    cases = await four()
    change = await prepared(Verb.ASSIGN, *cases[:3])
    async with transaction(NOOR):
        await (await Case.find(cases[0].number, NOOR)).take(by=NOOR, at=NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update cases set merged_into_id = $2, status = 'closed', closed_at = $3, resolved_at = $3 where id = $1",
            cases[2].id, cases[3].id, NOW,
        )  # fmt: skip
    assert await begun(change, str(INES.id)) == Progress(0, 1, 0, 2)
    assert await reasons(change) == {
        cases[0].number: "Somebody else has changed this in the meantime. It is now Noor Haddad.",
        cases[2].number: f"#{cases[2].number} is now part of #{cases[3].number}. Look at that case.",
    }
    assert await values("agent_id", *cases[:2]) == [NOOR.id, INES.id]


async def test_undoing_leaves_what_somebody_has_changed_since() -> None:
    cases = await four()
    change = await prepared(Verb.PRIORITY, *cases[:2])
    await begun(change, "4")
    async with transaction(NOOR):
        await (await Case.find(cases[0].number, NOOR)).change_facts(by=NOOR, at=NOW, priority=1)
    undoing = await undone(change)
    assert await values("priority", *cases[:2]) == [1, 2]
    assert await reasons(undoing) == {cases[0].number: "Somebody else has changed this in the meantime. It is now Low."}


async def test_new_cases_are_new_again_after_undoing() -> None:
    cases = await four()
    change = await prepared(Verb.STATUS, *cases[:2])
    await begun(change, str(RESOLVED))
    await undone(change)
    assert await values("stands", *cases[:2]) == [Status.NEW, Status.NEW]
    assert await values("resolved_at", *cases[:2]) == [None, None]


async def test_two_processes_change_each_case_once() -> None:
    """If two processes continue the same change at once, such as request and worker, each case is changed and logged once."""
    cases = [await opened(ADA, subject=f"Case {place}", priority=2) for place in range(8)]
    change = await prepared(Verb.PRIORITY, *cases)
    async with transaction(INES):
        await (await BulkChange.find(change, INES, hold=True)).begin("4", NOW)
    both = [
        asyncio.create_task(go_on(change, by=INES, at=NOW), context=contextvars.Context()),
        asyncio.create_task(running.resume(change, NOW), context=contextvars.Context()),
    ]
    await asyncio.gather(*both)
    await running.resume(change, NOW)
    assert await progress(change) == Progress(0, 8, 0, 0)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind = 'priority'") == 8
        assert await tx.fetchval("select finished_at from bulk_change") == NOW


async def test_a_change_against_a_single_one_waits_for_it_and_undoes_nothing() -> None:
    case = await opened(ADA, priority=2)
    change = await prepared(Verb.PRIORITY, case)
    async with transaction(NOOR):
        held = await Case.find(case.number, NOOR, hold=True)
        await held.change_facts(by=NOOR, at=NOW, priority=3)
        changing = asyncio.create_task(begun(change, "4"), context=contextvars.Context())
        await asyncio.sleep(0.1)
        assert not changing.done()
    assert await changing == Progress(0, 0, 0, 1)
    assert await values("priority", case) == [3]


async def test_the_request_stops_after_a_moment_and_the_worker_goes_on() -> None:
    cases = [await opened(ADA, subject=f"Case {place}", priority=2) for place in range(3)]
    change = await prepared(Verb.PRIORITY, *cases)
    async with transaction(INES):
        await (await BulkChange.find(change, INES, hold=True)).begin("4", NOW)
    assert not await go_on(change, by=INES, at=NOW, within=timedelta(0))
    assert (await progress(change)).waiting == 3
    await running.resume(change, NOW)
    assert (await progress(change)).changed == 3


async def test_a_change_is_loaded_once_however_many_cases_it_has() -> None:
    """A bulk change of five cases takes as many SQL statements on the table `bulk_change` as a bulk change of one case."""
    cases, counts = [await opened(ADA, subject=f"Case {place}", priority=2) for place in range(6)], []
    for some in (cases[:1], cases[1:]):
        change = await prepared(Verb.PRIORITY, *some)
        async with transaction(INES):
            await (await BulkChange.find(change, INES, hold=True)).begin("4", NOW)
        with counted() as statements:
            assert await go_on(change, by=INES, at=NOW)
        counts.append(len([one for one in statements if "bulk_change" in one]))
    assert counts[0] == counts[1]


async def test_a_change_of_somebody_who_has_left_stops_with_a_reason() -> None:
    case = await opened(ADA, priority=2)
    change = await prepared(Verb.PRIORITY, case, by=MAX)
    async with transaction(MAX):
        await (await BulkChange.find(change, MAX, hold=True)).begin("4", NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set ended_at = $2 where id = $1", MAX.id, NOW)
    await running.resume(change, NOW)
    assert await progress(change, by=MAX) == Progress(0, 0, 0, 1)
    assert await values("priority", case) == [2]


async def test_what_cannot_be_done_is_refused_and_changes_nothing() -> None:
    case = await opened(ADA, priority=2)
    for numbers in ([], ["999999", "x"]):
        with pytest.raises(Invalid, match="Tick at least one case"):
            async with transaction(INES):
                await BulkChange.prepare(Verb.STATUS, Question(at=NOW), numbers, by=INES, at=NOW)
    for verb, value in (
        (Verb.STATUS, "1"), (Verb.STATUS, "open"), (Verb.STATUS, "999"), (Verb.PRIORITY, "5"), (Verb.PRIORITY, ""), (Verb.ASSIGN, "999"),
        (Verb.ASSIGN, "x"),
    ):  # fmt: skip
        change = await prepared(verb, case)
        with pytest.raises(Invalid):
            await begun(change, value)
        assert await progress(change) == Progress(1, 0, 0, 0)
    change = await prepared(Verb.PRIORITY, case)
    await begun(change, "4")
    with pytest.raises(Conflict):
        await begun(change, "1")
    with pytest.raises(NotFound):
        await progress(change, by=NOOR)


async def test_more_than_ten_thousand_cases_are_refused_and_old_changes_are_deleted(monkeypatch: Any) -> None:
    cases = await four()
    monkeypatch.setattr(changes, "MOST", 2)
    with pytest.raises(Invalid, match="more than 2 cases"):
        async with transaction(INES):
            await BulkChange.prepare(Verb.STATUS, Question(at=NOW), None, by=INES, at=NOW)
    await prepared(Verb.STATUS, *cases[:2])
    async with transaction(SYSTEM):
        await changes.delete_old(NOW + changes.KEPT)
        assert await BulkChange.count() == 1
        await changes.delete_old(NOW + changes.KEPT + timedelta(seconds=1))
        assert await BulkChange.count() == 0
        assert await Agent.count() > 0


async def test_a_status_that_may_not_follow_is_refused_for_its_case_alone_and_undoing_is_no_move() -> None:
    """S3.18: if the new status may not follow the status of a case, a bulk change reports this case and changes the others.

    Undoing restores the former statuses even if they may not follow the present ones.
    """
    cases = await four()
    async with transaction(INES):
        await cases[0].change_status(Status.OPEN, by=INES, at=NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update case_status set moves_freely = false where category in ('open', 'resolved')")
    change = await prepared(Verb.STATUS, *cases[:2])
    assert await begun(change, str(RESOLVED)) == Progress(0, 1, 0, 1)
    assert list(await reasons(change)) == [cases[0].number]
    assert "cannot follow" in (await reasons(change))[cases[0].number]
    await undone(change)
    assert await values("stands", *cases[:2]) == [Status.OPEN, Status.NEW]
