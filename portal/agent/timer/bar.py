"""Serve the timer bar of every page: start, attach, pause, resume and stop a timer, and ask about a forgotten timer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.time.begun import of_timer
from portal.agent.time.log import log_form
from portal.agent.timer.page import chosen_work, timers_page
from portal.database import transaction
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.timekeeping import logged_on
from portal.timekeeping.clock.lines import find_line, timers_of
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, last_part, page_of, safe_path, wants_fragment


class Pressed(Struct, kw_only=True):
    """Form of a button in the timer bar. `here` is the id of what the page shows, such as `case-1042`, or ""."""

    here: str = ""


class Start(Struct, kw_only=True):
    """Form that starts a timer.

    `here` is the id of what the page shows. `on` is the id of what was chosen in the search field, and `on_typed` the
    text in this field.
    """

    here: str = ""
    on: str = ""
    on_typed: str = ""
    note: str = ""
    form_key: str = ""


class Keeping(Struct, kw_only=True):
    """Form that shortens a forgotten timer to `keep` minutes, counted since the timer was started or last resumed."""

    keep: int = 30
    here: str = ""


class Restoration(Struct, kw_only=True):
    """Form that restores a timer.

    If the timer was logged, `version` is the version of its time entry. `back` is the path to redirect to.
    """

    version: int = 0
    back: str = ""


@asynccontextmanager
async def held(timer: int, reader: AgentReader) -> AsyncIterator[Timer]:
    """Open a transaction, lock the reader's timers and yield the timer with the id `timer`.

    Raise `NotFound` if the reader has no such timer.
    """
    async with transaction(reader):
        yield await Timer.find(timer, reader, hold=True)


@get("/timer/bar")
async def show_bar(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Return the timer bar. `?here=` is the id of what the page with the bar shows, such as `case-1042`."""
    here = request.query_params.get("here", "")
    return page(request, "agent/timer/bar.swap.html", timers=await timers_of(reader), log_on=here, problem={})


@post("/timer")
@on_refusal(timers_page)
async def start(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Start a timer and return the timer bar. Without htmx, redirect to the page on which the button was clicked.

    The timer is attached to what was chosen in the search field, else to what the page shows, else to nothing (S1.3).
    """
    fields = form.into(Start)
    async with transaction(reader):
        on = await chosen_work(reader, fields.on or fields.here, fields.on_typed)
        await Timer.start(reader, at=at, on=on, note=fields.note, form_key=form.key)
    return await _changed(request, reader, fields.here)


async def _changed(request: Web, reader: AgentReader, here: str) -> Response[Any]:
    """Return the response after a timer has changed: the bar for htmx, else a redirect to the page with the button."""
    if not wants_fragment(request):
        back = page_of(request)
        return see_other(back if back != "/" else "/agent/timer")
    async with transaction(reader, readonly=True):
        return page(request, "agent/timer/bar.swap.html", timers=await timers_of(reader), log_on=here, problem={})


@post("/timer/{timer:int}/place")
@on_refusal(timers_page, Conflict)
async def attach(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Attach a timer to what the page shows, such as a case, and return the timer bar.

    Without htmx, redirect to the page on which the button was clicked.
    """
    here = form.into(Pressed).here
    async with held(timer, reader) as found:
        await found.change(await chosen_work(reader, here, ""), found.note, reader, at=at)
    return await _changed(request, reader, here)


CHANGES = {"pause": Timer.pause, "resumption": Timer.resume, "confirmation": Timer.confirm}
"""What a button of the timer bar does with a timer, by the last part of the URL to which the button posts."""


@post([f"/timer/{{timer:int}}/{change}" for change in CHANGES])
@on_refusal(timers_page, Conflict)
async def change(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Pause a timer, resume a timer, or confirm that a seemingly forgotten timer still measures work (D54).

    Resuming a timer pauses the timer that was running. Confirming a timer starts a new stretch, and only the length of
    the new stretch decides when the timer counts as forgotten again. Return the bar or, without htmx, redirect to the
    page with the button.
    """
    fields = form.into(Pressed)
    async with held(timer, reader) as found:
        await CHANGES[last_part(request)](found, reader, at=at)
    return await _changed(request, reader, fields.here)


@post("/timer/{timer:int}/stop")
async def stop(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Pause a timer, and return the form for logging its time. The timer ends when that form is saved."""
    fields = form.into(Pressed)
    async with held(timer, reader) as found:
        await found.pause(reader, at=at)
    return await _to_log(request, reader, timer, fields.here)


async def _to_log(request: Web, reader: AgentReader, timer: int, here: str) -> Response[Any]:
    """Return the form for logging the time of a timer: the panel for htmx, else a redirect to the form's page."""
    if not wants_fragment(request):
        on = f"&on={here}" if await _is_known(reader, here) else ""
        return see_other(f"/agent/time/new?timer={timer}{on}")
    async with transaction(reader, readonly=True):
        typed = await of_timer(request, reader, timer, on=here)
        timers = await timers_of(reader)
        return await log_form(
            request, typed=typed, panel="agent/timer/stopped.swap.html", timers=timers, log_on=here, problem={}
        )


async def _is_known(reader: AgentReader, here: str) -> bool:
    async with transaction(reader, readonly=True):
        return bool(here) and await logged_on.named(here) is not None


@post("/timer/{timer:int}/trimming")
@on_refusal(timers_page, Conflict)
async def trim(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Pause a forgotten timer, shorten its last stretch to `keep` minutes, and return the form for logging time (D54).

    The last stretch is the time since the timer was started or last resumed. The stretches before it are kept.
    """
    fields = form.into(Keeping)
    async with held(timer, reader) as found:
        await found.keep(fields.keep, reader, at=at)
    return await _to_log(request, reader, timer, fields.here)


@post("/timer/{timer:int}/discarding")
async def discard(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Discard a timer without logging its time, and return the bar with a message and an undo button.

    Without htmx, redirect to the page of all timers. For the next 24 hours, that page has a button that restores the
    timer.
    """
    here = form.into(Pressed).here
    async with held(timer, reader) as found:
        await found.discard(reader, at=at)
        line, timers = await find_line(timer, reader), await timers_of(reader)
    if not wants_fragment(request):
        return see_other("/agent/timer")
    toast = {"words": f"Timer discarded: {line.shown(at)}, {line.name}.", "undo": f"/agent/timer/{timer}/restoration"}
    return page(request, "agent/timer/bar.swap.html", timers=timers, log_on=here, problem={}, toast=toast)


@post("/timer/{timer:int}/restoration")
async def restore(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    timer: FromPath[int],
) -> Response[Any]:
    """Restore a timer that was discarded or logged, and redirect to `back` or to the page of all timers.

    If the timer was logged, its time entry is deleted. The restored timer is paused.
    """
    sent = form.into(Restoration)
    async with held(timer, reader) as found:
        if found.entry_id:
            await (await TimeEntry.find(found.entry_id, reader)).discard(reader, version=sent.version, at=at)
        await found.restore(reader, at=at)
    return see_other(safe_path(sent.back) if safe_path(sent.back) != "/" else "/agent/timer")


handlers: list[Any] = [show_bar, start, attach, change, stop, trim, discard, restore]
