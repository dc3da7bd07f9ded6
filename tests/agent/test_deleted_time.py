"""Test the list of deleted time entries: who deleted which entry when, and the history of each."""

import html
import re
from datetime import timedelta

from portal.billing import Choice, delete_entry, flag
from portal.contracts.projects import Project, ProjectFacts
from portal.database import transaction
from portal.desk import Case
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping import deleted
from portal.timekeeping.deleted import list_deleted
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.states import submit
from portal.web.visit import now
from tests.agent.test_time import logged, today
from tests.browser import Browser
from tests.world import ACME, HELPDESK, INES, MAX

HERE = "/agent/timesheets/deleted"


async def test_a_deleted_entry_is_shown_with_its_history(ines: Browser, max_: Browser, case: Case) -> None:
    """S2.22, C3: a manager sees who deleted an entry, its last values and its history; Ines, an agent, gets 403."""
    entry = await logged(case, minutes=50, external_comment="Switch <replaced>")
    async with transaction(INES):
        await submit(INES, [entry.id], at=now())
    async with transaction(MAX):
        await flag([Choice(entry.id, 1)], question="Which site?", by=MAX, at=now())
        await delete_entry(entry.id, version=1, by=MAX, at=now())
    assert (await ines.get(HERE)).status_code == 403
    assert (await max_.get(f"/agent/time/{entry.id}")).status_code == 404
    page = html.unescape((await max_.get(HERE)).text)
    assert f'id="deleted-{entry.id}"' in page
    for text in (
        "by Max Herrmann",
        "Ines Okafor",
        f"#{case.number} {case.subject}",
        "Acme",
        "Switch <replaced>",
        "0:50",
    ):
        assert text in page
    history = re.sub(r"\s+", " ", page[page.index("<summary>History") :])
    steps = ["Ines Okafor logged this", "Ines Okafor submitted this", "Max Herrmann flagged this: “Which site?”"]
    places = [history.index(step) for step in [*steps, "Max Herrmann deleted this: Agent “Ines Okafor” → none"]]
    assert places == sorted(places)


async def test_deleted_time_of_projects_and_general_time_says_what_it_was_on(max_: Browser) -> None:
    """S2.22, S2.38: the list of deleted time names the project, if the time was on a project.

    For general time, which is for no customer, it shows the kind of the time and its description.
    """
    async with transaction(MAX):
        facts = ProjectFacts(name="New office", service_id=str(HELPDESK))
        project = await Project.create(await Customer.find(ACME, SYSTEM), facts, now())
        work = Work(minutes=120, work_date=today(), external_comment="Cables")
        planned = await TimeEntry.log(MAX, work, at=now(), project=project)
        await planned.discard(MAX, version=1, at=now())
    general = await logged(None, minutes=45, general_kind_id=1, description="Team")
    async with transaction(INES):
        await (await TimeEntry.find(general.id, INES)).discard(INES, version=1, at=now())
    page = (await max_.get(HERE)).text
    assert ("New office" in page, "Meeting" in page, "Team" in page) == (True, True, True)


async def test_the_list_is_limited_to_days_and_has_pages(max_: Browser) -> None:
    """D56: each page of the list except the last links to earlier deletions.

    If nothing was deleted on the chosen days, the page says so. Invalid values in the URL are ignored.
    """
    made = [await logged(None, minutes=10, general_kind_id=1, description=f"Call {n}") for n in range(deleted.PAGE + 2)]
    async with transaction(INES):
        for entry in made:
            await (await TimeEntry.find(entry.id, INES)).discard(INES, version=1, at=now())
    page = (await max_.get(HERE)).text
    found = re.findall(r'id="deleted-(\d+)"', page)
    assert found == [str(entry.id) for entry in reversed(made[2:])]
    onwards = re.search(r'href="([^"]+)" rel="next"', page)
    assert onwards
    page = (await max_.get(onwards[1].replace("&amp;", "&"))).text
    assert re.findall(r'id="deleted-(\d+)"', page) == [str(entry.id) for entry in reversed(made[:2])]
    assert 'rel="next"' not in page
    before = today() - timedelta(days=1)
    assert "Nothing was deleted" in (await max_.get(f"{HERE}?from={before}&until={before}")).text
    for nonsense in ("from=x&until=9999-12-31", "before=x", "from=0001-01-01"):
        assert (await max_.get(f"{HERE}?{nonsense}")).status_code == 200
    async with transaction(MAX, readonly=True):
        assert (await list_deleted(MAX, today(), today())).more
