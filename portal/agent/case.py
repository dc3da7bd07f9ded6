"""Serve the page of one case, the forms for a reply and a note, and the case's files."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.flow.places import place_of
from portal.agent.flow.presence import others_on
from portal.agent.flow.sending import Written, add_to_reply, draft_addresses, forget_draft, send, written_on
from portal.agent.pages import agent_page
from portal.billing import feed_with_time, standing_of
from portal.database import transaction
from portal.desk import Case, Details, Feed, feed_of
from portal.desk.lists.walking import walk_of
from portal.desk.replies import canned
from portal.desk.verbs.snoozing import offered
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import today
from portal.storage import Storage
from portal.timekeeping.appointments import appointments_with_time
from portal.timekeeping.feed import CaseTime
from portal.web import drafts, previews
from portal.web.forms import Form
from portal.web.notices import about_to_read, read_when_sent, reads_notices
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of, wants_fragment


@get("/cases/{number:str}")
@reads_notices
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show a case with its feed and forms. The number of a merged case redirects to the case that contains it now.

    The query parameter `before` is the paging cursor of older entries in the feed. If `canned` is the id of a canned
    reply, the text box contains that reply.
    """
    return await show_case(request, number=number)


async def show_case(
    request: Web,
    *,
    number: str,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """Return the page of a case.

    If the case with this number was merged, redirect to the case that contains it now, unless a form was refused.
    `errors` and `typed` belong to a refused reply or note.
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    details = await Details.find(number, reader)
    if details.stands_for(number) and errors is None:
        return see_other(place_of(request, details.case.number, **{"from": number}))
    await about_to_read(request, ("case", details.case.id), looks=details.is_unread)
    numbers = (details.case.number, *details.merged)
    texts = await drafts.kept(reader, *draft_addresses(*numbers))
    address, kept = drafts.newest(texts)
    if typed is None and (reply := number_in(request.query_params.get("canned"))):
        text = await canned.filled_for(reply, details, reader, visit.company.name)
        address, kept = add_to_reply(texts, text)
    draft = await drafts.begun(reader, address, kept if typed is None else typed)
    feed, time = await _feed(request, details)
    response = await agent_page(
        request, reader, "agent/cases/show.html", details=details, feed=feed, time=time, draft=draft,
        appointments=await appointments_with_time(details.case.id, reader), errors=errors or {}, typed=draft.typed,
        came_from=details.named_by(request.query_params.getall("from", [])),
        walk=await walk_of(details.case, reader, request.query_params.multi_items(), visit.at), toast=_toast(request, details.case),
        case=details.case, days=offered(today(reader.time_zone, visit.at)), **others_on(request, details.case.id, reader),
    )  # fmt: skip
    return read_when_sent(request, response)


def _toast(request: Web, case: Case) -> dict[str, str] | None:
    """Return the message, with an undo URL, that the case was just snoozed, or None if the case was not snoozed."""
    if not (request.query_params.get("snoozed") and case.snoozed_until):
        return None
    return {"words": "Snoozed. It comes back by itself.", "undo": place_of(request, f"{case.number}/snooze/ending")}


async def _feed(request: Web, details: Details) -> tuple[Feed, CaseTime]:
    visit, before = visit_of(request), request.query_params.get("before", "")
    reader: Any = visit.reader
    case, company = details.case, visit.company.name
    files_at = f"/agent/cases/{case.number}/files/"
    feed = await feed_of(
        case, reader, customer=details.customer_name, files_at=files_at, company=company, before=before
    )
    return await feed_with_time(feed, case.id, reader, before=before)


@get("/cases/{number:str}/feed")
async def show_feed(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[str]:
    """Serve the parts of the case page that refresh themselves: the feed, the top of the page and the side panel."""
    details = await Details.find(number, reader)
    await about_to_read(request, ("case", details.case.id), looks=details.is_unread)
    feed, time = await _feed(request, details)
    response = page(
        request, "agent/cases/feed.swap.html", details=details, feed=feed, time=time,
        appointments=await appointments_with_time(details.case.id, reader),
        walk=await walk_of(details.case, reader, request.query_params.multi_items(), at),
        days=offered(today(reader.time_zone, at)),
    )  # fmt: skip
    return read_when_sent(request, response)


@get("/cases/{number:str}/standing")
async def show_standing(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[str]:
    """Serve the fragment that says how many hours the service of a case has left.

    If the rules of time tracking do not allow time on cases, the fragment shows no hours. The case page requests this
    fragment once it has loaded. The page itself does not wait for the hours, because computing them takes several SQL
    statements, and is slower for a period with many time entries.
    """
    case, visit = await Case.find(number, reader), visit_of(request)
    standing = None
    if visit.rules.tracks_cases:
        standing = await standing_of(reader, case.service_id, today(visit.company.time_zone, at))
    return page(request, "agent/cases/_standing.html", case=case, standing=standing)


@post("/cases/{number:str}/replies")
@on_refusal(show_case)
async def reply(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Send a reply, and set the status of the case if the agent chose a status with the reply.

    For the first seconds, only agents see the reply, and the agent can withdraw it. After that, the customer can read
    the reply. Redirect to the case, or to the next case of the list.
    """
    return await send(request, reader, form, number, at)


@post("/cases/{number:str}/notes")
@on_refusal(show_case)
async def note(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Create an internal note, which no customer can ever read (D51), and redirect to the case."""
    fields = form.into(Written)
    async with transaction(reader):
        case = await Case.find(number, reader)
        await case.note(by=reader, text=fields.body, files=form.files, at=at, form_key=form.key)
    await forget_draft(reader, number, form, at)
    return see_other(written_on(request, number, case))


@get("/cases/{number:str}/files/{file:uuid}")
async def show_file(
    request: Web, storage: NamedDependency[Storage], number: FromPath[str], file: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve a file of the case as a download."""
    return await previews.whole(request, storage, number, file)


@get("/cases/{number:str}/files/{file:uuid}/picture.webp")
async def show_picture(
    request: Web, storage: NamedDependency[Storage], at: NamedDependency[datetime], number: FromPath[str],
    file: FromPath[uuid.UUID],
) -> Response[bytes]:  # fmt: skip
    """Serve a file of the case as a WebP image: the picture in the file, or one page of a PDF (`previews.picture`)."""
    return await previews.picture(request, storage, number, file, at)


@get("/cases/{number:str}/files/{file:uuid}/preview")
async def show_preview(
    request: Web, reader: NamedDependency[AgentReader], storage: NamedDependency[Storage],
    at: NamedDependency[datetime], number: FromPath[str], file: FromPath[uuid.UUID],
) -> Response[str]:  # fmt: skip
    """Show the preview of a file of the case: as a fragment for htmx, otherwise on a page of its own."""
    found = await previews.shown(request, storage, number, file, at) | {
        "address": f"/agent/cases/{number}/files/{file}"
    }
    if wants_fragment(request):
        return page(request, "shared/_preview.html", **found)
    async with transaction(reader, readonly=True):
        return await agent_page(request, reader, "agent/cases/file.html", number=number, **found)


handlers: list[Any] = [show, show_feed, show_standing, reply, note, show_file, show_picture, show_preview]
