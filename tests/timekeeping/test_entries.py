"""Test creating, changing and deleting time entries."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.timekeeping import states
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.words import EntryBilling, EntryState
from tests.world import ACME, ADA, ALAN, CONSULTANT, GIL, GLOBEX_HELPDESK, HELPDESK, INES, INTERNAL, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
TODAY = date(2026, 11, 20)
WORK = Work(minutes=50, work_date=TODAY, service_id=HELPDESK, external_comment="VPN restored", description="gateway 3")


async def test_time_is_logged_on_a_case(case: Any) -> None:
    """S1.1, S0.23: an entry that Ines logs on a case has the state draft, the minutes worked and the billable minutes.

    The outbox and the log of the case have a row about it that contacts may not see.
    """
    async with transaction(INES) as tx:
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
        stored = await TimeEntry.find(entry.id, INES)
        told = await tx.fetchrow("select * from outbox order by id desc limit 1")
        event = await tx.fetchrow("select * from case_event order by id desc limit 1")
    assert (stored.actual_minutes, stored.billable_minutes, stored.state, stored.version) == (50, 60, "draft", 1)
    assert (stored.agent_id, stored.entered_by_id, stored.customer_id, stored.case_id) == (
        INES.id,
        INES.id,
        ACME,
        case.id,
    )
    assert (stored.billing, stored.kind, stored.window_from) == ("billable", "case", NOW)
    assert (told["kind"], told["subject_id"], told["contact_may_know"]) == ("time.logged", case.id, False)
    assert (event["kind"], event["contact_may_know"], event["actor_name"]) == ("time.logged", False, INES.name)


@pytest.mark.parametrize(("case_type", "billing", "counts"), [(1, "billable", 60), (INTERNAL, "not_billable", 0)])
async def test_the_case_type_says_whether_time_is_billable(
    case: Any, case_type: int, billing: str, counts: int
) -> None:
    """S2.13, S2.14: if the form sends no choice, the case type decides whether the entry is billable."""
    case.case_type_id = case_type
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
    assert (entry.billing, entry.billable_minutes) == (billing, counts)


async def test_each_entry_can_say_otherwise(case: Any) -> None:
    """S0.11, S2.15: the choice in an entry overrides the case type's default of whether time is billable."""
    async with transaction(INES):
        unbilled = await TimeEntry.log(INES, _with(WORK, billing=EntryBilling.NOT_BILLABLE), at=NOW, case=case)
        goodwill = await TimeEntry.log(INES, _with(WORK, billing=EntryBilling.NO_CHARGE), at=NOW, case=case)
    assert (unbilled.billing, unbilled.billable_minutes) == ("not_billable", 0)
    assert (goodwill.billing, goodwill.billable_minutes) == ("no_charge", 60)


async def test_general_time_has_no_customer_and_is_not_billable() -> None:
    """S2.38: general time belongs to no customer, is not billable, and cannot be made billable."""
    async with transaction(INES):
        entry = await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, description="Team meeting"), at=NOW)
        assert (entry.kind, entry.customer_id, entry.billing) == ("general", None, "not_billable")
        with pytest.raises(Invalid) as refusal:
            await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, billing=EntryBilling.BILLABLE), at=NOW)
    assert set(refusal.value.fields) == {"service", "description"}


async def test_general_time_says_what_it_was_for() -> None:
    """S2.38: general time without a description is refused by the form, and by a check constraint of the database."""
    async with transaction(INES):
        with pytest.raises(Invalid) as refusal:
            await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, description=" "), at=NOW)
        entry = await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, description="Team meeting"), at=NOW)
    assert "Say what it was for" in refusal.value.fields["description"]
    with pytest.raises(asyncpg.CheckViolationError, match="time_entry_described"):
        async with transaction(INES) as tx:
            await tx.execute("update time_entry set description = ' ' where id = $1", entry.id)


async def test_time_can_be_logged_under_a_service_without_a_case() -> None:
    """S0.6: time that is logged under a service without a case belongs to the service's customer."""
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW)
    assert (entry.kind, entry.customer_id, entry.billing, entry.billable_minutes) == ("service", ACME, "billable", 60)


async def test_billable_time_without_a_service_is_refused(case: Any) -> None:
    async with transaction(INES) as tx:
        with pytest.raises(Invalid) as refusal:
            await TimeEntry.log(INES, _with(WORK, service_id=None), at=NOW, case=case)
        assert await tx.fetchval("select count(*) from time_entry") == 0
        await TimeEntry.log(INES, _with(WORK, service_id=None, billing=EntryBilling.NOT_BILLABLE), at=NOW, case=case)
    assert "needs a service" in refusal.value.fields["service"]


@pytest.mark.parametrize("service", [GLOBEX_HELPDESK, 999])
async def test_the_service_is_one_of_the_cases_customer(case: Any, service: int) -> None:
    """R29: time on a case cannot be logged under the service of another customer."""
    async with transaction(INES):
        with pytest.raises(Invalid) as refusal:
            await TimeEntry.log(INES, _with(WORK, service_id=service), at=NOW, case=case)
    assert set(refusal.value.fields) == {"service"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"minutes": 0}, "duration"),
        ({"minutes": 1441}, "duration"),
        ({"work_date": TODAY + timedelta(days=1)}, "work_date"),
        ({"work_date": date(2025, 11, 19)}, "work_date"),
        ({"external_comment": "x" * 1001}, "external_comment"),
        ({"description": "x" * 4001}, "description"),
        ({"counts": 30}, "override_reason"),
    ],
)
async def test_a_wrong_entry_is_refused_at_its_field_and_nothing_is_stored(
    case: Any, wrong: dict[str, Any], field: str
) -> None:
    async with transaction(INES) as tx:
        with pytest.raises(Invalid) as refusal:
            await TimeEntry.log(INES, _with(WORK, **wrong), at=NOW, case=case)
        counts = [
            await tx.fetchval(f"select count(*) from {table}") for table in ("time_entry", "outbox", "case_event")
        ]
    assert set(refusal.value.fields) == {field}
    assert counts == [0, 0, 0]


async def test_time_is_logged_up_to_the_later_date_of_agent_and_company(case: Any) -> None:
    """The last day for which time may be logged is the later of the current dates of the agent and the company."""
    night = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    async with transaction(INES) as tx:
        await tx.execute("update agent set time_zone = 'America/New_York' where id = 1")
        await TimeEntry.log(INES, _with(WORK, work_date=date(2026, 11, 21)), at=night, case=case)
        await tx.execute("update company set time_zone = 'America/New_York'")
        with pytest.raises(Invalid, match="still to come"):
            await TimeEntry.log(INES, _with(WORK, work_date=date(2026, 11, 21)), at=night, case=case)


async def test_only_managers_and_admins_enter_time_for_others(case: Any) -> None:
    """S0.7, S1.15, S1.16: an agent cannot log time for another agent; managers and admins can."""
    async with transaction(INES):
        with pytest.raises(Forbidden):
            await TimeEntry.log(INES, WORK, at=NOW, case=case, agent_id=MAX.id)
    for manager in (MAX, NOOR):
        async with transaction(manager):
            entry = await TimeEntry.log(manager, WORK, at=NOW, case=case, agent_id=INES.id)
        assert (entry.agent_id, entry.entered_by_id) == (INES.id, manager.id)


async def test_nobody_enters_time_for_an_agent_who_has_left_or_never_was(case: Any) -> None:
    async with transaction(MAX) as tx:
        await tx.execute("update agent set ended_at = $1 where id = 1", NOW)
        for agent in (INES.id, 999):
            with pytest.raises(Invalid) as refusal:
                await TimeEntry.log(MAX, WORK, at=NOW, case=case, agent_id=agent)
            assert set(refusal.value.fields) == {"agent"}


async def test_one_form_makes_one_entry_however_often_it_is_sent(case: Any) -> None:
    key = uuid.uuid4()
    async with transaction(INES):
        first = await TimeEntry.log(INES, WORK, at=NOW, case=case, form_key=key)
    async with transaction(INES) as tx:
        second = await TimeEntry.log(INES, WORK, at=NOW, case=case, form_key=key)
        assert await tx.fetchval("select count(*) from time_entry") == 1
    assert second.id == first.id


OTHERWISE: dict[str, dict[str, Any]] = {
    "duration": {"minutes": 7},
    "day": {"work_date": TODAY - timedelta(days=1)},
    "service": {"service_id": None, "billing": EntryBilling.NOT_BILLABLE},
    "charge": {"billing": EntryBilling.NOT_BILLABLE},
    "counts": {"counts": 15, "override_reason": "Travelled together"},
    "clock times": {"minutes": None, "began": time(9), "ended": time(9, 50)},
    "role": {"role_id": CONSULTANT},
    "comment": {"external_comment": "VPN restored again"},
    "description": {"description": "gateway 4"},
}


@pytest.mark.parametrize("changed", OTHERWISE.values(), ids=list(OTHERWISE))
async def test_a_form_that_was_sent_before_with_another_field_is_refused(case: Any, changed: dict[str, Any]) -> None:
    """If Ines sends a form again with any one field changed, it is refused, and the entry of the first form stays."""
    key = uuid.uuid4()
    async with transaction(INES):
        await TimeEntry.log(INES, WORK, at=NOW, case=case, form_key=key)
    with pytest.raises(Invalid, match="sent this form before"):
        async with transaction(INES):
            await TimeEntry.log(INES, _with(WORK, **changed), at=NOW, case=case, form_key=key)
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from time_entry") == 1
        again = await TimeEntry.log(INES, WORK, at=NOW, case=case, form_key=key)
    assert (again.version, again.actual_minutes) == (1, 50)


async def test_a_form_with_clock_times_and_an_override_is_the_same_when_it_is_sent_again(case: Any) -> None:
    key = uuid.uuid4()
    work = _with(WORK, minutes=None, began=time(9), ended=time(9, 50), added=5, counts=15, override_reason="Together")
    for _ in range(2):
        async with transaction(INES) as tx:
            entry = await TimeEntry.log(INES, work, at=NOW, case=case, form_key=key)
            assert await tx.fetchval("select count(*) from time_entry") == 1
    assert (entry.actual_minutes, entry.billable_minutes) == (55, 15)


async def test_a_form_that_was_sent_before_with_something_else_is_refused(case: Any) -> None:
    """A form that is sent again with other content is refused.

    If the form is sent again unchanged after its entry was corrected, `TimeEntry.log` returns the corrected entry.
    """
    key = uuid.uuid4()
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case, form_key=key)
    with pytest.raises(Invalid, match="sent this form before"):
        async with transaction(INES):
            await TimeEntry.log(INES, _with(WORK, minutes=7), at=NOW, case=case, form_key=key)
    async with transaction(INES) as tx:
        await entry.change(INES, _with(WORK, minutes=8), version=1, at=NOW)
        assert (await TimeEntry.log(INES, WORK, at=NOW, case=case, form_key=key)).id == entry.id
        assert await tx.fetchval("select count(*) from time_entry") == 1


async def test_contacts_see_no_entry(entry: TimeEntry) -> None:
    """D57: a contact finds no time entry, not even on their own case."""
    for contact in (ADA, ALAN, GIL):
        async with transaction(contact):
            with pytest.raises(NotFound):
                await TimeEntry.find(entry.id, contact)


async def test_authors_change_their_entry_and_the_log_says_how(entry: TimeEntry) -> None:
    """S2.21, D34: when Ines changes her entry within 24 hours, its version is incremented; the entry stays on its case.

    The log of the case has the old and the new minutes.
    """
    async with transaction(INES) as tx:
        changed = await entry.change(
            INES, _with(WORK, minutes=95), version=1, at=NOW + timedelta(hours=23, minutes=59, seconds=59)
        )
        event = await tx.fetchrow("select kind, details::text as details from case_event order by id desc limit 1")
    assert (changed.actual_minutes, changed.billable_minutes, changed.version, changed.state) == (95, 105, 2, "draft")
    assert (changed.case_id, changed.customer_id, changed.window_from) == (entry.case_id, ACME, NOW)
    assert event["kind"] == "time.changed"
    assert '"actual_minutes": ["50", "95"]' in event["details"]


async def test_a_change_that_changes_nothing_leaves_no_trace(entry: TimeEntry) -> None:
    async with transaction(INES) as tx:
        before = await tx.fetchval("select count(*) from outbox")
        same = await entry.change(INES, _with(WORK, billing=EntryBilling.BILLABLE), version=1, at=NOW)
        assert await tx.fetchval("select count(*) from outbox") == before
    assert same.version == 1


async def test_the_window_is_over_after_24_hours(entry: TimeEntry) -> None:
    """S2.23: an author cannot change or delete an entry more than 24 hours after creating it."""
    late = NOW + timedelta(hours=24, seconds=1)
    async with transaction(INES):
        with pytest.raises(Forbidden, match="24 hours"):
            await entry.change(INES, WORK, version=1, at=late)
        with pytest.raises(Forbidden, match="24 hours"):
            await entry.discard(INES, version=1, at=late)
        assert (await TimeEntry.find(entry.id, INES)).version == 1


async def test_a_colleague_changes_nothing_and_a_manager_anything(entry: TimeEntry) -> None:
    """S2.24, S2.25: another agent cannot change or delete Ines's time; a manager can change it even after 90 days."""
    stranger = _agent(MAX, grade="agent")
    async with transaction(stranger):
        with pytest.raises(Forbidden):
            await entry.change(stranger, _with(WORK, minutes=10), version=1, at=NOW)
        with pytest.raises(Forbidden):
            await entry.discard(stranger, version=1, at=NOW)
    async with transaction(MAX):
        changed = await entry.change(MAX, _with(WORK, minutes=10), version=1, at=NOW + timedelta(days=90))
    assert changed.actual_minutes == 10


async def test_of_two_changes_the_second_gets_a_conflict(entry: TimeEntry) -> None:
    async with transaction(INES):
        again = await TimeEntry.find(entry.id, INES)
        await entry.change(INES, _with(WORK, minutes=10), version=1, at=NOW)
        with pytest.raises(Conflict):
            await again.change(INES, _with(WORK, minutes=20), version=1, at=NOW)
        with pytest.raises(Conflict):
            await again.discard(INES, version=1, at=NOW)
        assert (await TimeEntry.find(entry.id, INES)).actual_minutes == 10


async def test_an_old_day_stays_when_something_else_is_changed(case: Any) -> None:
    async with transaction(INES):
        entry = await TimeEntry.log(INES, _with(WORK, work_date=date(2025, 11, 20)), at=NOW, case=case)
        changed = await entry.change(
            INES, _with(WORK, work_date=date(2025, 11, 20), minutes=5), version=1, at=NOW + timedelta(hours=20)
        )
    assert changed.actual_minutes == 5


async def test_authors_delete_their_entry_and_the_log_keeps_that_it_was_there(entry: TimeEntry) -> None:
    """S2.22: an author can delete their entry, and the log of the case keeps a line about it.

    Deleting the entry again raises `Conflict`.
    """
    async with transaction(INES) as tx:
        await entry.discard(INES, version=1, at=NOW)
        assert await tx.fetchval("select kind from case_event order by id desc limit 1") == "time.deleted"
        with pytest.raises(NotFound):
            await TimeEntry.find(entry.id, INES)
        with pytest.raises(Conflict):
            await entry.discard(INES, version=1, at=NOW)


@pytest.mark.parametrize("state", [EntryState.SUBMITTED, EntryState.APPROVED])
async def test_submitted_and_approved_time_is_changed_only_by_billing(entry: TimeEntry, state: EntryState) -> None:
    """`change` and `discard` refuse submitted and approved entries, which only the billing package may change.

    Billing changes an entry by `revise`, which refuses an approved entry until billing has withdrawn its approval.
    """
    async with transaction(INES):
        await states.submit(INES, [entry.id], at=NOW)
    if state is EntryState.APPROVED:
        async with transaction(MAX):
            await _approve_by_hand(entry)
    entry = await _again(entry)
    for by, refusal in ((INES, Forbidden), (MAX, Conflict)):
        async with transaction(by):
            with pytest.raises(refusal):
                await entry.change(by, _with(WORK, minutes=10), version=1, at=NOW)
            with pytest.raises(refusal):
                await entry.discard(by, version=1, at=NOW)
    async with transaction(MAX):
        if state is EntryState.APPROVED:
            with pytest.raises(Conflict, match="withdrawn"):
                await entry.revise(MAX, _with(WORK, minutes=10), version=1, at=NOW)
        else:
            changed = await entry.revise(MAX, _with(WORK, minutes=10), version=1, at=NOW)
            assert (changed.actual_minutes, changed.state) == (10, "submitted")


def _with(work: Work, **values: Any) -> Work:
    return Work(**{name: getattr(work, name) for name in Work.__slots__} | values)


def _agent(agent: Any, **values: Any) -> Any:
    return type(agent)(**{name: getattr(agent, name) for name in type(agent).__slots__} | values)


async def _approve_by_hand(entry: TimeEntry) -> None:
    await states.mark_approved({entry.id: entry.version}, by=MAX, at=NOW)


async def _again(entry: TimeEntry) -> TimeEntry:
    async with transaction(INES):
        return await TimeEntry.find(entry.id, INES)


@pytest.fixture
async def entry(case: SimpleNamespace) -> TimeEntry:
    async with transaction(INES):
        return await TimeEntry.log(INES, WORK, at=NOW, case=case)


async def test_marks_that_nobody_sees_are_not_stored(case: Any) -> None:
    """R54: invisible characters are removed from the comments and the override reason before an entry is stored."""
    work = _with(
        WORK,
        external_comment="VPN\u202e restored\nand\u200b tested",
        description="\u2066gateway",
        counts=45,
        override_reason="\u202eAgreed",
    )
    async with transaction(INES):
        entry = await TimeEntry.log(INES, work, at=NOW, case=case)
    assert (entry.external_comment, entry.description, entry.override_reason) == (
        "VPN restored\nand tested",
        "gateway",
        "Agreed",
    )
