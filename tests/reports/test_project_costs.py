"""Test what the time on projects costs the company, and the pages that show it."""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import billing
from portal.contracts.projects import Project, ProjectFacts
from portal.database import current, transaction
from portal.errors import Forbidden
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, AgentReader
from portal.reports.project_costs import Cost, costs_of_cases, costs_of_projects
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.states import submit
from portal.timekeeping.work import Work
from portal.web.gate import Gate
from tests.billing.work import a_case, log
from tests.browser import Browser, text_of
from tests.world import ACME, HELPDESK, INES, MAX, NOOR, NOW

TODAY = NOW.date()


async def planned(name: str = "New office", budget: str = "500") -> Project:
    async with transaction(MAX):
        facts = ProjectFacts(name=name, service_id=str(HELPDESK), budget_minutes="10h", budget_amount=budget)
        return await Project.create(await Customer.find(ACME, SYSTEM), facts, NOW)


async def costs(agent: AgentReader, hourly_cost: str, since: date, currency: str = "EUR") -> None:
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into cost_rate (agent_id, hourly_cost, currency, effective_from, created_at) values ($1, $2, $3, $4, $5)",
            agent.id, Decimal(hourly_cost), currency, since, NOW,
        )  # fmt: skip


async def logged(project: Project, minutes: int, *, by: AgentReader = INES, on: date = TODAY) -> TimeEntry:
    async with transaction(by):
        work = Work(minutes=minutes, work_date=on, external_comment="Cables drawn")
        return await TimeEntry.log(by, work, at=NOW, project=project)


@pytest.mark.usefixtures("dsn")
async def test_the_cost_is_the_time_worked_at_the_rates_of_its_days() -> None:
    """S2.6, D8: an entry costs its actual minutes at the agent's cost rate of its work date, rounded to cents.

    Rejected time costs nothing. Minutes on days for which the agent has no cost rate are counted separately.
    """
    project, other = await planned(), await planned("Move")
    await costs(INES, "40", date(2026, 1, 1))
    await costs(INES, "50", TODAY)
    await costs(NOOR, "61.20", TODAY, "CHF")
    await logged(project, 50)  # 41.67
    await logged(project, 20, on=TODAY - timedelta(days=1))  # 13.33
    await logged(project, 30, by=NOOR)  # 30.60 CHF
    await logged(project, 45, by=NOOR, on=TODAY - timedelta(days=1))
    await logged(project, 15, by=MAX)
    rejected = await logged(project, 600)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update time_entry set state = 'rejected' where id = $1", rejected.id)
        case = await a_case()
        await tx.execute("update cases set project_id = $1 where id = $2", project.id, case["id"])
        await log(60, on=TODAY, case_id=case["id"])
    async with transaction(MAX, readonly=True):
        found = await costs_of_projects(MAX, [project.id, other.id])
        assert found[project.id] == Cost({"CHF": Decimal("30.60"), "EUR": Decimal("55.00")}, 60)
        assert found[other.id] == Cost({}, 0)
        assert await costs_of_cases(MAX, project.id) == Cost({"EUR": Decimal("50.00")}, 0)
    async with transaction(INES, readonly=True):
        with pytest.raises(Forbidden):
            await costs_of_projects(INES, [project.id])


@pytest.mark.usefixtures("clock")
async def test_the_cost_stands_against_the_budget_for_managers_only(app: Gate) -> None:
    """S2.6: managers see a project's cost and what is left of the budget on its page and in the list of project costs.

    An agent who is no manager sees no cost on the page of the project, and gets 403 for the list.
    """
    project = await planned()
    await costs(INES, "50", date(2026, 1, 1))
    entry = await logged(project, 120)
    async with transaction(INES):
        await submit(INES, [entry.id], at=NOW)
    async with transaction(MAX):
        assert not (await billing.approve([billing.Choice(entry.id, entry.version)], by=MAX, at=NOW)).refused
    here = f"/agent/projects/{project.id}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = text_of((await browser.get(here)).text)
        assert "€100.00: €400.00 of the budget left" in page
        row = text_of((await browser.get("/agent/projects/costs")).text)
        assert re.search(r"New office.*2:00.*€100\.00.*€240\.00.*€140\.00.*€400\.00", row)
        assert "No project here" in (await browser.get("/agent/projects/costs?state=done")).text
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert 'id="cost"' not in (await browser.get(here)).text
        assert (await browser.get("/agent/projects/costs")).status_code == 403


@pytest.mark.usefixtures("clock")
async def test_a_budget_that_is_exceeded_says_by_how_much(app: Gate) -> None:
    project = await planned(budget="80")
    await costs(INES, "50", date(2026, 1, 1))
    await logged(project, 120)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "€20.00 of the budget exceeded" in text_of((await browser.get(f"/agent/projects/{project.id}")).text)
        assert "over" in text_of((await browser.get("/agent/projects/costs")).text)


@pytest.mark.usefixtures("dsn")
async def test_the_costs_of_a_list_are_those_of_its_projects(app: Gate) -> None:
    """Reading the costs of several projects together gives the same amounts as reading each project's costs alone."""
    projects = [await planned(f"Plan {turn}") for turn in range(3)]
    await costs(INES, "33.3333", date(2026, 1, 1))
    for turn, project in enumerate(projects):
        await logged(project, 7 + turn)
    async with transaction(MAX, readonly=True):
        ids = [project.id for project in projects]
        together = await costs_of_projects(MAX, ids)
        assert together == {id: (await costs_of_projects(MAX, [id]))[id] for id in ids}
        rows: list[Any] = await current().fetch("select actual_minutes from time_entry order by id")
    exact = [(Decimal("33.3333") * row["actual_minutes"] / 60).quantize(Decimal("0.01")) for row in rows]
    assert [cost.amounts["EUR"] for cost in together.values()] == exact


@given(st.decimals(0, 10**6, places=2), st.decimals(0, 10**6, places=2))
def test_currencies_are_never_added_up(ours: Decimal, theirs: Decimal) -> None:
    cost = Cost({"EUR": ours, "CHF": theirs})
    assert cost.left_of(Decimal(1), "EUR") is None
    assert cost.margin(Decimal(1), "EUR") is None
    assert Cost({"EUR": ours}).left_of(theirs, "EUR") == theirs - ours
    assert Cost({"EUR": ours}, unpriced=1).margin(theirs, "EUR") is None
    assert Cost({"EUR": ours}).left_of(None, "EUR") is None
