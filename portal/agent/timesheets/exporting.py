"""Serve timesheets as files. A short file is served at once; a long file is made by a job, with a page of progress."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.agent.timesheets.showing import PATH, Asked
from portal.database import transaction
from portal.errors import NotFound
from portal.people.readers import AgentReader
from portal.reports import making, timesheets
from portal.reports.files import MOST_AT_ONCE, Export, file_name, order_of, record
from portal.reports.questions import Layout
from portal.storage import Storage
from portal.web.form_pages import FORM_PAGE
from portal.web.guards import manager_only
from portal.web.limits import exporting
from portal.web.pages import download, page, see_other
from portal.web.visit import Web, visit_of, wants_fragment

TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
}
FILES = f"{PATH}/files"


@get([f"/timesheets.{format}" for format in TYPES], guards=[manager_only])
async def export(request: Web, reader: NamedDependency[AgentReader]) -> Response[Any]:
    """Serve the timesheet with the URL's filters as CSV, XLSX or XML, and record the download in the audit log.

    `?layout=` is `payroll` or `invoicing`. If the timesheet has more than `MOST_AT_ONCE` entries, serve no file, but a
    page with a button that starts a job for the file.
    """
    format, layout = request.url.path.rpartition(".")[2], _layout(request)
    async with exporting(request):
        asked = await Asked.of(request)
        if await timesheets.has_more_than(reader, asked.question, MOST_AT_ONCE):
            return await _offer(request, reader, asked, layout, format)
        await record(reader, format)
    order = order_of(visit_of(request).settings, reader, asked.question, layout, format)
    file = await making.make(order)
    name = file_name(asked.question, layout, format)
    return download(making.chunks(file), name, media_type=TYPES[format], size=making.size_of(file))


async def _offer(request: Web, reader: AgentReader, asked: Asked, layout: Layout, format: str) -> Response[str]:
    return await agent_page(
        request, reader, "agent/timesheets/offer.html", query=asked.query(layout=layout.value, format=format),
        question=asked.question, layout=layout, format=format, sums=await timesheets.sums(reader, asked.question),
    )  # fmt: skip


def _layout(request: Web) -> Layout:
    """Return the layout that the URL names, by default the layout for payroll. Raise `NotFound` for any other text."""
    asked = request.query_params.get("layout", Layout.PAYROLL.value)
    if asked not in list(Layout):
        raise NotFound
    return Layout(asked)


@post("/timesheets/files", guards=[manager_only], opt={FORM_PAGE: FILES})
async def ask(request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[Any]:
    """Enqueue a job that makes the file that the URL describes, and redirect to the page with the progress of the file.

    Raise `NotFound` for an unknown format or layout.
    """
    format, layout = request.query_params.get("format", "csv"), _layout(request)
    if format not in TYPES:
        raise NotFound
    async with transaction(reader):
        question = (await Asked.of(request)).question
        sums = await timesheets.sums(reader, question)
        made = await Export.ask(reader, question, layout, format, entries=sums.count, at=at)
    return see_other(f"{FILES}/{made}")


@get("/timesheets/files", guards=[manager_only])
async def list_files(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the files that the agent has asked for, and the progress of each file that is not ready."""
    return await agent_page(request, reader, "agent/timesheets/files.html", files=await Export.own(reader))


@get("/timesheets/files/ready", guards=[manager_only])
async def ready_files(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show which of the agent's files are ready and were not downloaded yet.

    Open pages request this fragment when a file has become ready.
    """
    return page(request, "agent/timesheets/_ready.html", ready_files=await Export.waiting(reader))


@get("/timesheets/files/{export_id:int}", guards=[manager_only])
async def show_file(request: Web, reader: NamedDependency[AgentReader], export_id: FromPath[int]) -> Response[str]:
    """Show the progress of one file, or the link to the file once it is ready.

    For htmx, return only this part of the page, which the page requests again until the file is ready.
    """
    found = await Export.find(export_id, reader)
    if wants_fragment(request):
        return page(request, "agent/timesheets/_progress.html", file=found)
    return await agent_page(request, reader, "agent/timesheets/file.html", file=found)


@get("/timesheets/files/{export_id:int}/download", guards=[manager_only])
async def fetch_file(
    request: Web,
    reader: NamedDependency[AgentReader],
    storage: NamedDependency[Storage],
    at: NamedDependency[datetime],
    export_id: FromPath[int],
) -> Response[Any]:
    """Serve a file that is ready, and record the download in the audit log.

    Raise `NotFound` if the file is not ready, or if another agent has asked for it.
    """
    async with exporting(request):
        found = await Export.find(export_id, reader)
        key = await found.hand_out(storage, at)
        await record(reader, found.format)
    return download(storage.read(key), found.name, media_type=TYPES[found.format], size=found.size)


handlers: list[Any] = [export, ask, list_files, ready_files, show_file, fetch_file]
