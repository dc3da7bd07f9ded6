"""Serve statements to contacts. A statement lists the time of a contract for which nothing was charged.

The list of invoices links to the statements.
"""

import uuid
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.billing import Statement, detail_of, hand_out
from portal.people.readers import ContactReader
from portal.web.limits import exporting
from portal.web.pages import download, page
from portal.web.visit import Web


@get("/statements/{statement_id:uuid}")
async def show(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[str]:
    """Show a statement: its time entries, and what paid for each of them."""
    statement = await Statement.find(statement_id, reader)
    return page(
        request, "customer/statements/show.html", statement=statement, detail=await detail_of(statement_id=statement.id)
    )


@get("/statements/{statement_id:uuid}/detail.csv")
async def show_csv(
    request: Web, reader: NamedDependency[ContactReader], statement_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve the CSV file with the time entries of a statement, as it was stored when the statement was made."""
    async with exporting(request):
        statement = await Statement.find(statement_id, reader)
        content = await hand_out("csv", statement)
    return download(content, f"statement-{statement.until}.csv", media_type="text/csv")


handlers: list[Any] = [show, show_csv]
