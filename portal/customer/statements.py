"""Serve statements to contacts. A statement lists the time of a contract for which nothing was charged.

The list of invoices links to the statements.
"""

import uuid
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.billing import Statement, detail_of, hand_out, part_of
from portal.people.readers import ContactReader
from portal.web.limits import exporting
from portal.web.pages import download, page
from portal.web.visit import Web


@get("/statements/{statement_id:uuid}")
async def show(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[str]:
    """Show a statement: its time entries, and for each what paid for it. `?detail=` is the cursor of the entries."""
    statement = await Statement.find(statement_id, reader)
    detail = part_of(await detail_of(statement_id=statement.id), request.query_params.get("detail"))
    return page(request, "customer/statements/show.html", statement=statement, detail=detail)


@get("/statements/{statement_id:uuid}/detail.csv")
async def show_csv(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve the CSV file with the time entries of a statement, as it was stored when the statement was made.

    The audit log records that the contact received it.
    """
    async with exporting(request):
        statement = await Statement.find(statement_id, reader)
        content = await hand_out("csv", statement)
    return download(content, f"statement-{statement.until}.csv", media_type="text/csv")


handlers: list[Any] = [show, show_csv]
