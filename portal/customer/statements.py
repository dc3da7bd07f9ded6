"""Serve statements to contacts. A statement lists the time of a contract for which nothing was charged.

The list of invoices links to the statements.
"""

import uuid
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.billing import Statement, detail_of, minutes_by_cover, part_of
from portal.customer.questions import questions_about
from portal.people.readers import ContactReader
from portal.web.files import statement_csv, statement_in_print
from portal.web.notices import reads_notices
from portal.web.pages import page
from portal.web.visit import Web


@get("/statements/{statement_id:uuid}")
@reads_notices
async def show(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[str]:
    """Show a statement: its time entries, what paid for each entry, and the sum of minutes for each way of paying.

    The query parameter `detail` is the paging cursor of the entries.
    """
    statement = await Statement.find(statement_id, reader)
    rows = await detail_of(statement_id=statement.id)
    detail = part_of(rows, request.query_params.get("detail"))
    asked = await questions_about(
        [row.entry_id for row in detail.rows if row.entry_id is not None],
        reader,
        {row.case_number for row in detail.rows},
    )
    return page(
        request, "customer/statements/show.html", statement=statement, detail=detail, related=await statement.related(),
        sums=minutes_by_cover(rows), **asked,
    )  # fmt: skip


@get("/statements/{statement_id:uuid}/detail.csv")
async def show_csv(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve the stored CSV file with the time entries of a statement, and record the download in the audit log."""
    return await statement_csv(request, reader, statement_id)


@get("/statements/{statement_id:uuid}/statement.pdf")
async def show_pdf(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve a statement as a PDF, and record the download in the audit log."""
    return await statement_in_print(request, reader, statement_id)


handlers: list[Any] = [show, show_csv, show_pdf]
