"""Serve the log of a case to agents, as a page and as a file, and the case with its files as a ZIP file."""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.desk import Case, Details
from portal.desk.lists.log import GROUPS, MOST, Wanted, csv_of, log_of, record_download
from portal.people.readers import AgentReader
from portal.render.formats import reading
from portal.web.files import case_zip
from portal.web.limits import exporting
from portal.web.pages import download, page
from portal.web.visit import Web, visit_of, wants_fragment


@get("/cases/{number:str}/log")
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the log of a case, newest first, filtered by `?person=`, `?kind=` and `?day=`.

    For htmx, serve only the lines of the log, because an open page requests these again when the case changes.
    """
    reader: Any = visit_of(request).reader
    details, wanted = await Details.find(number, reader), Wanted.read(request.query_params)
    lines, people = await log_of(details.case, reader, wanted)
    found: dict[str, Any] = {"details": details, "lines": lines, "most": MOST, "query": request.url.query}
    if wants_fragment(request):
        return page(request, "agent/queue/_log.html", **found)
    groups = [(key, label) for key, (label, _) in GROUPS.items()]
    return await agent_page(
        request, reader, "agent/queue/log.html", people=people, wanted=wanted, groups=groups, **found
    )


@get("/cases/{number:str}/log.csv")
async def export(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[Any]:
    """Serve all lines of the log that match the filter of the page as CSV, and record the download in the audit log."""
    async with exporting(request):
        case = await Case.find(number, reader)
        with reading(reader, None, at):
            content = await csv_of(case, reader, Wanted.read(request.query_params))
        await record_download(case, "csv")
    return download(content, f"log-{case.number}.csv", media_type="text/csv")


@get("/cases/{number:str}/case.zip")
async def export_case(request: Web, number: FromPath[str]) -> Response[Any]:
    """Serve the case with its notes, time, log and files as a ZIP file."""
    return await case_zip(request, number)


handlers: list[Any] = [show, export, export_case]
