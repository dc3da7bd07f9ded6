"""Test the week grid: what it shows, what saving a cell does, and how refused cells are reported (S1.21)."""

import html
import json
import re
from datetime import date, timedelta
from typing import Any

import pytest

from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.people.working.hours import HoursFacts, WorkingHours
from portal.timekeeping.calendar.weeks import RowKey, monday_of
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.states import submit
from portal.web.visit import now
from tests.agent.test_time import entries, logged, today
from tests.browser import Browser
from tests.forms import form_of
from tests.world import GLOBEX_HELPDESK, HELPDESK, INES, MAX

HERE = "/agent/time/week"


def last_monday() -> date:
    """Return the Monday of the week before this one, which is wholly in the past."""
    return monday_of(today()) - timedelta(days=7)


def day(number: int) -> date:
    """Return a day of last week; 0 is Monday."""
    return last_monday() + timedelta(days=number)


def cell(case: Case, number: int, task: int = 0) -> str:
    """Return the name of the field for time on the case on a day of last week."""
    return f"case-{case.number}.{HELPDESK}.{task}.{day(number)}"


async def opened(browser: Browser, query: str = "") -> tuple[str, dict[str, Any]]:
    """Return the page of last week as text, and the fields of its form without the CSRF token.

    `query` is appended to the URL and begins with an ampersand.
    """
    page = html.unescape((await browser.get(f"{HERE}?from={last_monday()}{query}")).text)
    fields = form_of((await browser.get(f"{HERE}?from={last_monday()}{query}")).text, HERE).fields
    return page, {name: values if name == "row" else values[-1] for name, values in fields.items() if name != "csrf"}


async def save(browser: Browser, fields: dict[str, Any], **typed: str) -> Any:
    """Send the form of the week with the values `typed` in place of those in `fields`, and return the response."""
    return await browser.send_form(HERE, fields | typed)


async def test_a_week_shows_what_was_logged_by_day_and_by_what_it_was_on(ines: Browser, case: Case) -> None:
    """S1.21: Ines's grid has a row for each combination of case, service and task and for each kind of general time.

    The grid shows sums by row and by day, and her working hours. It leaves out Max's time.
    """
    async with transaction(SYSTEM):
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Patching"))
        await WorkingHours.arrange(INES.id, HoursFacts(effective_from="2026-01-01", monday="6h", tuesday="6h"))
    await logged(case, work_date=day(0), minutes=90)
    await logged(case, work_date=day(1), minutes=30, task_id=task.id)
    await logged(None, work_date=day(1), minutes=45, general_kind_id=1, description="Team")
    await logged(case, by=MAX, work_date=day(1), minutes=45)
    page, fields = await opened(ines)
    assert fields[cell(case, 0)] == "1:30"
    assert fields[cell(case, 1)] == ""
    assert fields[cell(case, 1, task.id)] == "0:30"
    assert fields[f"general-1.0.0.{day(1)}"] == "0:45"
    assert fields["row"] == [f"case-{case.number}.1.0", f"case-{case.number}.1.{task.id}", "general-1.0.0"]
    sums = re.findall(r">(\d+:\d\d|–)<", page[page.index('id="week-sums"') :])
    assert sums == ["1:30", "1:15", "–", "–", "–", "–", "–", "2:45", "6:00", "6:00", "–", "–", "–", "–", "–", "12:00"]
    assert "Acme, Helpdesk, Patching" in page


async def test_cells_are_logged_changed_and_deleted_by_one_save(ines: Browser, case: Case) -> None:
    """S1.21: one save logs the time of a cell that Ines has filled, and changes the entry of a second cell.

    It also deletes the entry of a third cell, which she has emptied. The other cells stay as they are. The changed
    entry keeps its comment and its overridden number of billable minutes.
    """
    changed = await logged(
        case, work_date=day(0), minutes=90, external_comment="Switch", counts=60, override_reason="agreed"
    )
    deleted = await logged(case, work_date=day(1), minutes=30)
    kept = await logged(case, work_date=day(2), minutes=15)
    _, fields = await opened(ines)
    words = {f"words.case-{case.number}.1.0": "Cabling"}
    answer = await save(ines, fields, **words, **{cell(case, 0): "+15", cell(case, 1): "", cell(case, 3): "9-10:45"})
    assert answer.status_code == 303
    assert "3\u00a0cells saved." in (await ines.get(answer.headers["location"])).text
    rows = {row["id"]: row for row in await entries()}
    assert deleted.id not in rows
    assert (rows[changed.id]["actual_minutes"], rows[changed.id]["external_comment"]) == (105, "Switch")
    assert (rows[changed.id]["billable_minutes"], rows[changed.id]["override_reason"]) == (60, "agreed")
    assert rows[kept.id]["version"] == 1
    new = rows[max(rows)]
    assert (new["actual_minutes"], new["work_date"], new["state"]) == (105, day(3), "draft")
    assert (new["external_comment"], new["service_id"], new["billing"]) == ("Cabling", HELPDESK, "billable")
    assert new["started_at"] is not None


async def test_the_same_week_sent_twice_makes_each_entry_once(ines: Browser, case: Case) -> None:
    _, fields = await opened(ines, f"&row={RowKey('case', case.number, HELPDESK)}")
    for _ in range(2):
        assert (await save(ines, fields, **{cell(case, 0): "1h", cell(case, 4): "2h"})).status_code == 303
    assert [(row["work_date"], row["actual_minutes"]) for row in await entries()] == [(day(0), 60), (day(4), 120)]


async def test_a_task_is_chosen_for_new_time_in_a_row(ines: Browser, case: Case) -> None:
    """S0.8, S0.10, S1.21: a task that Ines chooses in a row applies to the new time in this row, not to earlier time.

    The task decides whether the new time is billable. The new time then has its own row. Ended tasks are not offered.
    The same form sent again logs nothing more.
    """
    async with transaction(SYSTEM):
        service = await Service.find(HELPDESK, SYSTEM)
        task = await Task.create(service, TaskFacts(name="Patching", billable="no"))
        ended = await Task.create(service, TaskFacts(name="Old"))
        await ended.end(now())
    await logged(case, work_date=day(0), minutes=30)
    key = f"case-{case.number}.{HELPDESK}.0"
    page, fields = await opened(ines)
    assert re.findall(r'<option value="(\d*)">', page[page.index(f'name="task.{key}"') :][:300]) == ["", str(task.id)]
    chosen = {f"task.{key}": str(task.id), cell(case, 1): "1h"}
    for _ in range(2):
        answer = await save(ines, fields, **chosen)
        assert answer.status_code == 303
    rows = [(row["task_id"], row["actual_minutes"], row["billing"]) for row in await entries()]
    assert rows == [(None, 30, "billable"), (task.id, 60, "not_billable")]
    page = html.unescape((await ines.get(answer.headers["location"])).text)
    assert cell(case, 1, task.id) in page
    assert f'name="task.case-{case.number}.{HELPDESK}.{task.id}"' not in page, "the row has its task"


async def test_a_row_whose_time_all_gets_a_task_is_replaced(ines: Browser, case: Case) -> None:
    """S1.21: if all the time that Ines types in a row gets a task, only the row with the task is shown afterwards.

    A task of another service is refused with 422, and the cell keeps what she typed.
    """
    async with transaction(SYSTEM):
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Patching"))
        foreign = await Task.create(await Service.find(GLOBEX_HELPDESK, SYSTEM), TaskFacts(name="Theirs"))
    key = f"case-{case.number}.{HELPDESK}.0"
    _, fields = await opened(ines, f"&row={key}")
    refused = await save(ines, fields, **{f"task.{key}": str(foreign.id), cell(case, 1): "1h"})
    assert (refused.status_code, await entries()) == (422, [])
    assert 'value="1h"' in refused.text
    answer = await save(ines, fields, **{f"task.{key}": str(task.id), cell(case, 1): "1h"})
    page = (await ines.get(answer.headers["location"])).text
    assert re.findall(r'name="row" value="([^"]+)"', page) == [f"case-{case.number}.{HELPDESK}.{task.id}"]


async def test_refused_cells_are_named_and_the_others_are_saved(ines: Browser, case: Case) -> None:
    """S1.21, D35: a text that is not a duration, and general time without a description, are reported with their cells.

    The other cells are saved, and Ines saves the reported ones after she has corrected them.
    """
    _, fields = await opened(ines, f"&row={RowKey('case', case.number, HELPDESK)}&row=general-1.0.0")
    typed = {cell(case, 0): "1h", cell(case, 1): "soon", f"general-1.0.0.{day(2)}": "45m"}
    answer = await save(ines, fields, **typed)
    assert answer.status_code == 200
    page = html.unescape(answer.text)
    assert "2 cells to correct" in page
    assert f"#{case.number} VPN drops every 20 minutes" in page
    assert "Write the time as 1h 30m" in page
    assert "Say what it was for" in page
    assert f'name="{cell(case, 1)}" data-duration\n      value="soon"' in page
    assert [(row["work_date"], row["actual_minutes"]) for row in await entries()] == [(day(0), 60)]
    again = form_of(answer.text, HERE).fields
    fields = {name: values if name == "row" else values[-1] for name, values in again.items() if name != "csrf"}
    fixed = await save(ines, fields, **{cell(case, 1): "30m", "words.general-1.0.0": "Team meeting"})
    assert fixed.status_code == 303
    found = {(row["work_date"], row["actual_minutes"], row["description"]) for row in await entries()}
    assert found == {(day(0), 60, ""), (day(1), 30, ""), (day(2), 45, "Team meeting")}


async def test_when_nothing_can_be_saved_the_page_says_so_and_nothing_changes(ines: Browser, case: Case) -> None:
    _, fields = await opened(ines, f"&row={RowKey('case', case.number, HELPDESK)}")
    assert (await save(ines, fields, **{cell(case, 0): "25h"})).status_code == 422
    assert (await save(ines, fields, **{"case-1.1.0.2026-13-45": "1h"})).status_code == 303
    assert (await ines.send_form(HERE, fields | {"customer": "1"})).status_code == 400
    assert (await ines.send_form(HERE, fields | {"seen": "x"})).status_code == 400
    assert await entries() == []


async def test_what_was_submitted_or_came_several_times_is_no_field(ines: Browser, case: Case) -> None:
    """S1.21, C5: a cell with several entries, or with a submitted one, has a link to its entries instead of a field.

    If Ines sends a field for such a cell all the same, she gets 409 and nothing changes.
    """
    several = [await logged(case, work_date=day(0), minutes=minutes) for minutes in (10, 20)]
    fixed = await logged(case, work_date=day(1), minutes=40)
    async with transaction(INES):
        await submit(INES, [fixed.id], at=now())
    page, fields = await opened(ines)
    assert cell(case, 0) not in fields
    assert cell(case, 1) not in fields
    assert f'href="/agent/time?from={day(0)}&until={day(0)}"' in page
    assert f'href="/agent/time/{fixed.id}"' in page
    listed = await ines.get(f"/agent/time?from={day(0)}&until={day(0)}")
    assert all(f'id="entry-{entry.id}"' in listed.text for entry in several)
    refused = await save(ines, fields, **{cell(case, 0): "5h", cell(case, 1): "5h"})
    assert refused.status_code == 409
    assert [row["actual_minutes"] for row in await entries()] == [10, 20, 40]


async def test_a_cell_that_changed_meanwhile_is_not_overwritten(ines: Browser, case: Case) -> None:
    """S1.21, D35: Ines saves three cells that were changed, emptied and filled elsewhere after she had opened the week.

    She gets 409 with the present value of each, and nothing changes.
    """
    changed, emptied = [await logged(case, work_date=day(number), minutes=60) for number in (0, 1)]
    _, fields = await opened(ines)
    await logged(case, work_date=day(2), minutes=20)
    async with transaction(INES):
        entry = await TimeEntry.find(emptied.id, INES)
        await entry.discard(INES, version=1, at=now())
    _, other = await opened(ines)
    assert (await save(ines, other, **{cell(case, 0): "2h"})).status_code == 303
    answer = await save(ines, fields, **{cell(case, number): "3h" for number in range(3)})
    assert answer.status_code == 409
    page = html.unescape(answer.text)
    assert "It is 2:00 now; you typed “3h”." in page
    assert "It is empty now; you typed “3h”." in page
    assert "It is 0:20 now; you typed “3h”." in page
    assert {row["actual_minutes"] for row in await entries()} == {120, 20}
    assert (await entries())[0]["id"] == changed.id


async def test_a_row_is_added_and_last_weeks_rows_are_copied_without_losing_what_was_typed(
    ines: Browser, case: Case
) -> None:
    """S1.21: without JavaScript, one button adds a row, and another copies the rows of the week before.

    Both buttons also save what Ines has typed, and work although a cell is refused. If no work matches the text for the
    new row, she gets 422.
    """
    await logged(case, work_date=day(-7), minutes=10)
    await logged(None, work_date=day(-6), minutes=10, general_kind_id=2, description="Course")
    _, fields = await opened(ines)
    assert "row" not in fields
    added = await save(ines, fields, on_typed=f"#{case.number}", then="row")
    assert added.headers["location"] == f"{HERE}?from={last_monday()}&row=case-{case.number}.1.0"
    _, fields = await opened(ines, f"&row=case-{case.number}.1.0")
    copied = await save(ines, fields, **{cell(case, 0): "1h"}, then="copy")
    assert [row["actual_minutes"] for row in await entries() if row["work_date"] == day(0)] == [60]
    page = await ines.get(copied.headers["location"])
    shown = form_of(page.text, HERE).fields
    assert shown["row"] == [f"case-{case.number}.1.0", "general-2.0.0"]
    assert shown[cell(case, 0)] == ["1:00"]
    part = await save(ines, fields | {"seen": "{}"}, **{cell(case, 1): "soon"}, then="copy")
    shown = form_of(part.text, HERE).fields
    assert (part.status_code, shown["row"], shown[cell(case, 1)]) == (
        422,
        [f"case-{case.number}.1.0", "general-2.0.0"],
        ["soon"],
    )
    nothing = await save(ines, fields | {"seen": "{}"}, on_typed="no such thing", then="row")
    assert nothing.status_code == 422
    assert "No case, project or service has “no such thing”" in html.unescape(nothing.text)


async def test_the_sums_follow_what_is_typed_and_nothing_is_stored(ines: Browser, case: Case) -> None:
    """S1.21: the sums by day and by row include what Ines has typed but not saved, and nothing is stored.

    A text that is not a duration gets an error message.
    """
    await logged(case, work_date=day(0), minutes=60)
    _, fields = await opened(ines)
    answer = await ines.send_form(
        f"{HERE}/sums", fields | {cell(case, 0): "+30", cell(case, 1): "0.25d", cell(case, 2): "x"}
    )
    assert answer.status_code == 200
    assert re.findall(r">(\d+:\d\d)<", answer.text)[:3] == ["1:30", "2:00", "3:30"]
    assert f'id="sum-case-{case.number}.1.0" hx-swap-oob="true">3:30' in answer.text
    assert "Write the time as 1h 30m" in answer.text
    assert [row["actual_minutes"] for row in await entries()] == [60]


async def test_a_row_for_what_was_chosen_comes_alone(ines: Browser, case: Case) -> None:
    answer = await ines.get(f"{HERE}/row?from={last_monday()}&on=case-{case.number}")
    assert answer.text.lstrip().startswith("<tr")
    assert f'name="{cell(case, 0)}"' in answer.text
    nothing = await ines.get(f"{HERE}/row?from={last_monday()}&on=case-9999")
    assert (nothing.status_code, nothing.text) == (200, "")


async def test_the_week_begins_on_monday_whatever_day_is_asked_for(ines: Browser) -> None:
    for asked in (day(0), day(3), day(6)):
        assert f'name="from" value="{day(0)}"' in (await ines.get(f"{HERE}?from={asked}")).text
    assert (
        f'name="from" value="{monday_of(today())}"' in (await ines.get(f"{HERE}?from=x&row=x&row=case-9999.0.0")).text
    )
    assert json.loads((await opened(ines))[1]["seen"]) == {}


@pytest.mark.parametrize("asked", ["0001-01-01", "0001-01-05", "9999-12-20", "9999-12-31", "²"])
@pytest.mark.parametrize("page", [f"{HERE}?from=", "/agent/time/day?on=", "/agent/time?from="])
async def test_a_day_at_an_end_of_the_calendar_is_no_error(ines: Browser, page: str, asked: str) -> None:
    """R50: the first and the last days of the calendar in the URL, and a text that is not a day, cause no error."""
    assert (await ines.get(f"{page}{asked}")).status_code == 200
