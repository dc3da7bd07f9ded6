"""Test the rules that admins set for time: where it is tracked, for whom, until when, and what the form warns of."""

import dataclasses
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal import billing
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import SYSTEM, AgentReader
from portal.people.working.hours import HoursFacts, WorkingHours, workday_of
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.policy import guards
from portal.timekeeping.policy.guards import PlannedTime
from portal.timekeeping.policy.picks import offered_to
from portal.timekeeping.policy.switches import Rules, RulesFacts, TimeRules
from portal.timekeeping.preview import Where, understood
from portal.timekeeping.states import submit
from portal.words import EntryBilling
from tests.world import ACME, HELPDESK, INES, MAX, MOVE, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")

TODAY = NOW.date()
ON = {"tracks_time": "yes", "on_cases": "yes"}
LOCK = {"locked_through": "2026-10-31", "lock_time_zone": "Europe/Berlin", "lock_grace_days": "5"}
EVERYBODY = ["Ines Okafor", "Max Herrmann", "Noor Haddad"]


async def set_rules(**fields: str) -> Rules:
    async with transaction(NOOR):
        await TimeRules.change(RulesFacts(**(ON | fields)))
        return await TimeRules.find()


async def log(
    by: AgentReader = INES, *, at: datetime = NOW, case: Any = None, agent: int | None = None, **about: Any
) -> TimeEntry:
    work = Work(**({"minutes": 30, "work_date": TODAY, "service_id": HELPDESK, "external_comment": "VPN"} | about))
    async with transaction(by):
        return await TimeEntry.log(by, work, at=at, case=case, agent_id=agent)


async def refused(**about: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        await log(**about)
    return refusal.value.fields


async def count() -> int:
    async with transaction(SYSTEM) as tx:
        found: int = await tx.fetchval("select count(*) from time_entry")
        return found


class TestSwitches:
    async def test_until_an_admin_says_otherwise_time_is_tracked_everywhere(self, case: SimpleNamespace) -> None:
        """S1.6, S1.8: by default, time can be logged on any case, and authors have 24 hours to change it."""
        async with transaction(INES):
            rules = await TimeRules.find()
        assert (rules.tracks_cases, rules.projects_only, rules.own_window) == (True, False, timedelta(hours=24))
        assert (await log(case=case)).case_id == case.id

    async def test_the_switch_for_cases_needs_the_base(self) -> None:
        """S1.7: while time tracking is off, time on cases is off too and cannot be switched on."""
        rules = await set_rules(tracks_time="")
        assert (rules.tracks_time, rules.on_cases) == (False, False)
        with pytest.raises(Invalid) as refusal:
            await set_rules(tracks_time="")
        assert refusal.value.fields.keys() == {"on_cases"}
        assert (await set_rules()).tracks_cases

    async def test_without_tracking_no_time_is_logged_changed_or_deleted(self, case: SimpleNamespace) -> None:
        """S1.6: while tracking is off, Ines and Noor can neither log nor change nor delete time."""
        entry = await log(case=case)
        await set_rules(tracks_time="")
        for by in (INES, NOOR):
            with pytest.raises(Conflict, match="switched off"):
                await log(by)
            async with transaction(by):
                with pytest.raises(Conflict, match="switched off"):
                    await entry.change(by, Work(minutes=45, work_date=TODAY, service_id=HELPDESK), version=1, at=NOW)
                with pytest.raises(Conflict, match="switched off"):
                    await entry.discard(by, version=1, at=NOW)
                assert (await billing.find_entry(by, entry.id)).why_fixed(by, NOW) == "Time tracking is switched off."
        assert await count() == 1

    async def test_without_time_on_cases_the_rest_stays_open(self, case: SimpleNamespace) -> None:
        """S1.6: while time on cases is switched off, Ines can log other time and correct her earlier time on cases."""
        entry = await log(case=case)
        await set_rules(on_cases="")
        assert (await refused(case=case)).keys() == {"on"}
        assert (await log()).kind == "service"
        async with transaction(INES):
            changed = await entry.change(
                INES, Work(minutes=45, work_date=TODAY, service_id=HELPDESK), version=1, at=NOW
            )
        assert changed.actual_minutes == 45

    async def test_projects_only_allows_time_only_on_cases_of_a_project(self, case: SimpleNamespace) -> None:
        """S1.8: with "projects only", time can be logged only on cases that are connected to a project."""
        await set_rules(projects_only="yes")
        assert "connected to a project" in (await refused(case=case))["on"]
        async with transaction(SYSTEM) as tx:
            await tx.execute(
                "with p as (insert into project (customer_id, service_id, name, state, created_at)"
                " values ($1, $2, 'Move', 'open', $3) returning id) update cases set project_id = p.id from p",
                ACME, HELPDESK, NOW,
            )  # fmt: skip
        assert (await log(case=case)).case_id == case.id
        await set_rules()
        async with transaction(SYSTEM) as tx:
            await tx.execute("update cases set project_id = null")
        assert (await log(case=case)).case_id == case.id

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("own_edit_hours", "0"), ("own_edit_hours", "721"), ("own_edit_hours", "a day"), ("agents_pick", "friends"),
            ("rounding_increment", "0"), ("rounding_mode", "sideways"), ("lock_grace_days", "61"), ("locked_through", "soon"),
            ("lock_time_zone", "Europe/Nowhere"),
        ],
    )  # fmt: skip
    async def test_a_rule_that_makes_no_sense_is_refused_and_changes_nothing(self, field: str, value: str) -> None:
        before = await set_rules(own_edit_hours="48")
        with pytest.raises(Invalid) as refusal:
            await set_rules(**{field: value})
        assert refusal.value.fields.keys() == {field}
        async with transaction(INES):
            assert await TimeRules.find() == before

    async def test_the_form_shows_what_is_stored(self) -> None:
        facts = RulesFacts(
            **ON, projects_only="yes", agents_pick="all", own_edit_hours="48", requires_task="yes", rounding_minimum="5",
            rounding_mode="nearest", locked_through="2026-10-31", lock_time_zone="Europe/Berlin", lock_grace_days="5",
        )  # fmt: skip
        async with transaction(NOOR):
            await TimeRules.change(facts)
            assert (await TimeRules.find()).facts == facts


class TestOwnWindow:
    @pytest.mark.parametrize("hours", [1, 24, 48])
    async def test_authors_have_the_hours_that_admins_set_to_the_second(self, hours: int) -> None:
        """C5, D15, S2.21, S2.23: authors may change an entry in the last second of their hours, but not later."""
        await set_rules(own_edit_hours=str(hours))
        entry, work = await log(), Work(minutes=45, work_date=TODAY, service_id=HELPDESK, external_comment="VPN")
        over = NOW + timedelta(hours=hours)
        async with transaction(INES):
            with pytest.raises(Forbidden, match=f"for {hours} hour"):
                await entry.change(INES, work, version=1, at=over + timedelta(seconds=1))
            with pytest.raises(Forbidden):
                await entry.discard(INES, version=1, at=over + timedelta(seconds=1))
            changed = await entry.change(INES, work, version=1, at=over - timedelta(seconds=1))
            line = await billing.find_entry(INES, entry.id)
        assert changed.version == 2
        assert line.own_until(INES) == over
        assert line.own_until(MAX) is None
        assert line.why_fixed(INES, over) is None
        assert line.why_fixed(INES, over + timedelta(seconds=1)) is not None

    async def test_managers_keep_their_right_to_change_time(self) -> None:
        """S2.25: Max, a manager, can change Ines's entry after 30 days, when she herself no longer can."""
        await set_rules(own_edit_hours="1")
        entry = await log()
        work = Work(minutes=45, work_date=TODAY, service_id=HELPDESK)
        async with transaction(MAX):
            assert (await entry.change(MAX, work, version=1, at=NOW + timedelta(days=30))).actual_minutes == 45


class TestRequiredFields:
    @pytest.mark.parametrize(
        ("rule", "lacking", "field"),
        [
            ("requires_service", {"service_id": None, "billing": EntryBilling.NOT_BILLABLE}, "service"),
            ("requires_comment", {"external_comment": " "}, "external_comment"),
            ("requires_description", {"description": ""}, "description"),
        ],
    )
    async def test_a_required_field_is_refused_when_it_is_empty(
        self, case: SimpleNamespace, rule: str, lacking: dict[str, Any], field: str
    ) -> None:
        """S0.15: a field may be empty until an admin makes it required; from then on, an empty field is refused."""
        await log(case=case, **lacking)
        await set_rules(**{rule: "yes"})
        assert (await refused(case=case, **lacking)).keys() == {field}
        assert await count() == 1
        await log(case=case, description="internal")

    async def test_a_task_is_required_only_where_the_service_has_tasks(self) -> None:
        """S0.8, S0.15: if a task is required, time under a service without tasks can still be logged."""
        await set_rules(requires_task="yes")
        await log()
        async with transaction(MAX):
            task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Installation"))
        assert (await refused()).keys() == {"task"}
        assert (await log(task_id=task.id)).task_id == task.id

    async def test_time_that_nobody_is_charged_for_needs_no_external_comment(self) -> None:
        await set_rules(requires_comment="yes", requires_service="yes", requires_description="yes")
        await log(external_comment="", billing=EntryBilling.NOT_BILLABLE, description="ours")
        general = {"service_id": None, "external_comment": ""}
        await log(**general, description="Stand-up")
        assert (await refused(**general, description="")).keys() == {"description"}


class TestLock:
    @pytest.mark.parametrize(
        ("at", "work_date", "is_locked"),
        [
            (datetime(2026, 11, 5, 22, 59, 59, tzinfo=UTC), date(2026, 10, 31), False),
            (datetime(2026, 11, 5, 23, 0, tzinfo=UTC), date(2026, 10, 31), True),
            (datetime(2026, 11, 5, 23, 0, tzinfo=UTC), date(2026, 11, 1), False),
            (datetime(2026, 12, 31, tzinfo=UTC), date(2025, 1, 1), True),
        ],
    )
    async def test_the_lock_begins_after_its_grace_in_its_own_zone(
        self, at: datetime, work_date: date, is_locked: bool
    ) -> None:
        """D14: with a grace of five days, 31 October is locked from the end of 5 November in Berlin, to the second."""
        rules = Rules(locked_through=date(2026, 10, 31), lock_time_zone="Europe/Berlin", lock_grace_days=5)
        assert bool(rules.why_locked(work_date, at)) is is_locked

    @pytest.mark.parametrize("zone", [None, "", "Europe/Nowhere", "../etc/passwd"])
    async def test_a_lock_without_a_usable_zone_is_closed(self, zone: str | None) -> None:
        """D14: if the lock's time zone is unknown, days up to `locked_through` are locked at once, without grace."""
        rules = Rules(locked_through=date(2026, 10, 31), lock_time_zone=zone, lock_grace_days=60)
        assert rules.why_locked(date(2026, 10, 31), datetime(2026, 11, 1, 12, tzinfo=UTC))

    async def test_locked_time_is_neither_logged_nor_changed_nor_deleted_by_anybody(self) -> None:
        """D14: the lock applies to authors, managers and admins; no time can be moved into or out of locked days."""
        old, new = await log(work_date=date(2026, 10, 30)), await log()
        await set_rules(**LOCK)
        for by in (INES, MAX, NOOR):
            assert (await refused(by=by, work_date=date(2026, 10, 31))).keys() == {"work_date"}
            async with transaction(by):
                for entry, day in ((old, old.work_date), (old, TODAY), (new, date(2026, 10, 31))):
                    work = Work(minutes=45, work_date=day, service_id=HELPDESK)
                    with pytest.raises(Invalid, match="locked"):
                        await entry.change(by, work, version=1, at=NOW)
                with pytest.raises(Conflict, match="locked"):
                    await old.discard(by, version=1, at=NOW)
                assert "locked" in str((await billing.find_entry(by, old.id)).why_fixed(by, NOW))
        await log(work_date=date(2026, 11, 1))
        assert await count() == 3

    async def test_submitted_and_approved_time_of_a_locked_period_stays_as_it_is(self) -> None:
        """D14, D34: Max can neither change nor delete approved time of a locked period, and it stays approved."""
        entry = await log(work_date=date(2026, 10, 30))
        async with transaction(INES):
            await submit(INES, [entry.id], at=NOW)
        async with transaction(MAX):
            assert not (await billing.approve([billing.Choice(entry.id, 1)], by=MAX, at=NOW)).refused
        await set_rules(**LOCK)
        work = Work(minutes=45, work_date=TODAY, service_id=HELPDESK)
        with pytest.raises(Invalid, match="locked"):
            async with transaction(MAX):
                await billing.change_entry(entry.id, work, version=1, by=MAX, at=NOW)
        with pytest.raises(Conflict, match="locked"):
            async with transaction(MAX):
                await billing.delete_entry(entry.id, version=1, by=MAX, at=NOW)
        async with transaction(MAX):
            assert (await billing.find_entry(MAX, entry.id)).state == "approved"

    async def test_time_of_a_locked_period_can_still_be_approved(self) -> None:
        """D14: Ines can still submit time of a locked period, and Max can approve it."""
        entry = await log(work_date=date(2026, 10, 30))
        await set_rules(**LOCK)
        async with transaction(INES):
            assert not (await submit(INES, [entry.id], at=NOW)).refused
        async with transaction(MAX):
            assert not (await billing.approve([billing.Choice(entry.id, 1)], by=MAX, at=NOW)).refused


class TestPicks:
    async def test_agents_log_for_themselves_and_managers_for_everybody_at_first(self) -> None:
        """S1.15, S1.16, S1.23: by default, agents log time for themselves only, and managers for everybody."""
        with pytest.raises(Forbidden):
            await log(INES, agent=MAX.id)
        assert (await log(MAX, agent=INES.id)).agent_id == INES.id
        async with transaction(INES):
            rules = await TimeRules.find()
            assert await offered_to(INES, rules) == []
            assert [one.name for one in await offered_to(MAX, rules)] == ["Ines Okafor", "Max Herrmann", "Noor Haddad"]
        assert await count() == 1

    @pytest.mark.parametrize(
        ("pick", "offered", "may"),
        [("self", [], []), ("department", EVERYBODY[:2], ["max"]), ("all", EVERYBODY, ["max", "noor"])],
    )  # fmt: skip
    @pytest.mark.parametrize("grade", ["agent", "manager", "admin"])
    async def test_an_admin_controls_whom_a_grade_may_pick(
        self, grade: str, pick: str, offered: list[str], may: list[str]
    ) -> None:
        """S1.24: an admin decides whether a grade logs time for nobody else, for its department, or for everybody.

        The department includes the departments below it.
        """
        by = AgentReader(
            id=1, credential_id=1, name="Ines Okafor", email="", grade=grade, locale="en_GB", time_zone="Europe/Berlin"
        )
        async with transaction(NOOR) as tx:  # Max works in a department below Ines', Noor in another one.
            below = await Department.create(DepartmentFacts(name="Networks", parent_id="1"))
            await tx.execute("update agent set department_id = $1 where id = $2", below.id, MAX.id)
            await tx.execute("update agent set department_id = $1 where id = $2", MOVE, NOOR.id)
        rules = await set_rules(**{f"{grade}s_pick": pick})
        async with transaction(by):
            assert [one.name for one in await offered_to(by, rules)] == offered
        for name, agent in (("max", MAX.id), ("noor", NOOR.id)):
            if name in may:
                assert (await log(by, agent=agent)).agent_id == agent
            else:
                with pytest.raises(Forbidden):
                    await log(by, agent=agent)
        assert await count() == len(may)

    async def test_an_agent_who_may_log_for_a_colleague_cannot_change_the_colleagues_time(self) -> None:
        """S1.15, S2.24: Ines, who may log time for everybody, cannot delete an entry that she has logged for Max."""
        await set_rules(agents_pick="all")
        entry = await log(INES, agent=MAX.id)
        assert (entry.agent_id, entry.entered_by_id) == (MAX.id, INES.id)
        async with transaction(INES):
            with pytest.raises(Forbidden):
                await entry.discard(INES, version=1, at=NOW)


class TestGuards:
    async def codes(self, **about: Any) -> list[str]:
        meant: Any = {"agent_id": INES.id, "work_date": TODAY, "minutes": 30} | about
        async with transaction(INES):
            return [warned.code for warned in await guards.warnings(PlannedTime(**meant), NOW)]

    async def test_overlapping_times_of_one_agent_are_warned_about(self) -> None:
        nine = await log(minutes=None, began=time(9), ended=time(10))
        assert await self.codes(span=nine.span, entry_id=nine.id) == []
        assert await self.codes(span=nine.span) == ["overlap"]
        assert await self.codes(span=nine.span, agent_id=MAX.id) == []
        await log(minutes=None, began=time(10), ended=time(11))
        async with transaction(INES):
            assert await guards.of_days(INES.id, TODAY - timedelta(days=4)) == {}
        await log(minutes=None, began=time(10, 30), ended=time(11, 30))
        async with transaction(INES):
            days = await guards.of_days(INES.id, TODAY - timedelta(days=4))
        assert {day: [one.code for one in warned] for day, warned in days.items()} == {TODAY: ["overlap"]}

    async def test_an_entry_over_24_hours_is_refused_and_a_day_over_24_hours_is_warned_about(self) -> None:
        assert (await refused(minutes=1441)).keys() == {"duration"}
        await log(minutes=20 * 60)
        assert await self.codes(minutes=240) == []
        assert await self.codes(minutes=241) == ["day"]
        await log(minutes=241)
        async with transaction(MAX):
            (warned,) = (await guards.of_days(INES.id, TODAY, 1))[TODAY]
        assert (warned.code, "24\u00a0h\u00a01\u00a0min" in warned.sentence) == ("day", True)

    async def test_a_closed_case_a_missing_project_and_a_locked_period_are_warned_about(
        self, case: SimpleNamespace
    ) -> None:
        assert await self.codes(case_id=case.id) == []
        async with transaction(SYSTEM) as tx:
            await tx.execute(
                "update cases set status = 'closed', closed_at = $1, resolved_at = $1", NOW - timedelta(days=2)
            )
        await set_rules(projects_only="yes", **LOCK)
        assert await self.codes(case_id=case.id) == ["place", "closed"]
        assert await self.codes(work_date=date(2026, 10, 31)) == ["locked"]

    async def test_time_before_the_service_begins_is_warned_about_and_not_approved(self) -> None:
        """S4.11: the form warns that time is before the service begins, and approving such time is refused."""
        early = date(2025, 12, 31)
        assert await self.codes(work_date=early, service_id=HELPDESK) == ["service"]
        entry = await log(work_date=early)
        async with transaction(INES):
            await submit(INES, [entry.id], at=NOW)
        async with transaction(MAX):
            (refusal,) = (await billing.approve([billing.Choice(entry.id, 1)], by=MAX, at=NOW)).refused
            assert "had not begun" in refusal.sentence

    async def test_the_preview_of_the_form_says_what_is_odd(self, case: SimpleNamespace) -> None:
        await log(minutes=None, began=time(9), ended=time(10))
        async with transaction(INES):
            shown = await understood(
                INES, ACME, duration="9:30-23:59", work_date=TODAY.isoformat(), service_id=HELPDESK, billing="billable",
                external_comment="", where=Where(INES.id, NOW, case_id=case.id),
            )  # fmt: skip
        assert shown.odd == ("This overlaps with time that is logged from 9:00 to 10:00.",)

    async def test_the_preview_reads_clock_times_in_the_time_zone_of_who_worked(self) -> None:
        """D10: when Max, in Lisbon, previews time of Ines, in Berlin, the clock times are read in Berlin's time zone.

        So the preview warns that the typed clock times overlap with Ines's entry from 9:00 to 10:00.
        """
        await log(minutes=None, began=time(9), ended=time(10))
        async with transaction(MAX):
            there = dataclasses.replace(MAX, time_zone="Europe/Lisbon")
            shown = await understood(
                there, ACME, duration="9:30-9:45", work_date=TODAY.isoformat(), service_id=HELPDESK, billing="billable",
                external_comment="", where=Where(INES.id, NOW),
            )  # fmt: skip
        assert shown.odd == ("This overlaps with time that is logged from 9:00 to 10:00.",)
        assert "Senior consultant" in shown.seen


class TestWorkday:
    @pytest.mark.parametrize(("typed", "minutes"), [("0.25d", 90), ("1d", 360), ("½d", 180), ("90m", 90)])
    async def test_a_day_is_the_agents_working_day(self, typed: str, minutes: int) -> None:
        """For an agent who works six hours on that weekday, `0.25d` means 1 h 30 min."""
        async with transaction(INES):
            await WorkingHours.arrange(INES.id, HoursFacts(effective_from="2026-01-01", friday="6h", monday="4h"))
            shown = await understood(
                INES, None, duration=typed, work_date=TODAY.isoformat(), service_id=None, billing="not_billable",
                external_comment="", where=Where(INES.id, NOW),
            )  # fmt: skip
            workday = await workday_of(INES.id, typed, TODAY.isoformat())
        work = Work.typed(duration=typed, work_date=TODAY.isoformat(), service_id=None, billing="", workday=workday)
        assert work.minutes == minutes
        assert shown.text.replace("\u00a0", " ").startswith({90: "1 h 30 min", 360: "6 h", 180: "3 h"}[minutes])
        assert await workday_of(MAX.id, "90m", "") == 480
