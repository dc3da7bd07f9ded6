"""One time entry: changing it and deleting it."""

from datetime import date, datetime
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.agent.time.form import Logged
from portal.billing import change_entry, delete_entry, find_entry
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskChoice
from portal.database import transaction
from portal.durations import spoken
from portal.errors import Conflict, Forbidden
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping import lists
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.preview import Understood, understood
from portal.web.edits import as_seen, edited
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Said(Struct, kw_only=True):
    """An entry as its form shows it."""

    duration: str
    work_date: str
    service: int | None
    task: int | None
    billing: str
    external_comment: str
    description: str
    counts: str
    override_reason: str

    @classmethod
    def by(cls, line: lists.ListedEntry) -> "Said":
        """What the entry says now."""
        return cls(
            duration=spoken(line.minutes), work_date=line.work_date.isoformat(),
            service=line.service_id, task=line.task_id, billing=line.billing.value,
            external_comment=line.external_comment, description=line.description, override_reason=line.override_reason or "",
            counts=spoken(line.counts) if line.override_reason else "",
        )  # fmt: skip


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
    line, day = await find_entry(reader, entry), today(reader.time_zone, visit.at)
    services = await _services(line, day)
    return await agent_page(
        request,
        reader,
        "agent/time/edit.html",
        entry=line,
        services=services,
        tasks=await _tasks_of(line),
        today=day,
        understood=await _understood(reader, line, typed or {}),
        seen=as_seen(Said.by(line)),
        errors=errors or {},
        typed=typed or {},
    )


async def _services(line: lists.ListedEntry, day: date) -> list[tuple[int, str]]:
    """Return the services that the entry may have: its own, even if it is not offered any more, and those offered on `day`."""
    offered = await Service.offered(line.customer_id, day) if line.customer_id else []
    if line.service_id is None or line.service_id in dict(offered):
        return offered
    return [(line.service_id, line.service or ""), *offered]


async def _tasks_of(line: lists.ListedEntry) -> list[TaskChoice]:
    """Return the tasks that the entry may have."""
    service = line.service_id if line.project_id else None
    return await Task.offered(customer=line.customer_id, service=service, project=line.project_id, known=line.task_id)


async def _understood(reader: AgentReader, line: lists.ListedEntry, typed: dict[str, str]) -> Understood:
    """What the form says at the moment, with a warning where it could not be approved."""
    said = Said.by(line)
    return await understood(
        reader, line.customer_id, duration=typed.get("duration", said.duration), work_date=typed.get("work_date", said.work_date),
        service_id=number_in(str(typed.get("service", said.service))), billing=typed.get("billing", said.billing), external_comment="",
    )  # fmt: skip


@post("/time/{entry:int}")
@on_refusal(_entry, Conflict, Forbidden)  # It may be approved, or its window may close, while it is changed.
async def change(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Say it anew (S2.21, S2.25); one that was submitted or approved is billing's to change."""
    async with transaction(reader):
        line, found = await find_entry(reader, entry), await TimeEntry.find(entry, reader)
        fields = edited(form, Logged, Said.by(line))
        verb = found.change if found.is_open else partial(change_entry, entry)
        await verb(work=fields.work(fields.service), version=line.version, by=reader, at=at)
    return see_other(_page_of(line))


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
        line, found = await find_entry(reader, entry), await TimeEntry.find(entry, reader)
        verb = found.discard if found.is_open else partial(delete_entry, entry)
        await verb(version=version, by=reader, at=at)
    return see_other(_page_of(line))


def _page_of(line: lists.ListedEntry) -> str:
    """Return the page to go on with after a change: the entry's case, else the own list."""
    return f"/agent/cases/{line.case_number}" if line.case_number else "/agent/time"


handlers: list[Any] = [show_entry, change, delete]
