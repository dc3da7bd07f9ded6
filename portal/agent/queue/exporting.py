"""Serve the list of cases as a CSV file."""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.desk import Question
from portal.desk.lists.exporting import record_download, sheet_of
from portal.exports import write_csv
from portal.people.readers import AgentReader
from portal.render.formats import reading
from portal.web.limits import exporting
from portal.web.pages import download
from portal.web.visit import Web


@get("/cases/export.csv")
async def export(request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[Any]:
    """Serve the cases that match the view and filters of the URL as CSV, and record the download in the audit log."""
    question = Question.read(request.query_params.multi_items()).asked_at(at)
    async with exporting(request):
        with reading(reader, None, at):
            content = write_csv(await sheet_of(reader, question))
        await record_download(reader)
    return download(content, f"cases-{at.date().isoformat()}.csv", media_type="text/csv")


handlers: list[Any] = [export]
