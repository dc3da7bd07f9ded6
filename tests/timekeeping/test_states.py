"""Test submitting time entries, and the `mark_*` steps that billing calls to approve or reject them."""

import asyncio
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.database import transaction
from portal.errors import Conflict, Forbidden
from portal.timekeeping import states
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.words import EntryState
from tests.world import HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
WORK = Work(minutes=50, work_date=date(2026, 11, 20), service_id=HELPDESK)
LATER = NOW + timedelta(hours=1)


async def test_several_entries_are_submitted_at_once(case: Any) -> None:
    """S0.24-S0.26: three entries on a case are submitted together, and one outbox row is written for the case."""
    async with transaction(INES) as tx:
        ids = [(await TimeEntry.log(INES, WORK, at=NOW, case=case)).id for _ in range(3)]
        result = await states.submit(INES, ids, at=LATER)
        rows = await tx.fetch("select state, submitted_at, version from time_entry")
        told = await tx.fetchval(
            "select count(*) from outbox where kind = 'time.submitted' and subject_id = $1", case.id
        )
    assert (sorted(result.submitted), result.refused) == (ids, {})
    assert {tuple(row.values()) for row in rows} == {("submitted", LATER, 1)}
    assert told == 1


async def test_submitting_again_is_harmless(case: Any) -> None:
    async with transaction(INES) as tx:
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
        await states.submit(INES, [entry.id], at=NOW)
        again = await states.submit(INES, [entry.id], at=LATER)
        assert await tx.fetchval("select submitted_at from time_entry") == NOW
    assert again == states.Submission([], {})


async def test_what_cannot_be_submitted_is_reported_and_the_rest_goes_through(case: Any) -> None:
    """D35: each entry that cannot be submitted is reported with an error message; the other entries are submitted."""
    async with transaction(MAX):
        foreign = await TimeEntry.log(MAX, WORK, at=NOW, case=case)
    async with transaction(INES):
        own, approved = [await TimeEntry.log(INES, WORK, at=NOW, case=case) for _ in range(2)]
        await states.mark_approved({approved.id: 1}, by=MAX, at=NOW)
        result = await states.submit(INES, [own.id, foreign.id, approved.id, 999], at=NOW)
    assert result.submitted == [own.id]
    assert result.refused == {
        foreign.id: "Only a manager may submit a colleague's time.",
        approved.id: "It is approved already.",
        999: "It is not there any more.",
    }
    async with transaction(MAX):
        assert (await TimeEntry.find(foreign.id, MAX)).state == "draft"
        assert (await states.submit(MAX, [foreign.id], at=NOW)).submitted == [foreign.id]


async def test_a_rejected_entry_opens_for_24_hours_and_is_submitted_again(case: Any) -> None:
    """C5, S0.31: Ines may change her rejected entry for 24 hours from the rejection, and submit it again at any time."""
    rejected_at = NOW + timedelta(days=3)
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
        await states.submit(INES, [entry.id], at=NOW)
        await states.mark_rejected({entry.id: 1}, by=MAX, at=rejected_at, reason="Which site?")
        entry = await TimeEntry.find(entry.id, INES)
        assert (entry.state, entry.window_from, entry.version) == ("rejected", rejected_at, 1)
        with pytest.raises(Forbidden):
            await entry.change(INES, WORK, version=1, at=rejected_at + timedelta(hours=24, seconds=1))
        more = Work(minutes=60, work_date=WORK.work_date, service_id=HELPDESK)
        entry = await entry.change(INES, more, version=1, at=rejected_at + timedelta(hours=23))
        assert (entry.state, entry.version) == ("rejected", 2)
        assert (await states.submit(INES, [entry.id], at=rejected_at + timedelta(days=9))).submitted == [entry.id]


async def test_a_manager_may_approve_a_draft(case: Any) -> None:
    """C4: when a manager approves a draft, the entry counts as submitted at that instant and keeps its version."""
    async with transaction(MAX):
        entry = await TimeEntry.log(MAX, WORK, at=NOW, case=case, agent_id=INES.id)
        await states.mark_approved({entry.id: 1}, by=MAX, at=LATER)
        entry = await TimeEntry.find(entry.id, MAX)
    assert (entry.state, entry.submitted_at, entry.version) == ("approved", LATER, 1)


async def test_an_old_version_is_not_approved(case: Any) -> None:
    """D34: Max's approval of version 1 is refused if Ines has changed the entry since; the entry stays a draft."""
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
        await entry.change(INES, Work(minutes=5, work_date=WORK.work_date, service_id=HELPDESK), version=1, at=NOW)
        with pytest.raises(Conflict, match="changed in the meantime"):
            await states.mark_approved({entry.id: 1}, by=MAX, at=NOW)
        assert (await TimeEntry.find(entry.id, INES)).state == "draft"


async def test_of_two_approvals_at_once_one_gets_a_conflict(case: Any) -> None:
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)

    async def approve() -> str:
        try:
            async with transaction(MAX):
                await states.mark_approved({entry.id: 1}, by=MAX, at=NOW)
        except Conflict as refusal:
            return refusal.sentence
        return "yes"

    answers = await asyncio.gather(approve(), approve())
    assert sorted(answers) == ["Somebody else was faster: this time is approved already.", "yes"]


async def test_a_deleted_entry_is_not_approved(case: Any) -> None:
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
        await entry.discard(INES, version=1, at=NOW)
        with pytest.raises(Conflict, match="deleted"):
            await states.mark_approved({entry.id: 1}, by=MAX, at=NOW)


STEPS = {
    "submit": {"draft": "submitted", "rejected": "submitted"},
    "approve": {"draft": "approved", "submitted": "approved"},
    "reject": {"draft": "rejected", "submitted": "rejected"},
    "withdraw": {"approved": "submitted"},
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
async def test_whatever_is_asked_in_whatever_order_only_these_steps_happen(case: Any, steps: list[str]) -> None:
    expected = "draft"
    async with transaction(MAX):
        entry = await TimeEntry.log(MAX, WORK, at=NOW, case=case, agent_id=INES.id)
        for step in steps:
            possible = expected in STEPS[step]
            assert await _take(step, entry.id) is possible
            expected = STEPS[step].get(expected, expected)
            entry = await TimeEntry.find(entry.id, MAX)
            assert (entry.state, entry.version, entry.actual_minutes) == (expected, 1, 50)


async def _take(step: str, entry_id: int) -> bool:
    if step == "submit":
        return bool((await states.submit(INES, [entry_id], at=NOW)).submitted)
    mark = {
        "approve": states.mark_approved,
        "reject": partial(states.mark_rejected, reason="Which site?"),
        "withdraw": partial(states.mark_withdrawn, state=EntryState.SUBMITTED),
    }[step]
    try:
        await mark({entry_id: 1}, by=MAX, at=NOW)
    except Conflict:
        return False
    return True
