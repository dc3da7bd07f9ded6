"""Test the pages of services and projects: planning a project, logging time there, and submitting that time."""

import re
from datetime import timedelta
from typing import Any

import pytest

from portal import billing
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.desk import Case
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.states import submit
from portal.timekeeping.work import Work
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ACME, ADA, GLOBEX_HELPDESK, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")

TODAY = NOW.date()
FORM = {"duration": "50m", "work_date": TODAY.isoformat(), "billing": "billable"}


@pytest.fixture
async def project(dsn: str) -> Project:
    """Create a project of Acme under the service Helpdesk, with a budget of 2 hours and 500 EUR."""
    facts = ProjectFacts(name="New office", service_id=str(HELPDESK), budget_minutes="2h", budget_amount="500")
    async with transaction(MAX):
        return await Project.create(await Customer.find(ACME, SYSTEM), facts, NOW)


async def entries() -> list[Any]:
    async with transaction(INES) as tx:
        return list(await tx.fetch("select * from time_entry order by id"))


async def logged(by: Any = INES, **about: Any) -> TimeEntry:
    work = Work(minutes=50, work_date=TODAY, service_id=HELPDESK, external_comment="VPN restored")
    async with transaction(by):
        return await TimeEntry.log(by, work, at=NOW, **about)


# --- a service


async def test_time_is_logged_on_the_page_of_its_service(ines: Browser) -> None:
    """S0.3, S0.8: time that Ines logs from the page of a service is under that service, and can have one of its tasks.

    This holds even if a field of the form names another service. A form that is sent twice makes one entry.
    """
    async with transaction(MAX):
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Installation"))
    here = f"/agent/services/{HELPDESK}"
    page = (await ines.get(here)).text
    assert "Installation" in page
    assert f'href="/agent/time/new?on=service-{HELPDESK}"' in page
    page = (await ines.get(f"/agent/time/new?on=service-{HELPDESK}")).text
    assert ">Installation</option>" in page
    key = re.search(r'name="form_key" value="([^"]+)"', page)
    assert key
    form = FORM | {"form_key": key[1], "task": str(task.id), "on": f"service-{HELPDESK}", "back": here}
    form |= {"service": str(GLOBEX_HELPDESK)}
    for _ in range(2):
        answer = await ines.send_form("/agent/time/new", form)
        assert (answer.status_code, answer.headers["location"]) == (303, here)
    (entry,) = await entries()
    assert (entry["service_id"], entry["task_id"], entry["billable_minutes"]) == (HELPDESK, task.id, 60)


async def test_entries_are_selected_and_submitted_on_the_page_of_their_service(ines: Browser) -> None:
    """S0.24, S0.26: Ines submits two ticked entries at once on the page of their service; doing so twice is harmless.

    Max's entry has no box to tick, and Ines gets 409 if she submits his entry all the same.
    """
    mine, other, theirs = await logged(), await logged(), await logged(MAX)
    here = f"/agent/services/{HELPDESK}"
    page = (await ines.get(here)).text
    assert sorted(re.findall(r'name="entry"\s+value="(\d+)"', page)) == sorted([str(mine.id), str(other.id)])
    for _ in range(2):
        answer = await ines.send_form(f"{here}/submission", {"entry": [str(mine.id), str(other.id)]})
        assert answer.headers["location"].startswith(f"{here}?state=submitted&submitted=")
    answer = await ines.send_form(f"{here}/submission", {"entry": [str(theirs.id)]})
    assert (answer.status_code, "Only a manager may submit" in answer.text) == (409, True)
    assert "Tick the entries" in (await ines.send_form(f"{here}/submission")).text
    assert [entry["state"] for entry in await entries()] == ["submitted", "submitted", "draft"]


async def test_the_entries_of_a_service_are_shown_by_state_in_pages(ines: Browser, case: Case) -> None:
    """S1.12: two pages list all 61 entries of a service, each once; a filter by state hides entries in other states."""
    entry = await logged(case=case)
    async with transaction(INES) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing,
              billable_minutes, external_comment, description, state, created_at, window_from)
            select 1, 1, 1, 1, $2::date - 1 - n, 10, 'billable', 15, 'comment', '', 'draft', $1, $1 from generate_series(1, 60) n""",
            NOW, TODAY,
        )  # fmt: skip
    here = f"/agent/services/{HELPDESK}"
    first = (await ines.get(here)).text
    assert f'href="/agent/cases/{case.number}">#{case.number}' in first
    address = re.search(r'href="([^"]+after=[^"]+)"', first)
    assert address
    second = (await ines.get(address[1].replace("&amp;", "&"))).text
    ids = [re.findall(r'id="entry-(\d+)"', page) for page in (first, second)]
    assert (len(ids[0]), len(ids[1]), len({*ids[0], *ids[1]})) == (50, 11, 61)
    assert f'id="entry-{entry.id}"' not in (await ines.get(f"{here}?state=approved")).text


# --- projects


async def test_a_manager_plans_a_project(max_: Browser, ines: Browser) -> None:
    """Max creates a project with a service, a budget and members, and Ines sees them; the same form again gets 422.

    Ines, who is not a manager, gets 403 if she sends the form. A project without a customer gets 422, and an unknown
    customer gets 404.
    """
    assert "Whom the project is for" in (await max_.get("/agent/projects/new")).text
    form = {
        "customer": str(ACME), "name": "New office", "service_id": str(HELPDESK), "budget_minutes": "120h", "budget_amount": "15000",
        "members": [str(INES.id), str(MAX.id)],
    }  # fmt: skip
    assert (await ines.send_form("/agent/projects/new", form)).status_code == 403
    made = await max_.send_form("/agent/projects/new", form)
    assert made.status_code == 303
    page = (await ines.get(made.headers["location"])).text
    for words in ("120\u00a0h of the budget left", "Ines Okafor, Max Herrmann", "€15,000.00"):
        assert words in page, words
    assert "New office" in (await ines.get("/agent/projects")).text
    assert (await max_.send_form("/agent/projects/new", form)).status_code == 422
    assert (await max_.send_form("/agent/projects/new", form | {"customer": "", "name": "Other"})).status_code == 422
    assert (await max_.send_form("/agent/projects/new", form | {"customer": "99", "name": "Other"})).status_code == 404


async def test_of_two_managers_who_change_a_project_neither_undoes_the_other(max_: Browser, project: Project) -> None:
    here = f"/agent/projects/{project.id}/edit"
    seen = re.search(r'name="seen" value="([^"]+)"', (await max_.get(here)).text)
    assert seen
    shown = {
        "name": "New office",
        "service_id": str(HELPDESK),
        "budget_minutes": "2\u00a0h",
        "budget_amount": "500.00",
        "state": "open",
    }
    shown |= {"seen": seen[1].replace("&#34;", '"')}
    assert (await max_.send_form(here, shown | {"state": "paused"})).status_code == 303
    assert (await max_.send_form(here, shown | {"name": "Newer office"})).status_code == 303
    assert (await max_.send_form(here, shown | {"state": "done"})).status_code == 409
    async with transaction(MAX):
        found = await Project.find(project.id)
    assert (found.name, found.state) == ("Newer office", "paused")


async def test_time_on_a_project_counts_against_its_budget(ines: Browser, max_: Browser, project: Project) -> None:
    """S2.2, S3.30: a project's page shows the time worked, the amount for approved time, and the rest of the budget.

    If more is logged than the budget allows, the page shows by how much.
    """
    here = f"/agent/projects/{project.id}"
    assert f'href="/agent/time/new?on=project-{project.id}"' in (await ines.get(here)).text
    form = FORM | {"on": f"project-{project.id}", "back": here}
    assert (await ines.send_form("/agent/time/new", form)).headers["location"] == here
    page = (await ines.get(here)).text
    assert "1\u00a0h\u00a010\u00a0min of the budget left" in page
    assert "50\u00a0min not submitted" in page
    (entry,) = await entries()
    assert (entry["project_id"], entry["service_id"]) == (project.id, HELPDESK)
    assert (await ines.send_form(f"{here}/submission", {"entry": [str(entry["id"])]})).status_code == 303
    async with transaction(MAX):
        assert not (await billing.approve([billing.Choice(entry["id"], entry["version"])], by=MAX, at=NOW)).refused
    page = (await ines.get(here)).text
    assert "50\u00a0min approved" in page
    assert "€120.00 for what is approved, €380.00 left" in re.sub(r"\s+", " ", page)
    await max_.send_form("/agent/time/new", form | {"duration": "3h"})
    assert "1\u00a0h\u00a050\u00a0min over the budget" in (await ines.get(here)).text


async def test_support_and_project_time_of_a_contract_stand_on_one_invoice(case: Case, project: Project) -> None:
    """S3.29: time on a case and on a project, under two services of one contract, makes two lines of one draft."""
    async with transaction(MAX) as tx:
        other = await tx.fetchval(
            "insert into service (customer_id, contract_id, name, settlement, rollup, taxable, effective_start, rounding_minimum,"
            " rounding_increment, rounding_mode, created_at) values (1, 1, 'Projects', 'time_spent', 'service', true, '2026-01-01', 0, 15,"
            " 'up', $1) returning id", NOW,
        )  # fmt: skip
        await tx.execute("update project set service_id = $1", other)
        moved = await Project.find(project.id)
    support = await logged(case=case)
    async with transaction(INES):
        work = Work(minutes=120, work_date=TODAY, external_comment="Cabling")
        planned = await TimeEntry.log(INES, work, at=NOW, project=moved)
        assert not (await submit(INES, [support.id, planned.id], at=NOW)).refused
    async with transaction(MAX) as tx:
        chosen = [billing.Choice(one.id, one.version) for one in (support, planned)]
        assert not (await billing.approve(chosen, by=MAX, at=NOW)).refused
        run = await billing.run(TODAY + timedelta(days=1), [ACME], by=MAX, at=NOW)
        assert run
        (draft,) = run.draft_ids
        rows = await tx.fetch("select l.net from invoice_line l where l.invoice_id = $1 order by l.position", draft)
    assert sorted(row["net"] for row in rows) == [120, 240]


async def test_a_case_is_connected_to_a_project_and_both_sides_show_it(
    ines: Browser, app: Gate, case: Case, project: Project
) -> None:
    """S3.39: the pages of a case and of the project to which it is connected name each other.

    The list of cases can be filtered by project. Ada reads the project's name on her case, but no budget, and gets 404
    for the page of the project.
    """
    async with transaction(INES):
        await (await Case.find(case.number, INES)).change_facts(by=INES, at=NOW, project_id=project.id)
    await logged(case=case)
    assert f'href="/agent/projects/{project.id}">New office' in (await ines.get(f"/agent/cases/{case.number}")).text
    page = (await ines.get(f"/agent/projects/{project.id}")).text
    assert f'href="/agent/cases/{case.number}">#{case.number}' in page
    assert "50\u00a0min worked, under the services of the cases" in page
    async with transaction(ADA):
        other = await Case.open(by=ADA, subject="Mouse", text="It squeaks.", case_type_id=1, at=NOW)
    for of, shown in ((project.id, {case.number}), (project.id + 1, set())):
        listed = (await ines.get(f"/agent/cases?view=all&project={of}")).text
        assert {int(found) for found in re.findall(r'href="/agent/cases/(\d+)"', listed)} == shown
    assert f"/agent/cases/{other.number}" in (await ines.get("/agent/cases?view=all")).text
    async with await Browser.of(app, ADA, at=NOW) as ada:
        page = (await ada.get(f"/cases/{case.number}")).text
        assert "New office" in page
        assert "500.00" not in page
        assert (await ada.get(f"/agent/projects/{project.id}")).status_code == 404


async def test_a_case_is_connected_on_the_form_of_its_facts(ines: Browser, case: Case, project: Project) -> None:
    """S3.39: in the form of a case's facts, Ines connects the case to a project of its customer, and disconnects it.

    Sending the form again adds no event to the log, and an unknown project gets 422.
    """
    here = f"/agent/cases/{case.number}/facts"
    page = (await ines.get(here)).text
    assert ">New office</option>" in page
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    form = {
        "subject": case.subject, "case_type": str(case.case_type_id), "priority": str(case.priority), "service": str(HELPDESK),
        "contact": str(case.contact_id),
    }  # fmt: skip
    assert (await ines.send_form(here, form | {"project": "99"})).status_code == 422
    for choice, found in ((str(project.id), project.id), (str(project.id), project.id), ("", None)):
        assert (await ines.send_form(here, form | {"project": choice})).status_code == 303
        async with transaction(INES):
            assert (await Case.find(case.number, INES)).project_id == found
    async with transaction(INES):
        kinds = [
            row["kind"]
            for row in await current().fetch("select kind from case_event where case_id = $1 order by id", case.id)
        ]
    assert kinds == ["opened", "project", "project"]


async def test_the_list_of_projects_has_pages_and_ends_nowhere(ines: Browser, project: Project) -> None:
    async with transaction(MAX) as tx:
        await tx.execute(
            "insert into project (customer_id, service_id, name, state, created_at)"
            " select 1, 1, 'Plan ' || n, case when n % 2 = 0 then 'open' else 'done' end, $1 from generate_series(1, 120) n", NOW,
        )  # fmt: skip
    found: list[str] = []
    address = "/agent/projects?state=all"
    for _ in range(3):
        page = (await ines.get(address)).text
        found += re.findall(r'href="/agent/projects/(\d+)"', page)
        following = re.search(r'href="([^"]+)"\s+rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert (len(found), len(set(found)), address) == (121, 121, "")
    assert "New office" in (await ines.get("/agent/projects?state=open&after=abc")).text
    assert "No project here" in (await ines.get("/agent/projects?state=paused")).text
