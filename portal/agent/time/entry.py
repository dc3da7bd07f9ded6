"""One time entry: changing it and deleting it."""

from datetime import datetime
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page, overtaken
from portal.agent.time.form import Logged, Web
from portal.billing import change_entry, delete_entry
from portal.contracts.services import Service
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping import lists
from portal.timekeeping.entries import TimeEntry
from portal.web.forms import Form
from portal.web.pages import refused, see_other
from portal.web.visit import visit_of


class Deletion(Struct, kw_only=True):
    version: int


@get("/time/{entry:int}")
async def show_entry(request: Web, entry: FromPath[int]) -> Response[str]:
    """One entry as a form, or as it stands with the sentence that says why it cannot be changed."""
    return await _entry(request, entry=entry)


async def _entry(
    request: Web, *, entry: int, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    line, day = await lists.find(reader, entry), today(reader.time_zone, visit.at)
    services = await Service.offered(line.customer_id, day) if line.customer_id else []
    return await agent_page(
        request,
        reader,
        "agent/time/edit.html",
        entry=line,
        services=services,
        today=day,
        errors=errors or {},
        typed=typed or {},
    )


@post("/time/{entry:int}")
async def change(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Say it anew (S2.21, S2.25); one that was submitted or approved is billing's to change."""
    try:
        fields = form.into(Logged)
        async with transaction(reader):
            where, found = await _page_of(entry, reader), await TimeEntry.find(entry, reader)
            verb = found.change if found.is_open else partial(change_entry, entry)
            await verb(work=fields.work(fields.service), version=fields.version, by=reader, at=at)
    except Invalid as refusal:
        return await refused(request, _entry, refusal, form, entry=entry)
    except Conflict as conflict:
        return await overtaken(request, _entry, conflict, form, entry=entry)
    return see_other(where)


@post("/time/{entry:int}/deletion")
async def delete(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Remove it (S2.22); on a case its log keeps that it was there."""
    version = form.into(Deletion).version
    async with transaction(reader):
        where, found = await _page_of(entry, reader), await TimeEntry.find(entry, reader)
        verb = found.discard if found.is_open else partial(delete_entry, entry)
        await verb(version=version, by=reader, at=at)
    return see_other(where)


async def _page_of(entry: int, reader: AgentReader) -> str:
    """Where to go on after a change: its case, else the own list."""
    number = (await lists.find(reader, entry)).case_number
    return f"/agent/cases/{number}" if number else "/agent/time"


handlers: list[Any] = [show_entry, change, delete]
