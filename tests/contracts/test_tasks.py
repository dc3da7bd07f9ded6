"""Test the tasks of services and projects, and the projects themselves."""

from datetime import date

import asyncpg
import pytest

from portal.contracts.contracts import Contract
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.errors import Invalid, NotFound
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from tests.people.test_people import but, refused
from tests.world import ACME, ACME_CONTRACT, ADA, GLOBEX, GLOBEX_HELPDESK, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

MOVE = ProjectFacts(name="New office", service_id=str(HELPDESK), budget_minutes="120h", budget_amount="15000")
LATE = date(2026, 11, 20)


async def helpdesk() -> Service:
    return await Service.find(HELPDESK, SYSTEM)


async def a_project(facts: ProjectFacts = MOVE) -> Project:
    return await Project.create(await Customer.find(ACME, SYSTEM), facts, NOW)


async def test_a_service_has_tasks_by_name() -> None:
    """S0.8: tasks are listed by name, each with its billing default; a task that has ended can no longer be chosen."""
    async with transaction(MAX):
        travel = await Task.create(await helpdesk(), TaskFacts(name="Travel", billable="no"))
        await Task.create(await helpdesk(), TaskFacts(name="Installation"))
        await travel.end(NOW)
        await travel.end(NOW)
        assert [(task.name, task.billable) for task in await Task.of_service(HELPDESK)] == [
            ("Installation", True),
            ("Travel", False),
        ]
        assert [task.name for task in await Task.offered(service=HELPDESK)] == ["Installation"]
        assert [task.name for task in await Task.offered(service=HELPDESK, known=travel.id)] == [
            "Installation",
            "Travel",
        ]
        await travel.resume()
        assert [task.service for task in await Task.offered(customer=ACME)] == ["Helpdesk", "Helpdesk"]
        assert await Task.offered(customer=GLOBEX) == []
        assert await Task.offered() == []


async def test_a_task_of_a_project_is_offered_in_that_project_only() -> None:
    """A task of a project can be chosen only for that project's time, and may have the same name as a task of the service."""
    async with transaction(MAX):
        project, other = await a_project(), await a_project(but(MOVE, name="New telephones"))
        await Task.create(await helpdesk(), TaskFacts(name="Travel"))
        await Task.create(project, TaskFacts(name="Travel"))
        assert len(await Task.offered(service=HELPDESK, project=project.id)) == 2
        assert len(await Task.offered(service=HELPDESK, project=other.id)) == 1
        assert len(await Task.offered(customer=ACME)) == 1
        assert [task.project_id for task in await Task.of_project(project.id)] == [project.id]


async def test_two_tasks_of_one_service_have_two_names() -> None:
    async with transaction(MAX):
        travel = await Task.create(await helpdesk(), TaskFacts(name="Travel"))
        other = await Task.create(await helpdesk(), TaskFacts(name="Installation"))
        with pytest.raises(Invalid, match="This service has a task “travel” already"):
            await Task.create(await helpdesk(), TaskFacts(name="travel"))
        await refused(other.change(TaskFacts(name="TRAVEL")), "name")
        await refused(other.change(TaskFacts(name=" ", billable="perhaps")), "name", "billable")
        await travel.change(TaskFacts(name="Way", billable="no"))
        assert (await Task.find(travel.id)).facts == TaskFacts(name="Way", billable="no")


async def test_a_project_is_read_field_by_field() -> None:
    async with transaction(MAX):
        wrong = ProjectFacts(
            name="", service_id=str(GLOBEX_HELPDESK), state="lost", budget_minutes="-2h", budget_amount="1.234"
        )
        await refused(
            a_project(wrong),
            "name",
            "service_id",
            "state",
            "budget_minutes",
            "budget_amount",
        )
        await refused(a_project(but(MOVE, budget_amount="0")), "budget_amount")
        project = await a_project()
        await refused(a_project(but(MOVE, name="NEW office")), "name")
        assert (project.budget_minutes, project.budget_amount, project.state) == (7200, 15000, "open")
        facts = await (await Project.find(project.id)).facts()
        assert facts == but(MOVE, budget_minutes="120\u00a0h", budget_amount="15000.00")
        await project.change(but(facts, budget_minutes="", budget_amount="", state="paused"))
        again = await Project.find(project.id, customer=ACME)
        assert (again.budget_minutes, again.budget_amount, again.state) == (None, None, "paused")
        with pytest.raises(NotFound):
            await Project.find(project.id, customer=GLOBEX)


async def test_the_service_of_a_project_stays_once_time_is_logged_on_it() -> None:
    """The service of a project can change, together with the project's tasks, until time is logged on the project."""
    async with transaction(MAX):
        other = await Service.create(await Contract.find(ACME_CONTRACT, SYSTEM), ServiceFacts(name="On site"), NOW)
        project = await a_project()
        task = await Task.create(project, TaskFacts(name="Cabling"))
        await project.change(but(MOVE, service_id=str(other.id)))
        assert (await Task.find(task.id)).service_id == other.id
        project = await Project.find(project.id)
        await TimeEntry.log(MAX, Work(minutes=30, work_date=LATE, task_id=task.id), at=NOW, project=project)
        await refused(project.change(but(MOVE, name="Changed")), "service_id")
        assert (await Project.find(project.id)).name == "New office"


async def test_a_project_has_exactly_the_members_that_were_chosen() -> None:
    async with transaction(MAX):
        project = await a_project()
        for chosen, become in (([INES.id, MAX.id, 999], [INES.id, MAX.id]), ([MAX.id], [MAX.id]), ([], [])):
            for _ in range(2):
                await project.staff(chosen)
                assert await project.members() == become


async def test_a_contact_reads_the_name_of_a_project_only_on_a_case_of_it() -> None:
    """R23: Ada can read only the name of a project, and only if a case that she may see belongs to the project."""
    async with transaction(MAX):
        project = await a_project()
        await Task.create(project, TaskFacts(name="Cabling"))
        await project.staff([INES.id])
    async with transaction(ADA) as tx:
        assert await tx.fetch("select name from project") == []
    async with transaction(MAX) as tx:
        await tx.execute(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at, project_id)"
            " values ($1, 1, 'Cables', 1, 3, 'new', $2, $2, $3)",
            ACME, NOW, project.id,
        )  # fmt: skip
    async with transaction(ADA) as tx:
        assert [row["name"] for row in await tx.fetch("select name from project")] == ["New office"]
    for statement in (
        "select budget_amount from project",
        "select 1 from task",
        "select 1 from project_member",
        "select form_key from appointment",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ADA):
                await current().fetch(statement)


async def test_a_task_of_another_service_cannot_be_stored_whatever_the_code_says() -> None:
    """The database refuses a time entry whose task belongs to another service, even if the code has not checked it."""
    async with transaction(MAX):
        task = await Task.create(await helpdesk(), TaskFacts(name="Travel"))
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with transaction(MAX):
            entry = await TimeEntry.log(MAX, Work(minutes=30, work_date=LATE, service_id=GLOBEX_HELPDESK), at=NOW)
            await current().execute("update time_entry set task_id = $2 where id = $1", entry.id, task.id)
