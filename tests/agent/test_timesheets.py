"""Test the pages of timesheets: who may open them, what they show, filters, groups, and decisions on entries."""

import re
from datetime import timedelta

import pytest

from portal import billing
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.web.gate import Gate
from tests.billing.work import a_case, log, states
from tests.browser import Browser
from tests.world import (
    ACME,
    ACME_CONTRACT,
    GLOBEX,
    GLOBEX_HELPDESK,
    HELPDESK,
    INES,
    MAX,
    MOVE,
    NOOR,
    NOW,
    SUPPORT,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/timesheets"
TODAY = NOW.date()
MONTH = f"from={TODAY.replace(day=1)}&until={TODAY}"


def shown(page: str) -> set[int]:
    """Return the ids of the entries on a page."""
    return {int(found) for found in re.findall(r'<tr role="row" id="entry-(\d+)"', page)}


@pytest.fixture
async def world(dsn: str) -> dict[str, int]:
    """Insert entries of Ines and Noor on work of every kind, and return their ids by name.

    The entries are in the month of `TODAY`, except the entry "old". The names "of project" and "of task" stand for the
    ids of the project and the task. Noor is moved to the department with the id 2.
    """
    async with transaction(MAX):
        project = await Project.create(
            await Customer.find(ACME, SYSTEM), ProjectFacts(name="New office", service_id=str(HELPDESK)), NOW
        )
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Cabling"))
        planned = await TimeEntry.log(
            INES, Work(minutes=120, work_date=TODAY, external_comment="Cables drawn", task_id=task.id), at=NOW, project=project
        )  # fmt: skip
    async with transaction(SYSTEM):
        case = await a_case()
        made = {
            "case": await log(60, on=TODAY, case_id=case["id"]),
            "globex": await log(30, on=TODAY, service=GLOBEX_HELPDESK, billing="not_billable"),
            "general": await log(45, on=TODAY - timedelta(days=1), service=None, billing="not_billable"),
            "noor": await log(20, on=TODAY, who=NOOR, state="draft"),
            "rejected": await log(25, on=TODAY, state="rejected"),
            "old": await log(15, on=TODAY.replace(day=1) - timedelta(days=1)),
        }
        await current().execute("update agent set department_id = 2 where id = $1", NOOR.id)
    return {name: entry.id for name, entry in made.items()} | {
        "project": planned.id, "of project": project.id, "of task": task.id,
    }  # fmt: skip


async def test_the_help_desk_and_projects_have_timesheets_of_a_range_of_days(app: Gate, world: dict[str, int]) -> None:
    """S2.26, S2.27, S2.29: a timesheet shows Max all entries of the chosen kind (help desk, project or all) and days.

    The state of an entry does not matter. Without a kind and days, the timesheet shows the help desk's time of the
    current month. Invalid values in the URL are ignored.
    """
    async with await Browser.of(app, MAX, at=NOW) as browser:
        desk = {world[name] for name in ("case", "globex", "general", "noor", "rejected")}
        assert shown((await browser.get(f"{PATH}?kind=desk&{MONTH}")).text) == desk
        assert shown((await browser.get(PATH)).text) == desk
        assert shown((await browser.get(f"{PATH}?kind=project&{MONTH}")).text) == {world["project"]}
        page = (await browser.get(f"{PATH}?kind=all&{MONTH}")).text
        assert shown(page) == desk | {world["project"]}
        assert "6\xa0entries, 5\xa0h worked" in page
        day = (
            await browser.get(f"{PATH}?kind=all&from={TODAY - timedelta(days=1)}&until={TODAY - timedelta(days=1)}")
        ).text
        assert shown(day) == {world["general"]}
        assert shown((await browser.get(f"{PATH}?kind=all&from=2026-01-01&until={TODAY}")).text) == {
            *desk, world["project"], world["old"],
        }  # fmt: skip
        for nonsense in (
            "from=x&until=y",
            "kind=zzz&agent=abc",
            "group=zzz&state=9&after=1.2.3",
            "agent=99999999999999999999",
        ):
            assert (await browser.get(f"{PATH}?{nonsense}")).status_code == 200


async def test_only_managers_and_admins_reach_the_timesheets(app: Gate, world: dict[str, int]) -> None:
    """S2.28: Ines, who is not a manager, gets 403 for the timesheets and no link to them; Max and Noor reach them."""
    for reader, status in ((INES, 403), (MAX, 200), (NOOR, 200)):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(PATH)).status_code == status
            assert ("/agent/timesheets" in (await browser.get("/agent/time")).text) == (status == 200)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (f"agent={NOOR.id}", "noor"),
        (f"department={MOVE}", "noor"),
        (f"department={SUPPORT}", "case globex general rejected project"),
        (f"customer={GLOBEX}", "globex"),
        (f"contract={ACME_CONTRACT}", "case noor rejected project"),
        (f"service={GLOBEX_HELPDESK}", "globex"),
        ("project={of project}", "project"),
        ("task={of task}", "project"),
        ("on=case", "case"),
        ("on=general", "general"),
        ("on=service", "globex noor rejected"),
        ("on=project", "project"),
        ("billing=not_billable", "globex general"),
        ("billing=billable", "case noor rejected project"),
        ("state=draft", "noor project"),
        ("state=rejected", "rejected"),
        ("customer=99", ""),
    ],
)  # fmt: skip
async def test_a_timesheet_is_filtered(app: Gate, world: dict[str, int], asked: str, names: str) -> None:
    """S2.30, S2.31, S2.32, S2.33, S2.40: each filter of the timesheets shows the matching entries only.

    The filters include agent, customer, contract and billing.
    """
    for name in ("of project", "of task"):
        asked = asked.replace(f"{{{name}}}", str(world[name]))
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"{PATH}?kind=all&{MONTH}&{asked}")).text
    assert shown(page) == {world[name] for name in names.split()}
    if not names:
        assert "No entry of these days fits the filters." in page


async def test_a_filter_is_typed_by_name_without_script(app: Gate, world: dict[str, int]) -> None:
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"{PATH}?kind=all&{MONTH}&customer=&customer_typed=glob")).text
        assert shown(page) == {world["globex"]}
        page = (await browser.get(f"{PATH}?kind=all&{MONTH}&project=&project_typed=nothing")).text
        assert "There is no project with “nothing” in its name." in page


@pytest.mark.parametrize(
    ("group", "heads"),
    [
        ("day", ["Fri 20\xa0Nov", "Thu 19\xa0Nov"]),
        ("agent", ["Ines Okafor", "Noor Haddad"]),
        ("customer", ["Acme", "Globex", "General time"]),
        ("contract", ["Acme, Support 2026", "Globex, Helpdesk", "Without a contract"]),
        ("service", ["Acme, Helpdesk", "Globex, Globex helpdesk", "Without a service"]),
        ("project", ["Acme, New office", "Without a project"]),
        ("task", ["Acme, Helpdesk, Cabling", "Without a task"]),
    ],
)
async def test_groups_have_subtotals_that_add_up(
    app: Gate, world: dict[str, int], group: str, heads: list[str]
) -> None:
    """S2.29: each entry is in one group; the subtotals of worked time sum to the total of 5 h."""
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"{PATH}?kind=all&{MONTH}&group={group}")).text
    assert re.findall(r'role="rowheader"><strong>([^<]+)<', page) == heads
    sums = re.findall(r'<td class="number quiet end" role="cell">(\d+):(\d\d)<', page)
    assert sum(int(hours) * 60 + int(minutes) for hours, minutes in sums) == 300
    assert len(shown(page)) == 6


async def many(count: int) -> None:
    """Insert `count` submitted entries of Ines for Acme, ten a day, backwards from today."""
    await current().execute(
        "insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,"
        " external_comment, description, state, created_at, window_from, submitted_at)"
        " select 1, 1, 1, 1, $1::date - (n / 10)::int, 10, 'billable', 15, 'comment', '', 'submitted', $2, $2, $2 from generate_series(1, $3) n",
        TODAY, NOW, count,
    )  # fmt: skip


@pytest.mark.parametrize("group", ["day", "agent", "customer", "service", "project"])
async def test_the_pages_of_a_timesheet_show_each_entry_once(app: Gate, world: dict[str, int], group: str) -> None:
    """D56: in every grouping, the pages (by keyset cursor) show each entry once, and sums cover all pages."""
    async with transaction(SYSTEM):
        await many(120)
    found: list[int] = []
    address = f"{PATH}?kind=all&from=2026-01-01&until={TODAY}&group={group}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        for _ in range(5):
            page = (await browser.get(address)).text
            assert "127\xa0entries" in page
            found += re.findall(r'<tr role="row" id="entry-(\d+)"', page)
            following = re.search(r'href="([^"]+)"\s+rel="next"', page)
            if not following:
                break
            address = following[1].replace("&amp;", "&")
    assert (len(found), len(set(found))) == (127, 127)


async def test_sums_of_very_many_entries_are_fetched_after_the_page(app: Gate, world: dict[str, int]) -> None:
    """If more than 5,000 entries match, the page of a timesheet says only "More than 5,000 entries".

    A later request by htmx, and the page with the query parameter `sums=all`, give the sums of all entries.
    """
    async with transaction(SYSTEM):
        await many(5_100)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"{PATH}?kind=all&from=2020-01-01&group=customer")).text
        assert "More than 5,000\xa0entries" in page
        fragment = re.search(r'hx-get="(/agent/timesheets/sums[^"]+)"', page)
        assert fragment
        assert "5,107\xa0entries" in (await browser.get(fragment[1].replace("&amp;", "&"))).text
        assert (
            "5,107\xa0entries" in (await browser.get(f"{PATH}?kind=all&from=2020-01-01&group=customer&sums=all")).text
        )


async def test_entries_are_approved_on_the_timesheet_and_taken_back(app: Gate, world: dict[str, int]) -> None:
    """S2.34: on the timesheet, Max approves two entries at once and undoes the approvals; approving twice gets 409."""
    async with transaction(SYSTEM):
        await current().execute("update agent set department_id = 1")
        entries = [await log(on=TODAY), await log(30, on=TODAY)]
    ticked = {"entry": [f"{entry.id}:{entry.version}" for entry in entries]}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"{PATH}?kind=desk&{MONTH}")).text
        assert f'value="{entries[0].id}:1"' in page
        answer = await browser.send_form(f"{PATH}/approval?kind=desk&{MONTH}", ticked)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{PATH}?kind=desk&{MONTH}&approved=2&decision=")
        page = (await browser.get(answer.headers["location"])).text
        assert "2\xa0entries approved." in page
        assert f'value="{entries[0].id}:1" data-alone' in page, (
            "an approved entry can be ticked to flag it, but 'select all' leaves it out"
        )
        again = await browser.send_form(f"{PATH}/approval?kind=desk&{MONTH}", ticked)
        assert (again.status_code, "It is approved already, by Max Herrmann." in again.text) == (409, True)
        undo = re.search(r'action="([^"]+/withdrawal[^"]*)"', page)
        assert undo
        assert (await browser.send_form(undo[1].replace("&amp;", "&"))).status_code == 303
    async with transaction(SYSTEM):
        assert await states(*entries) == ["submitted", "submitted"]


@pytest.mark.parametrize("page", [PATH, "/agent/approvals"])
async def test_a_link_that_tells_of_no_decision_offers_no_undo(app: Gate, page: str) -> None:
    """R50: an invalid number of entries in the URL shows no message; an invalid id of a decision offers no undo."""
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "taken back" not in (await browser.get(f"{page}?withdrawn=²")).text
        answer = await browser.get(f"{page}?approved=2&decision=../../time/1/deletion?x=")
        assert "2\xa0entries approved" in answer.text
        assert "/deletion" not in answer.text.replace("&amp;decision=", "")


async def test_entries_are_rejected_on_the_timesheet_with_a_reason(app: Gate, world: dict[str, int]) -> None:
    """S0.30: Max rejects an entry on the timesheet, which then shows his reason; without a reason he gets 422.

    Rejecting the entry again gets 409.
    """
    choice = {"entry": [f"{world['case']}:1"]}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        refused = await browser.send_form(f"{PATH}/rejection?{MONTH}", choice | {"reason": " "})
        assert (refused.status_code, "Say why" in refused.text) == (422, True)
        done = await browser.send_form(f"{PATH}/rejection?{MONTH}", choice | {"reason": "Which site?"})
        assert done.headers["location"].startswith(f"{PATH}?kind=desk&{MONTH}&rejected=1&decision=")
        assert "Rejected: Which site?" in (await browser.get(done.headers["location"])).text
        gone = await browser.send_form(f"{PATH}/rejection?{MONTH}", choice | {"reason": "Again"})
        assert gone.status_code == 409


async def test_entries_are_flagged_on_the_timesheet_with_a_question(app: Gate, world: dict[str, int]) -> None:
    """S2.35: Max flags an entry with a question, which the timesheet then shows, and undoes the flag.

    A filter finds flagged entries. Without a question, he gets 422. Flagging or approving the flagged entry from the
    same form gets 409.
    """
    choice = {"entry": [f"{world['case']}:1"]}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        refused = await browser.send_form(f"{PATH}/flags?{MONTH}", choice | {"question": " "})
        assert (refused.status_code, "Write the question" in refused.text) == (422, True)
        done = await browser.send_form(f"{PATH}/flags?{MONTH}", choice | {"question": "Which site?"})
        assert done.headers["location"].startswith(f"{PATH}?kind=desk&{MONTH}&flagged=1&decision=")
        page = (await browser.get(done.headers["location"])).text
        assert "Which site?" in page
        assert shown((await browser.get(f"{PATH}?kind=all&{MONTH}&flag=open")).text) == {world["case"]}
        assert (await browser.send_form(f"{PATH}/flags?{MONTH}", choice | {"question": "Again?"})).status_code == 409
        assert (await browser.send_form(f"{PATH}/approval?{MONTH}", choice)).status_code == 409
        undo = re.search(r'action="([^"]+/withdrawal[^"]*)"', page)
        assert undo
        assert (await browser.send_form(undo[1].replace("&amp;", "&"))).status_code == 303
        assert "No entry of these days fits" in (await browser.get(f"{PATH}?kind=all&{MONTH}&flag=open")).text
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select state from time_entry where id = $1", world["case"]) == "submitted"


async def test_approved_time_is_flagged_on_the_timesheet_until_it_is_billed(app: Gate) -> None:
    """S2.35, C3: Max flags an approved entry, which has a tick box, and lifts the flag; the entry stays approved.

    The page for decisions on all entries leaves the flagged entry out. An entry on a draft invoice has no tick box and
    cannot be flagged.
    """
    async with transaction(SYSTEM):
        free, billed = await log(on=NOW.date().replace(day=2)), await log(on=TODAY.replace(day=1))
    async with transaction(MAX):
        await billing.approve([free.choice, billed.choice], by=MAX, at=NOW)
        await billing.run(TODAY.replace(day=2), [ACME], by=MAX, at=NOW)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"{PATH}?{MONTH}")).text
        assert set(re.findall(r'name="entry"\s+value="(\d+):', page)) == {str(free.id)}
        assert "Nothing to decide here" in (await browser.get(f"{PATH}/everything?{MONTH}")).text
        asked = {"question": "Which site?", "entry": [f"{free.id}:1", f"{billed.id}:1"]}
        done = await browser.send_form(f"{PATH}/flags?{MONTH}", asked)
        assert "1\xa0entry went through, 1 did not:" in done.text
        lift = re.search(r'formaction="(/agent/flags/\d+/lifting)"', done.text)
        assert lift
        told = f"{browser.base_url}{PATH}?{MONTH}&flagged=1&decision=x"
        lifted = await browser.send_form(lift[1], Referer=told)
        assert lifted.headers["location"] == f"{PATH}?{MONTH}&lifted=1", "the message of the flag does not come back"
        assert "Which site?" not in (await browser.get(f"{PATH}?{MONTH}")).text
    async with transaction(SYSTEM):
        assert await states(free, billed) == ["approved", "approved"]


async def test_all_that_match_a_filter_are_decided_on_at_once(app: Gate, world: dict[str, int]) -> None:
    """S0.29, D35: Max asks to approve all 123 entries that match a filter at once; 122 of them are approved.

    One entry was changed after the page was opened. It is not approved, and the page says why. If Max rejects entries
    without a reason, he gets 422 and the same page.
    """
    async with transaction(SYSTEM):
        await many(120)
    asked = f"kind=all&from=2026-01-01&until={TODAY}&agent={INES.id}&billing=billable"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "/agent/timesheets/everything?" in (await browser.get(f"{PATH}?{asked}")).text
        page = (await browser.get(f"{PATH}/everything?{asked}")).text
        assert "Decide on 123\xa0entries at once?" in page
        entries = re.search(r'name="entries" value="([^"]+)"', page)
        assert entries
        async with transaction(SYSTEM) as tx:
            await tx.execute("update time_entry set version = 2 where id = $1", world["case"])
        answer = await browser.send_form(f"{PATH}/approval?{asked}", {"entries": entries[1]})
        assert answer.status_code == 200
        assert "122\xa0entries went through, 1 did not:" in answer.text
        assert "It was changed in the meantime." in answer.text
        refused = await browser.send_form(f"{PATH}/rejection?{asked}", {"entries": f"{world['case']}:2", "reason": ""})
        assert (refused.status_code, "at once?" in refused.text) == (422, True)


async def test_only_what_one_may_decide_on_has_a_tick_box(app: Gate, world: dict[str, int]) -> None:
    """C10: of the drafts of Ines and Noor, only Ines's draft has a tick box for Max, who approves for her department.

    For Noor, an admin, only Ines's draft has a tick box too, because nobody decides on their own time.
    """
    asked = f"{PATH}?kind=all&{MONTH}&state=draft"
    for reader, names in ((MAX, {"project"}), (NOOR, {"project"})):
        async with await Browser.of(app, reader, at=NOW) as browser:
            page = (await browser.get(asked)).text
        boxes = {int(found) for found in re.findall(r'name="entry"\s+value="(\d+):', page)}
        assert boxes == {world[name] for name in names}


async def test_nobody_decides_on_their_own_time_or_as_an_agent(app: Gate) -> None:
    """D33, S2.28: Max's own time has no tick box for him, and he gets 403 if he approves it.

    Ines, who is not a manager, gets 403 for every decision.
    """
    async with transaction(SYSTEM):
        own = await log(who=MAX, on=TODAY)
    choice = {"entry": [f"{own.id}:1"], "reason": "No"}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert f'value="{own.id}:1"' not in (await browser.get(PATH)).text
        assert (await browser.send_form(f"{PATH}/approval", choice)).status_code == 403
    async with await Browser.of(app, INES, at=NOW) as browser:
        for verb in ("approval", "rejection", "flags"):
            assert (await browser.send_form(f"{PATH}/{verb}", choice)).status_code == 403
    async with transaction(SYSTEM):
        assert await states(own) == ["submitted"]


async def test_time_is_logged_on_the_timesheets_as_general_time(app: Gate) -> None:
    """S2.39: a button of the timesheets opens the form for general time, which needs a description.

    Max then sees the entry on the timesheets.
    """
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(PATH)).text
        button = re.search(r'href="(/agent/time/new\?on=general-\d+)"', page)
        assert button
        form = (await browser.get(button[1])).text
        assert 'value="Meeting"' in form
        answer = await browser.send_form(
            "/agent/time/new",
            {"on": button[1].partition("=")[2], "duration": "1h", "work_date": TODAY.isoformat(), "description": "", "back": PATH},
        )  # fmt: skip
        assert answer.status_code == 422
        answer = await browser.send_form(
            "/agent/time/new",
            {"on": button[1].partition("=")[2], "duration": "1h", "work_date": TODAY.isoformat(), "description": "Team round", "back": PATH},
        )  # fmt: skip
        assert answer.headers["location"] == PATH
        assert "Team round" in (await browser.get(PATH)).text
