"""Test the working hours, the absences with their deputies, and the cost rates of agents."""

from datetime import date, timedelta
from decimal import Decimal

import asyncpg
import pytest
from msgspec.structs import asdict

from portal.database import current, transaction
from portal.errors import Invalid, NotFound
from portal.people.agents import Agent, AgentFacts
from portal.people.working.absences import STANDS_FOR, Absence, AbsenceFacts
from portal.people.working.costs import COST_RATE, Cost, CostRate, CostRateFacts
from portal.people.working.hours import UNSET, USUAL, WEEKDAYS, HoursFacts, Week, WeekFacts, WorkingHours
from tests.world import ADA, INES, MAX, NOOR, NOW, SUPPORT

pytestmark = pytest.mark.usefixtures("dsn")

MONDAY, FRIDAY, SATURDAY = date(2026, 11, 16), date(2026, 11, 20), date(2026, 11, 21)
PART_TIME = HoursFacts(
    monday="6h",
    tuesday="6h",
    wednesday="4:30",
    thursday="",
    friday="0",
    saturday="",
    sunday="",
    effective_from="2026-01-01",
)


async def mia() -> Agent:
    """Create a second manager, Mia Lund, who can be Max's deputy, and return her."""
    facts = AgentFacts(
        name="Mia Lund",
        email="mia@desk.example",
        grade="manager",
        department_id=str(SUPPORT),
        time_zone="Europe/Berlin",
    )
    return await Agent.create(facts, NOW)


async def away(agent: Agent, first: str, last: str = "", deputy: int | str = "", note: str = "") -> None:
    facts = AbsenceFacts(first_day=first, last_day=last, deputy_id=str(deputy), note=note)
    await Absence.create(agent, facts, own=True)


async def refusal(agent: Agent, first: str, last: str = "", deputy: int | str = "") -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        await away(agent, first, last, deputy)
    return refused.value.fields


class TestWorkingHours:
    async def test_an_agent_works_eight_hours_from_monday_to_friday_until_somebody_says_otherwise(self) -> None:
        async with transaction(NOOR):
            assert await WorkingHours.of(INES.id) == UNSET
            assert UNSET.week(MONDAY) == USUAL
            await WorkingHours.arrange(INES.id, PART_TIME)
            week = (await WorkingHours.of(INES.id)).week(MONDAY)
            assert week == Week((360, 360, 270, 0, 0, 0, 0))
            assert week.total == 990
            assert week.facts == WeekFacts(monday="6 h", tuesday="6 h", wednesday="4 h 30 min")
            await WorkingHours.arrange(INES.id, HoursFacts(**asdict(week.facts), effective_from="2026-01-01"))
            assert (await WorkingHours.of(INES.id)).stretches == ((date(2026, 1, 1), week),)
            assert await WorkingHours.of(MAX.id) == UNSET

    async def test_new_hours_move_no_targets_of_earlier_days(self) -> None:
        """Working hours that Noor sets for Ines count from their first day on; the minutes due on earlier days stay.

        New working hours replace those that would begin later. Before the first working hours, the usual ones count.
        """
        async with transaction(NOOR):
            await WorkingHours.arrange(INES.id, PART_TIME)
            before = await WorkingHours.targets(INES.id, MONDAY - timedelta(days=7))
            wednesday = MONDAY + timedelta(days=2)
            full = dict.fromkeys(WEEKDAYS[:5], "8h")
            await WorkingHours.arrange(INES.id, HoursFacts(**full, effective_from=wednesday.isoformat()))
            assert list((await WorkingHours.targets(INES.id, MONDAY)).values()) == [360, 360, 480, 480, 480, 0, 0]
            assert await WorkingHours.targets(INES.id, MONDAY - timedelta(days=7)) == before
            hours = await WorkingHours.of(INES.id)
            assert [hours.workday(day) for day in (MONDAY, wednesday)] == [360, 480]
            assert [since for since, _ in hours.stretches] == [wednesday, date(2026, 1, 1)]
            await WorkingHours.arrange(INES.id, HoursFacts(**full, effective_from=MONDAY.isoformat()))
            assert [since for since, _ in (await WorkingHours.of(INES.id)).stretches] == [MONDAY, date(2026, 1, 1)]
            assert (await WorkingHours.targets(INES.id, date(2025, 12, 22)))[date(2025, 12, 26)] == 480

    async def test_a_day_has_at_most_24_hours_and_a_refusal_changes_nothing(self) -> None:
        async with transaction(NOOR):
            await WorkingHours.arrange(INES.id, PART_TIME)
            with pytest.raises(Invalid) as refused:
                await WorkingHours.arrange(INES.id, HoursFacts(monday="25h", tuesday="soon", effective_from="soon"))
            assert refused.value.fields.keys() == {"monday", "tuesday", "effective_from"}
            assert (await WorkingHours.of(INES.id)).on(MONDAY) == 360

    async def test_the_targets_of_a_week_leave_out_the_days_of_an_absence(self) -> None:
        async with transaction(NOOR):
            await WorkingHours.arrange(INES.id, PART_TIME)
            await away(await Agent.find(INES.id), "2026-11-10", "2026-11-16")
            targets = await WorkingHours.targets(INES.id, MONDAY)
            assert list(targets.values()) == [0, 360, 270, 0, 0, 0, 0]
            assert next(iter(targets)) == MONDAY
            assert sum((await WorkingHours.targets(MAX.id, MONDAY)).values()) == 40 * 60

    async def test_a_typed_day_is_the_agents_working_day(self) -> None:
        week = Week((360, 240, 0, 0, 0, 0, 0))
        assert [week.workday(MONDAY), week.workday(SATURDAY), Week((0,) * 7).workday(MONDAY)] == [360, 360, 480]


class TestAbsences:
    async def test_an_absence_is_listed_until_its_last_day(self) -> None:
        async with transaction(INES):
            ines = await Agent.find(INES.id)
            await away(ines, "2026-12-21", "2026-12-31", note="Ski trip")
            await away(ines, "2026-11-20")
            assert [(one.first_day, one.days, one.note) for one in await Absence.of_agent(INES.id, FRIDAY)] == [
                (FRIDAY, 1, ""),
                (date(2026, 12, 21), 11, "Ski trip"),
            ]
            assert [one.days for one in await Absence.of_agent(INES.id, SATURDAY)] == [11]
            assert [one.away_until for one in await Absence.dispatched(FRIDAY) or []] == [FRIDAY, None, None]
            assert [one.away_until for one in await Absence.dispatched(SATURDAY) or []] == [None, None, None]

    async def test_a_colleague_learns_the_days_and_the_deputy_but_not_the_note(self) -> None:
        async with transaction(MAX):
            await away(await Agent.find(MAX.id), "2026-11-23", "2026-11-27", (await mia()).id, "operation")
            (seen,) = await Absence.of_others(INES.id, FRIDAY)
            assert (seen.agent, seen.deputy, seen.note) == ("Max Herrmann", "Mia Lund", "")
            assert await Absence.of_others(MAX.id, FRIDAY) == []

    async def test_absences_of_one_agent_cannot_overlap(self) -> None:
        async with transaction(INES):
            ines, max_ = await Agent.find(INES.id), await Agent.find(MAX.id)
            await away(ines, "2026-12-21", "2026-12-31")
            assert (await refusal(ines, "2026-12-31", "2027-01-02")).keys() == {"first_day"}
            await away(max_, "2026-12-31")
            await away(ines, "2027-01-01")
            first, second = await Absence.of_agent(INES.id, FRIDAY)
            found = await Absence.find(second.id, agent=INES.id)
            with pytest.raises(Invalid):
                await found.change(ines, AbsenceFacts(first_day="2026-12-30", last_day="2027-01-03"), own=True)
            await found.change(ines, AbsenceFacts(first_day="2027-01-01", last_day="2027-01-03"), own=True)
            assert [one.days for one in await Absence.of_agent(INES.id, FRIDAY)] == [first.days, 3]
            await found.cancel()
            await found.cancel()
            assert len(await Absence.of_agent(INES.id, FRIDAY)) == 1

    async def test_an_absence_is_found_only_under_its_own_agent(self) -> None:
        async with transaction(INES):
            await away(await Agent.find(INES.id), "2026-12-21")
            (one,) = await Absence.of_agent(INES.id, FRIDAY)
            with pytest.raises(NotFound):
                await Absence.find(one.id, agent=MAX.id)

    @pytest.mark.parametrize(
        ("first", "last", "field"),
        [
            ("2026-12-21", "2026-12-20", "last_day"),
            ("2026-12-21", "2027-12-22", "last_day"),
            ("soon", "2026-12-20", "first_day"),
            ("2026-12-21", "later", "last_day"),
        ],
    )
    async def test_days_that_make_no_absence_are_refused(self, first: str, last: str, field: str) -> None:
        async with transaction(INES):
            assert (await refusal(await Agent.find(INES.id), first, last)).keys() == {field}
            assert await Absence.of_agent(INES.id, date.min) == []

    async def test_only_a_manager_has_a_deputy_who_is_another_manager_and_not_away_too(self) -> None:
        async with transaction(NOOR):
            stand_in, max_ = await mia(), await Agent.find(MAX.id)
            for agent, deputy in (
                (INES.id, MAX.id),
                (NOOR.id, MAX.id),
                (MAX.id, INES.id),
                (MAX.id, MAX.id),
                (MAX.id, 999),
            ):
                fields = await refusal(await Agent.find(agent), "2026-12-21", "2026-12-31", deputy)
                assert fields.keys() == {"deputy_id"}, (agent, deputy)
            await away(stand_in, "2026-12-31")
            assert "Mia Lund is away" in (await refusal(max_, "2026-12-21", "2026-12-31", stand_in.id))["deputy_id"]
            await away(max_, "2026-12-21", "2026-12-30", stand_in.id)

    async def test_a_deputy_stands_in_on_the_days_of_the_absence_and_while_both_are_managers(self) -> None:
        async def whom(deputy: int, day: str) -> list[int]:
            sql = f"with {STANDS_FOR} select id from stands_for"
            return [row["id"] for row in await current().fetch(sql, deputy, date.fromisoformat(day))]

        async with transaction(NOOR) as tx:
            deputy = (await mia()).id
            await away(await Agent.find(MAX.id), "2026-12-21", "2026-12-31", deputy)
            days = ("2026-12-20", "2026-12-21", "2026-12-31", "2027-01-01")
            assert [await whom(deputy, day) for day in days] == [[], [MAX.id], [MAX.id], []]
            assert await whom(MAX.id, "2026-12-21") == []
            await tx.execute("update agent set grade = 'agent' where id = $1", deputy)
            assert await whom(deputy, "2026-12-21") == []

    async def test_the_audit_says_that_an_absence_changed_but_not_why_one_is_away(self) -> None:
        async with transaction(NOOR) as tx:
            await away(await Agent.find(INES.id), "2026-12-21", note="operation")
            changes = await tx.fetchval("select changes::text from audit where what = 'absence.insert'")
        assert "first_day" in changes
        assert "operation" not in changes


class TestCostRates:
    async def test_a_cost_rate_holds_from_its_day_until_the_next_begins(self) -> None:
        async with transaction(NOOR):
            ines = await Agent.find(INES.id)
            for cost, since in (("58,50", "2026-01-01"), ("62", "2026-07-01")):
                await CostRate.create(ines, CostRateFacts(hourly_cost=cost, currency="EUR", effective_from=since), NOW)
            found = [await CostRate.on(INES.id, date(*day)) for day in ((2025, 12, 31), (2026, 6, 30), (2026, 7, 1))]
            assert found == [None, Cost(Decimal("58.5"), "EUR"), Cost(Decimal("62"), "EUR")]
            latest, first = await CostRate.listed(INES.id)
            assert (first.last_day, latest.last_day) == (date(2026, 6, 30), None)
            await (await CostRate.find(latest.id, agent=INES.id)).withdraw()
            assert await CostRate.on(INES.id, date(2026, 7, 1)) == Cost(Decimal("58.5"), "EUR")
            with pytest.raises(NotFound):
                await CostRate.find(first.id, agent=MAX.id)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("hourly_cost", "-1"), ("hourly_cost", "cheap"), ("currency", "XXX"), ("effective_from", "soon")],
    )
    async def test_a_cost_rate_that_makes_no_sense_is_refused(self, field: str, value: str) -> None:
        facts = {"hourly_cost": "62", "currency": "EUR", "effective_from": "2026-01-01"} | {field: value}
        async with transaction(NOOR):
            with pytest.raises(Invalid) as refused:
                await CostRate.create(await Agent.find(INES.id), CostRateFacts(**facts), NOW)
            assert refused.value.fields.keys() == {field}
            assert await CostRate.listed(INES.id) == []

    async def test_a_report_joins_the_cost_of_each_entrys_day(self) -> None:
        """S2.6, D8: a report joins to each entry its agent's cost rate on the work date, or null if there is none."""
        async with transaction(NOOR) as tx:
            ines = await Agent.find(INES.id)
            for cost, since in (("60", "2026-01-01"), ("66", "2026-11-20")):
                await CostRate.create(ines, CostRateFacts(hourly_cost=cost, currency="EUR", effective_from=since), NOW)
            rows = await tx.fetch(
                "select cost.hourly_cost, cost.cost_currency from (values (1, '2026-11-19'::date), (1, '2026-11-20'), (2, '2026-11-20'))"
                f" e (agent_id, work_date) {COST_RATE}"
            )
        assert [(row["hourly_cost"], row["cost_currency"]) for row in rows] == [
            (Decimal(60), "EUR"),
            (Decimal(66), "EUR"),
            (None, None),
        ]


async def test_contacts_read_neither_absences_nor_costs() -> None:
    """R27: contacts have no privilege on working hours, absences, cost rates and the rules of time."""
    for table in ("working_hours", "absence", "cost_rate", "time_rules"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ADA) as tx:
                await tx.fetch(f"select * from {table}")
