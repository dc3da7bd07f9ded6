"""Serve the page of an agent's timers, and the form that attaches a timer to a case, project or service."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping import logged_on
from portal.timekeeping.clock.lines import discarded_of, find_line, timers_of
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.logged_on import On
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of, wants_fragment


class TimerFields(Struct, kw_only=True):
    """Form that changes a timer: what it is attached to, and its note."""

    on: str = ""
    on_typed: str = ""
    note: str = ""


class TimerFacts(Struct, kw_only=True):
    """Stored values of a timer, as they are shown in the form that changes the timer."""

    on: str
    note: str


@get("/timer")
async def own_timers(request: Web) -> Response[str]:
    """Show all timers of the agent: the running timer, paused timers, and timers discarded in the last day."""
    return await timers_page(request)


async def timers_page(
    request: Web, *, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    """Return the page of all timers or, after a refused form that htmx sent, the timer bar with the error."""
    visit, values = visit_of(request), typed or {}
    reader: Any = visit.reader
    if wants_fragment(request) and request.method == "POST":
        return page(
            request, "agent/timer/bar.swap.html", timers=await timers_of(reader), log_on=values.get("here", ""), problem=errors or {}
        )  # fmt: skip
    sought = await logged_on.find(reader, values.get("on", ""), values.get("on_typed"))
    return await form_page(
        request, "agent/timer/list.html", discarded=await discarded_of(reader, visit.at), sought=sought, typed=values,
        errors=errors,
    )  # fmt: skip


@get("/timer/{timer:int}")
async def show(request: Web, timer: FromPath[int]) -> Response[str]:
    """Show the form that changes a timer's note and what the timer is attached to, such as a case or a project."""
    return await _timer(request, timer=timer)


async def _timer(
    request: Web, *, timer: int, errors: dict[str, str] | None = None, typed: dict[str, Any] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    line = await find_line(timer, reader)
    facts, values = TimerFacts(on=line.on, note=line.note), typed or {}
    sought = await logged_on.find(reader, values.get("on", line.on), values.get("on_typed"))
    return await form_page(
        request, "agent/timer/edit.html", facts=facts, timer=line, sought=sought, typed=typed, errors=errors
    )


@post("/timer/{timer:int}")
@on_refusal(_timer, Conflict)
async def change(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Attach a timer to the work chosen in the form, save its note, and redirect to the page of all timers.

    If no work is chosen, the timer is detached from its work.
    """
    async with transaction(reader):
        found, line = await Timer.find(timer, reader, hold=True), await find_line(timer, reader)
        fields = edited(form, TimerFields, TimerFacts(on=line.on, note=line.note))
        await found.change(await chosen_work(reader, fields.on, fields.on_typed), fields.note, reader, at=at)
    return see_other("/agent/timer")


async def chosen_work(reader: AgentReader, on: str, typed: str) -> On | None:
    """Return what a timer is to be attached to, or None if nothing was chosen.

    Raise `Invalid` if the typed text matches nothing, or several things.
    """
    sought = await logged_on.find(reader, on, typed or None)
    if sought.on is None and (on or typed.strip()):
        raise Invalid({"on": sought.problem})
    return sought.on


handlers: list[Any] = [own_timers, show, change]
