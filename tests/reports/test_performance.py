"""Test the figures on the work of agents, and the page that shows them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import billing
from portal.database import transaction
from portal.errors import Forbidden
from portal.people.readers import SYSTEM
from portal.reports.performance import Figures, all_of, work_of_agents
from portal.web.gate import Gate
from tests.billing.work import a_case, log
from tests.browser import Browser
from tests.world import INES, MAX, MOVE, NOOR, NOW, SUPPORT

TODAY = NOW.date()


async def worked() -> None:
    """Log three hours of Ines this month, as draft, submitted and approved entries, and a rejected entry of 45 minutes.

    Also log 15 minutes of Ines in October and 30 minutes of Noor today, and move Noor to another department.
    """
    async with transaction(SYSTEM) as tx:
        case, other = await a_case(), await a_case()
        await log(60, on=TODAY, case_id=case["id"], counted=75)
        await log(30, on=TODAY, case_id=other["id"], billing="no_charge")
        await log(30, on=TODAY, case_id=case["id"], billing="not_billable", state="draft")
        await log(45, on=TODAY, state="rejected")
        await log(15, on=date(2026, 10, 31))
        await log(30, on=TODAY, who=NOOR)
        done = await log(60, on=TODAY)
        await tx.execute("update agent set department_id = $1 where id = $2", MOVE, NOOR.id)
    async with transaction(MAX):
        assert not (await billing.approve([done.choice], by=MAX, at=NOW)).refused


@pytest.mark.usefixtures("dsn")
async def test_logged_time_feeds_figures_on_the_work_of_agents() -> None:
    """S2.5: Max sees each agent's worked, billable, approved and rejected time, and the number of the agent's cases.

    The figures can be restricted to a department or an agent. Ines, who is no manager, may not see any figures.
    """
    await worked()
    async with transaction(MAX, readonly=True):
        ines, noor = await work_of_agents(MAX, date(2026, 11, 1), TODAY)
        assert (ines.name, ines.department, noor.name, noor.department) == (
            "Ines Okafor",
            "Support",
            "Noor Haddad",
            "Projects",
        )
        found = ines.figures
        assert (found.entries, found.worked, found.billable, found.counts) == (5, 180, 120, 135)
        assert (found.approved, found.waiting, found.rejected, found.cases) == (60, 120, 45, 2)
        assert (found.billable_share, found.approved_share) == (67, 33)
        assert [one.id for one in await work_of_agents(MAX, date(2026, 11, 1), TODAY, department=SUPPORT)] == [INES.id]
        assert [one.id for one in await work_of_agents(MAX, date(2026, 11, 1), TODAY, agent=NOOR.id)] == [NOOR.id]
        assert await work_of_agents(MAX, date(2026, 1, 1), date(2026, 1, 2)) == []
        assert all_of([ines, noor]).worked == 210
    async with transaction(INES, readonly=True):
        with pytest.raises(Forbidden):
            await work_of_agents(INES, TODAY, TODAY)


@pytest.mark.usefixtures("clock")
async def test_managers_see_the_work_of_agents(app: Gate) -> None:
    """S2.5: Max, a manager, gets a page of figures with links to each agent's entries; Ines, an agent, gets 403."""
    await worked()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get("/agent/performance")).text
        assert "3\xa0h\xa030\xa0min worked" in page
        assert f"agent={INES.id}" in page
        assert "67&nbsp;%" in page
        empty = (await browser.get(f"/agent/performance?from=2026-01-01&until=2026-01-02&department={SUPPORT}")).text
        assert "Nobody logged time on these days" in empty
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert (await browser.get("/agent/performance")).status_code == 403


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_share_is_between_nothing_and_all(billable: int, rest: int, approved: int) -> None:
    figures = Figures(worked=billable + rest, billable=billable, approved=min(approved, billable + rest))
    if not figures.worked:
        assert (figures.billable_share, figures.approved_share) == (None, None)
    else:
        assert 0 <= (figures.billable_share or 0) <= 100
        assert abs((figures.billable_share or 0) * figures.worked - 100 * billable) * 2 <= figures.worked
        assert 0 <= (figures.approved_share or 0) <= 100


def test_figures_of_nobody_are_none() -> None:
    assert all_of([]) == Figures()
