"""Serve the page for changing or deleting one time entry."""

from datetime import datetime
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import replace

from portal.agent.pages import agent_page
from portal.agent.time.form import Choices, Logged, services_of, where_of
from portal.agent.toasts import address_after, told_of
from portal.billing import change_entry, delete_entry, find_entry, prices_of
from portal.contracts.tasks import Task, TaskChoice
from portal.database import transaction
from portal.durations import spoken
from portal.errors import Conflict, Forbidden
from portal.numbers import number_in
from portal.people.offered import choices as pairs
from portal.people.readers import AgentReader
from portal.people.roles import Role
from portal.periods import today
from portal.timekeeping import lists, versions
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.kinds import GeneralKind
from portal.timekeeping.preview import Understood, understood
from portal.timekeeping.states import Submission, submit
from portal.web.edits import as_seen, edited
from portal.web.forms import Form
from portal.web.notices import about_to_read, read_when_sent
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, page_of, safe_path, visit_of


class Said(Struct, kw_only=True):
    """Stored values of a time entry as its form shows them, under the same field names as in `Logged`."""

    duration: str
    work_date: str
    began: str
    ended: str
    service: int | None
    task: int | None
    kind: int | None
    role: int | None
    billing: str
    external_comment: str
    description: str
    counts: str
    override_reason: str

    @classmethod
    def by(cls, line: lists.ListedEntry) -> "Said":
        """Return the stored values of the entry `line`."""
        began, ended = line.span.clock_times() if line.span else (None, None)
        return cls(
            duration=spoken(line.minutes), work_date=line.work_date.isoformat(),
            began=f"{began:%H:%M}" if began else "", ended=f"{ended:%H:%M}" if ended else "",
            service=line.service_id, task=line.task_id, kind=line.kind_id, role=line.role_id, billing=line.billing.value,
            external_comment=line.external_comment, description=line.description, override_reason=line.override_reason or "",
            counts=spoken(line.counts) if line.override_reason else "",
        )  # fmt: skip


class Deletion(Struct, kw_only=True):
    """Form that deletes a time entry.

    `version` is the version of the entry that the page showed; `back` is the URL path to redirect to afterwards.
    """

    version: int
    back: str = ""


@get("/time/{entry:int}")
async def show_entry(request: Web, entry: FromPath[int]) -> Response[str]:
    """Show the form that changes a time entry. If the entry cannot be changed, show its values and the reason."""
    return await show_again(request, entry=entry)


async def show_again(
    request: Web, *, entry: int, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    """Return the page of a time entry. `errors` and `typed` belong to a refused form on this page."""
    visit = visit_of(request)
    reader: Any = visit.reader
    line, day = await find_entry(reader, entry), today(reader.time_zone, visit.at)
    await about_to_read(request, ("time", line.id))
    choices = Choices(
        services=await services_of(request, line.customer_id) if not line.project_id else [],
        tasks=await _tasks_of(line), roles=pairs(await Role.all_by_name()), usual=line.billing.value,
    )  # fmt: skip
    choices.services.extend(_kept(line, choices.services))
    kinds = [
        (kind.id, kind.name) for kind in await GeneralKind.listed() if not kind.ended_at or kind.id == line.kind_id
    ]
    response = await agent_page(
        request, reader, "agent/time/edit.html", entry=line, offer=choices, kinds=kinds, said=Said.by(line), today=day,
        understood=await _understood(request, line, typed or {}), seen=as_seen(Said.by(line)), back=safe_path(page_of(request)),
        errors=errors or {}, typed=typed or {}, history=await versions.of_entry(line.id),
        prices=await prices_of(line.id, reader) if line.state == "approved" else [],
    )  # fmt: skip
    return read_when_sent(request, response)


def _kept(line: lists.ListedEntry, offered: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the entry's service as a one-item list if `offered` lacks this service, else [].

    Services whose contract has ended are not offered, but the entry keeps its service.
    """
    if line.service_id is None or line.project_id or any(id == line.service_id for id, _ in offered):
        return []
    return [(line.service_id, line.service or "")]


async def _tasks_of(line: lists.ListedEntry) -> list[TaskChoice]:
    """Return the tasks that the form offers for the entry, including the task that the entry already has."""
    service = line.service_id if line.project_id else None
    return await Task.offered(customer=line.customer_id, service=service, project=line.project_id, known=line.task_id)


async def _understood(request: Web, line: lists.ListedEntry, typed: dict[str, str]) -> Understood:
    """Return the preview of the entry for the typed values, with the stored value of each field that `typed` lacks."""
    said = Said.by(line)
    reader: Any = visit_of(request).reader
    times = {"began": said.began, "ended": said.ended} | typed
    return await understood(
        reader, line.customer_id, duration=typed.get("duration", said.duration), work_date=typed.get("work_date", said.work_date),
        service_id=number_in(str(typed.get("service", said.service))), billing=typed.get("billing", said.billing), external_comment="",
        is_general=line.customer_id is None, held=line.minutes, where=where_of(request, times, None, line),
    )  # fmt: skip


@post("/time/{entry:int}")
# While the form is open, a manager may approve the entry, or the period in which the entry may be changed may end.
@on_refusal(show_again, Conflict, Forbidden)
async def change(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Save the changes to a time entry (S2.21, S2.25), and redirect to the page on which the form was opened.

    If the pressed button is *Save and submit* (`then`), also submit the entry.
    """
    async with transaction(reader):
        line = await find_entry(reader, entry)
        said, fields = Said.by(line), form.into(Logged)
        submits = fields.then == "submit"
        outcome = await saved(line, edited(form, Logged, said), said, by=reader, at=at, submits=submits)
    back = _page_of(line, fields.back)
    return see_other(address_after(back, told_of(outcome)) if outcome else back)


async def saved(
    line: lists.ListedEntry, typed: Logged, said: Said, *, by: AgentReader, at: datetime, submits: bool = False
) -> Submission | None:
    """Save the typed fields of an entry whose stored values are `said`, and submit the entry if `submits` is set.

    Return the result of submitting the entry, or None if it is not submitted. `TimeEntry.change` changes drafts and
    rejected entries; `change_entry` of the billing package changes submitted and approved entries.
    """
    found, fields = await TimeEntry.find(line.id, by), _as_meant(typed, said)
    service = line.service_id if line.project_id else fields.service
    work = await fields.work(line.agent_id, service, kind_id=fields.kind, held=line.minutes)
    verb = found.change if found.is_open else partial(change_entry, line.id)
    await verb(work=work, version=line.version, by=by, at=at)
    return await submit(by, [line.id], at=at) if submits else None


def _as_meant(fields: Logged, said: Said) -> Logged:
    """Return `fields` with an empty duration if the agent changed the clock times but not the duration.

    The duration is then computed from the new clock times, instead of contradicting them.
    """
    is_moved = (fields.began, fields.ended) != (said.began, said.ended) and fields.began and fields.ended
    return replace(fields, duration="") if is_moved and fields.duration == said.duration else fields


@post("/time/{entry:int}/deletion")
async def delete(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Delete a time entry (S2.22), and redirect to the page on which the form was opened.

    The log of the entry's case keeps a line about the deletion. Raise `Conflict` if the entry has changed since the
    page was shown.
    """
    sent = form.into(Deletion)
    async with transaction(reader):
        line, found = await find_entry(reader, entry), await TimeEntry.find(entry, reader)
        verb = found.discard if found.is_open else partial(delete_entry, entry)
        await verb(version=sent.version, by=reader, at=at)
    return see_other(address_after(_page_of(line, sent.back), {"gone": line.minutes}))


def _page_of(line: lists.ListedEntry, back: str) -> str:
    """Return the URL path to redirect to after a change.

    This is `back` if it is another page of the portal, else the page of the entry's case or project, else the agent's
    own list of time.
    """
    if safe_path(back) not in ("/", f"/agent/time/{line.id}"):
        return safe_path(back)
    if line.case_number:
        return f"/agent/cases/{line.case_number}"
    return f"/agent/projects/{line.project_id}" if line.project_id else "/agent/time"


handlers: list[Any] = [show_entry, change, delete]
