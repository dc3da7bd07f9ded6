"""Test time entries with tasks, and time entries on projects."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.errors import Invalid
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping import lists
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.words import EntryBilling as Billing
from tests.world import ACME, GLOBEX_HELPDESK, HELPDESK, INES, INTERNAL, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

WORK = Work(minutes=50, work_date=date(2026, 11, 20), service_id=HELPDESK)


async def a_task(name: str = "Travel", billable: str = "no", of: Any = None) -> Task:
    return await Task.create(of or await Service.find(HELPDESK, SYSTEM), TaskFacts(name=name, billable=billable))


async def a_project(**facts: str) -> Project:
    said = ProjectFacts(name="New office", service_id=str(HELPDESK), **facts)
    return await Project.create(await Customer.find(ACME, SYSTEM), said, NOW)


@pytest.mark.parametrize(("task", "case_type", "billing"), [("no", 1, "not_billable"), ("yes", INTERNAL, "billable")])
async def test_a_task_says_whether_time_is_billable_and_not_the_case_type(
    case: Any, task: str, case_type: int, billing: str
) -> None:
    """S0.8, S0.10: if an entry has a task, the task and not the case type decides whether the entry is billable."""
    case.case_type_id = case_type
    async with transaction(INES):
        work = replace(WORK, task_id=(await a_task(billable=task)).id)
        entry = await TimeEntry.log(INES, work, at=NOW, case=case)
        line = await lists.find(INES, entry.id)
    assert (entry.billing, line.task) == (billing, "Travel")


async def test_an_entry_can_say_otherwise_than_its_task(case: Any) -> None:
    """S0.11: the choice in an entry overrides its task's default of whether time is billable."""
    async with transaction(INES):
        work = replace(WORK, task_id=(await a_task()).id, billing=Billing.BILLABLE)
        assert (await TimeEntry.log(INES, work, at=NOW, case=case)).billing == "billable"


async def test_a_task_must_be_one_of_the_service(case: Any) -> None:
    """A task is refused if it is of another service or of a project, has ended, or does not exist."""
    async with transaction(INES):
        project = await a_project()
        travel, own, ended = await a_task(), await a_task("Cabling", of=project), await a_task("Old")
        await ended.end(NOW)
        for wrong in (
            replace(WORK, task_id=own.id), replace(WORK, task_id=ended.id), replace(WORK, task_id=2**40),
            replace(WORK, task_id=travel.id, service_id=None, billing=Billing.NOT_BILLABLE),
        ):  # fmt: skip
            with pytest.raises(Invalid) as refusal:
                await TimeEntry.log(INES, wrong, at=NOW, case=case)
            assert list(refusal.value.fields) == ["task"]
        with pytest.raises(Invalid):
            await TimeEntry.log(INES, replace(WORK, task_id=travel.id, service_id=GLOBEX_HELPDESK), at=NOW)


async def test_a_task_that_has_ended_stays_on_its_entry(case: Any) -> None:
    async with transaction(INES):
        task = await a_task()
        work = replace(WORK, task_id=task.id)
        entry = await TimeEntry.log(INES, work, at=NOW, case=case)
        await task.end(NOW)
        entry = await entry.change(INES, replace(work, description="Both ways"), version=1, at=NOW)
        assert (entry.task_id, entry.version) == (task.id, 2)
        entry = await entry.change(INES, replace(work, task_id=None), version=2, at=NOW)
        assert entry.task_id is None
        with pytest.raises(Invalid):
            await entry.change(INES, work, version=3, at=NOW)


async def test_a_change_of_the_task_by_a_manager_names_the_tasks(case: Any) -> None:
    async with transaction(INES):
        entry = await TimeEntry.log(INES, WORK, at=NOW, case=case)
    async with transaction(MAX):
        await entry.change(MAX, replace(WORK, task_id=(await a_task()).id), version=1, at=NOW)
        (change,) = (await lists.find(MAX, entry.id)).changes
    assert ("Task", "none", "“Travel”") in change.parts


async def test_time_is_logged_on_a_project_under_its_service() -> None:
    """S2.2, S2.40, S3.30: time on a project is a time entry with the customer and service of the project."""
    async with transaction(INES):
        project = await a_project()
        task = await a_task("Cabling", of=project)
        entry = await TimeEntry.log(INES, replace(WORK, service_id=None, task_id=task.id), at=NOW, project=project)
        line = await lists.find(INES, entry.id)
    assert (entry.kind, entry.customer_id, entry.service_id, entry.state) == ("project", ACME, HELPDESK, "draft")
    assert (line.project, line.task, line.customer) == ("New office", "Cabling", "Acme")


async def test_each_entry_has_a_kind(case: Any) -> None:
    """S2.40: the kind of an entry (case, project, service, general) follows from what the entry is logged on."""
    async with transaction(INES):
        made = [
            await TimeEntry.log(INES, WORK, at=NOW, case=case),
            await TimeEntry.log(INES, WORK, at=NOW, project=await a_project()),
            await TimeEntry.log(INES, WORK, at=NOW),
            await TimeEntry.log(INES, replace(WORK, service_id=None, description="Team meeting"), at=NOW),
        ]
    assert [entry.kind for entry in made] == ["case", "project", "service", "general"]


@pytest.mark.parametrize("state", ["paused", "done"])
async def test_a_project_that_is_not_open_takes_no_time(state: str) -> None:
    async with transaction(INES):
        with pytest.raises(Invalid, match=f"is {state}"):
            await TimeEntry.log(INES, WORK, at=NOW, project=await a_project(state=state))


async def test_project_time_stays_under_the_service_of_the_project(case: Any) -> None:
    async with transaction(INES):
        project = await a_project()
        with pytest.raises(Invalid, match="service"):
            await TimeEntry.log(INES, replace(WORK, service_id=GLOBEX_HELPDESK), at=NOW, project=project)
        with pytest.raises(Invalid, match="not both"):
            await TimeEntry.log(INES, WORK, at=NOW, project=project, case=case)
        entry = await TimeEntry.log(INES, WORK, at=NOW, project=project)
        with pytest.raises(Invalid, match="service"):
            await entry.change(INES, replace(WORK, service_id=None, billing=Billing.NOT_BILLABLE), version=1, at=NOW)
