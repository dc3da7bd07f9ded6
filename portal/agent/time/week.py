"""Serve the week grid, in which an agent fills in time by day and by case, project, service or kind (S1.21)."""

import re
import uuid
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.database import transaction
from portal.database.batches import Report
from portal.errors import BadRequest, Invalid
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.people.working.hours import WorkingHours
from portal.periods import day_in, today
from portal.render.formats import plural
from portal.timekeeping import logged_on
from portal.timekeeping.calendar import grid
from portal.timekeeping.calendar.weeks import RowKey, keys_of, monday_of, week_of
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.notices import reads_notices
from portal.web.pages import HTML, on_refusal, page, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/time/week"
WEEK = timedelta(days=7)
MOST_ROWS = 100
"""The maximum number of additional rows that a URL or a form may name; the others are ignored."""
_CELL = re.compile(r"[a-z]+-\d+\.\d+\.\d+\.\d{4}-\d\d-\d\d", re.ASCII)
_OF_ROW = re.compile(r"(words|task)\.([a-z]+-\d+\.\d+\.\d+)", re.ASCII)
OWN = {"from", "row", "seen", "form_key", "on", "on_typed", "then"}
"""The fields of the form that do not belong to a row or a cell."""


@get("/time/week")
@reads_notices
async def show_week(request: Web) -> Response[str]:
    """Show the week grid. `?from=` is a day of the week; each `?row=` is the key of an additional row."""
    return await _week(request)


async def _week(
    request: Web,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
    saved: int = 0,
    more: Iterable[RowKey] = (),
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    first = _first(request, reader, (typed or {}).get("from", ""))
    week = await week_of(reader, first, visit.at, more=[*_rows_asked(request), *more])
    done = saved or number_in(request.query_params.get("saved", ""))
    return await agent_page(
        request, reader, "agent/time/week.html", week=week, today=today(reader.time_zone, visit.at), form_key=uuid.uuid4(),
        seen=msgspec.json.encode(week.seen).decode(), errors=errors or {}, typed=typed or {}, before=first - WEEK, after=first + WEEK,
        sought=await logged_on.find(reader, (typed or {}).get("on", ""), (typed or {}).get("on_typed")),
        toast={"words": f"{plural(done, 'cell', 'cells')} saved."} if done else None,
    )  # fmt: skip


def _first(request: Web, reader: AgentReader, sent: str = "") -> date:
    """Return the Monday of the week that the form or the URL names, by default of the current week."""
    return monday_of(
        day_in(sent or request.query_params.get("from", "")) or today(reader.time_zone, visit_of(request).at)
    )


def _rows_asked(request: Web) -> list[RowKey]:
    """Return the keys of the rows that the form or the URL names."""
    form = visit_of(request).form
    named = form.all("row") if form else request.query_params.getall("row", [])
    return _keys(named[:MOST_ROWS])


def _keys(named: Iterable[str]) -> list[RowKey]:
    return [key for text in named if (key := RowKey.read(text)) is not None]


def _sent(form: Form) -> grid.Typed:
    """Return what was typed into the form of the grid.

    Raise `BadRequest` if a field is unknown (R30), or if `seen` is malformed.
    """
    cells = {name: form.get(name) for name in form.fields if _CELL.fullmatch(name)}
    of_rows = {name: match.groups() for name in form.fields if (match := _OF_ROW.fullmatch(name))}
    words = {key: form.get(name) for name, (what, key) in of_rows.items() if what == "words"}
    tasks = {key: number_in(form.get(name)) or 0 for name, (what, key) in of_rows.items() if what == "task"}
    if unknown := set(form.fields) - OWN - set(cells) - set(of_rows):
        raise BadRequest(f"This form has no field “{min(unknown)}”.")
    try:
        seen = msgspec.json.decode(form.get("seen") or "{}", type=dict[str, str])
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRequest from error
    return grid.Typed(cells, seen, words, tasks, form.key)


@post("/time/week")
@on_refusal(_week)
async def save_week(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Save the changed cells of the week grid, and redirect to the week.

    The button that adds a row, and the button that copies the rows of the week before, save the cells too. Each cell is
    saved on its own. If some cells are refused, save the others, and show the page with the reasons, with what was
    typed in the refused cells, and with the added or copied rows.
    """
    typed, first = _sent(form), _first(request, reader, form.get("from"))
    async with transaction(reader):
        await grid.lock_week(reader, first)
        week = await week_of(reader, first, at, more=_rows_asked(request))
        report = await grid.save(reader, week, typed, at=at)
        wanted = await _rows_wanted(reader, form, first)
    if report.refused:
        return await _refused(request, reader, form, report, wanted)
    rows = [*map(typed.with_task, _rows_asked(request)), *wanted]
    return see_other(_address(first, rows, saved=len(report.done)))


async def _rows_wanted(reader: AgentReader, form: Form, first: date) -> list[RowKey]:
    """Return the keys of the rows that the pressed button adds; none for the button that only saves.

    Raise `Invalid` if the text of the search field matches nothing on which time can be logged.
    """
    if form.get("then") == "copy":
        return await keys_of(reader, first - WEEK)
    if form.get("then") != "row":
        return []
    sought = await logged_on.find(reader, form.get("on"), form.get("on_typed"))
    if sought.on is None:
        raise Invalid({"on": sought.problem})
    return [RowKey.of(sought.on)]


async def _refused(
    request: Web, reader: AgentReader, form: Form, report: Report[str, None], more: Iterable[RowKey]
) -> Response[str]:
    """Return the page with an error message for each refused cell, and with the additional rows `more`.

    The refused cells keep what was typed in them; the other cells show what is stored.
    """
    errors = {name: grid.sentence_of(refusal) for name, refusal in report.refused.items()}
    kept = {name: form.get(name) for name in form.fields if name in errors or _OF_ROW.fullmatch(name) or name == "from"}
    async with transaction(reader, readonly=True):
        response = await _week(request, errors=errors, typed=kept, saved=len(report.done), more=more)
    response.status_code = 200 if report.done else max(refusal.status for refusal in report.refused.values())
    return response


def _address(first: date, rows: Iterable[RowKey], *, saved: int) -> str:
    """Return the URL of the week, with the additional rows and the number of cells that were saved."""
    told = [("saved", saved)] if saved else []
    return f"{HERE}?{urlencode([('from', first), *(('row', str(row)) for row in dict.fromkeys(rows)), *told])}"


@get("/time/week/row")
async def add_row(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Return a row of the grid for what is chosen in the search field, or an empty response if nothing is chosen.

    htmx inserts the row below the other rows.
    """
    sought = await logged_on.find(reader, request.query_params.get("on", ""), None)
    if sought.on is None:
        return Response("", media_type=HTML)
    key = RowKey.of(sought.on)
    week = await week_of(reader, _first(request, reader), visit_of(request).at, more=[key])
    row = next(row for row in week.rows if row.key == key)
    return page(
        request, "agent/time/_week_row.html", row=row, week=week, today=today(reader.time_zone, visit_of(request).at)
    )


@post("/time/week/sums", opt={FORM_PAGE: HERE})
async def sum_up(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[str]:
    """Return the sums of the grid with what is typed so far, and an error message for each text that is not a duration.

    Nothing is stored. This is a POST because the form is too long for the query string of a GET.
    """
    typed, first = _sent(form), _first(request, reader, form.get("from"))
    async with transaction(reader, readonly=True):
        stored = await week_of(reader, first, at, more=_rows_of_cells(typed))
        hours = await WorkingHours.of(reader.id)
    week, wrong = grid.as_typed(stored, typed, {day: hours.workday(day) for day in stored.days})
    return page(request, "agent/time/week_sums.swap.html", week=week, errors=wrong)


def _rows_of_cells(typed: grid.Typed) -> list[RowKey]:
    return _keys(dict.fromkeys(name.rpartition(".")[0] for name in typed.cells))


handlers: list[Any] = [show_week, save_week, add_row, sum_up]
