"""Serve the form for logging time, as a panel over the current page and as a separate page, with a live preview."""

import uuid
from contextlib import suppress
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.time.begun import HERE, begun
from portal.agent.time.form import Choices, Logged, where_of
from portal.billing import Standing, find_entry, standing_of
from portal.contracts.projects import Project
from portal.database import transaction
from portal.desk import Case
from portal.desk.appointments import Appointment
from portal.durations import spoken
from portal.errors import Invalid, NotFound
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import day_in, today
from portal.timekeeping import lists, logged_on
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.preview import understood
from portal.web import drafts
from portal.web.forms import Form
from portal.web.limits import searching
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, page_of, safe_path, visit_of, wants_fragment


@get("/finders/work")
async def suggest_work(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Serve the cases, projects, services and kinds of general time that match the typed text, to log time on."""
    typed = request.query_params.get("text", "")
    async with searching(request, typed):
        found = await logged_on.suggest(reader, typed, number_in(request.query_params.get("after")) or 0)
    return page(request, "shared/suggestions.html", what="case, project or service", typed=typed, suggestions=found)


@get("/time/new")
async def new_time(request: Web) -> Response[str]:
    """Show the form for logging time. The query string may fill fields in, such as `?on=case-1042&duration=45m`."""
    return await log_form(request)


async def log_form(
    request: Web,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    panel: str = "agent/time/_form.html",
    **around: Any,
) -> Response[str]:
    """Return the form for logging time, filled with `typed` or, if `typed` is None, with what `begun` returns.

    The response is a page or, for htmx, the fragment `panel`, whose template also gets `around`.
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    values = typed if typed is not None else await begun(request, reader)
    # The timer has been logged already, as the error says. If the form is sent again, it logs time without the timer.
    if errors and "timer" in errors:
        values = {name: value for name, value in values.items() if name != "timer"}
    sought = await logged_on.find(reader, values.get("on", ""), values.get("on_typed"))
    context = {
        "sought": sought, "offer": await Choices.of(request, sought.on), "said": Logged(), "today": today(reader.time_zone, visit.at),
        "understood": await _understood(request, values, sought.on), "standing": await _standing(request, values, sought.on),
        "form_key": uuid.uuid4(),
        "panel": wants_fragment(request), "back": safe_path(values.get("back") or page_of(request)), "errors": errors or {}, "typed": values,
    }  # fmt: skip
    if wants_fragment(request):
        return page(request, panel, **context, last_day=context["today"], **around)
    return await agent_page(request, reader, "agent/time/new.html", **context)


@get("/time/preview")
async def preview(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Return the preview of the time entry that the values typed so far describe.

    `?entry=` is the id of the entry that is changed; a new entry has no `?entry=`.
    """
    typed, entry = request.query_params, number_in(request.query_params.get("entry"))
    line = await find_entry(reader, entry) if entry else None
    on = None if line else (await logged_on.find(reader, typed.get("on", ""), typed.get("on_typed"))).on
    understood = await _understood(request, dict(typed), on, line)
    standing = None if line else await _standing(request, dict(typed), on)
    return page(request, "agent/time/understood.swap.html", understood=understood, on=on, standing=standing)


async def _understood(
    request: Web, typed: dict[str, Any], on: logged_on.On | None, line: lists.ListedEntry | None = None
) -> Any:
    """Return the preview of the entry that the typed values describe (see `portal.timekeeping.understood`).

    `line` is the entry that is changed, None for a new entry.
    """
    reader: Any = visit_of(request).reader
    usual = "not_billable" if on and on.billable is False else ""
    return await understood(
        reader, line.customer_id if line else on.customer_id if on else None,
        duration=typed.get("duration", ""), work_date=typed.get("work_date", ""), held=line.minutes if line else 0,
        service_id=_service_of(typed, on), billing=typed.get("billing") or usual,
        external_comment=typed.get("external_comment", ""), role_id=number_in(str(typed.get("role", ""))),
        is_general=line.customer_id is None if line else on is not None and on.kind == "general",
        where=where_of(request, typed, on.row_id if on and on.kind == "case" else None, line),
    )  # fmt: skip


def _service_of(typed: dict[str, Any], on: logged_on.On | None) -> int | None:
    """Return the id of the service under which the time is logged, or None.

    For time on a case, this is the chosen service, or the case's default service if the form has no field for the
    service. For time on a project or service, it is the service of the project, or the service itself.
    """
    usual = on.service_id if on and ("service" not in typed or on.kind != "case") else None
    return usual or number_in(str(typed.get("service", "")))


async def _standing(request: Web, typed: dict[str, Any], on: logged_on.On | None) -> Standing | None:
    """Return what is left of the prepaid time of the chosen service on the typed day.

    Return None until a service is chosen and a duration is typed.
    """
    visit: Any = visit_of(request)
    service_id = _service_of(typed, on)
    if service_id is None or not str(typed.get("duration", "")).strip():
        return None
    day = day_in(typed.get("work_date")) or today(visit.company.time_zone, visit.at)
    return await standing_of(visit.reader, service_id, day)


@post("/time/new")
@on_refusal(log_form)
async def log_time(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Create a time entry (S1.20, S2.18). If the form was opened for a timer, end the timer.

    For htmx, return a message with an undo button; otherwise redirect to the page on which the form was opened.
    """
    fields = form.into(Logged)
    async with transaction(reader):
        timer = await Timer.find(fields.timer, reader, hold=True) if fields.timer else None
        entry = await _log(fields, reader, at, form)
        if timer:
            await timer.finish(entry.id, reader, at=at)
    return await _logged(request, reader, entry.id, fields)


async def _log(fields: Logged, reader: AgentReader, at: datetime, form: Form) -> TimeEntry:
    """Create the time entry on the chosen case, project, service or kind of general time.

    If the form sent no service for a case, the entry gets the default service of the case. Raise `Invalid` if nothing
    is chosen to log the time on.
    """
    sought = await logged_on.find(reader, fields.on, fields.on_typed if "on_typed" in form.fields else None)
    on = sought.on
    if on is None:
        raise Invalid({"on": sought.problem})
    case = await Case.find(on.id.removeprefix("case-"), reader) if on.kind == "case" else None
    chosen = fields.service if on.kind == "case" and "service" in form.fields else on.service_id
    kind = on.row_id if on.kind == "general" else None
    return await TimeEntry.log(
        reader, await fields.work(fields.agent or reader.id, chosen, kind_id=kind), at=at, agent_id=fields.agent, form_key=form.key,
        case=case, appointment=await _appointment(fields.appointment, case),
        project=await Project.find(on.row_id) if on.kind == "project" else None,
    )  # fmt: skip


async def _appointment(appointment: int | None, case: Case | None) -> Appointment | None:
    """Return the appointment at which the work was done. Return None if `case` has no appointment with this id."""
    if appointment is None or case is None:
        return None
    with suppress(NotFound):
        return await Appointment.find(appointment, case)
    return None


async def _logged(request: Web, reader: AgentReader, entry_id: int, fields: Logged) -> Response[Any]:
    """Return the response after time was logged: for the panel a message with an undo button, otherwise a redirect.

    For the panel, also empty the saved draft of the form.
    """
    back = fields.back
    async with transaction(reader, readonly=True):
        line = await find_entry(reader, entry_id)
    if not wants_fragment(request):
        here = f"/agent/cases/{line.case_number}#entry-{line.id}" if line.case_number else "/agent/time"
        return see_other(here if safe_path(back) in ("/", HERE) else safe_path(back))
    await drafts.done(reader, HERE, visit_of(request).form.key, visit_of(request).at)
    toast = {
        "words": f"{spoken(line.minutes)} logged on {line.place}.",
        "undo": f"/agent/timer/{fields.timer}/restoration" if fields.timer else f"/agent/time/{line.id}/deletion",
        "fields": {"version": line.version, "back": safe_path(back)},
    }  # fmt: skip
    return page(request, "agent/time/logged.swap.html", toast=toast)


handlers: list[Any] = [suggest_work, new_time, preview, log_time]
