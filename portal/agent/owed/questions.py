"""Serve the button that closes a customer's question about time once an agent has answered it in the case."""

from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.billing import explain_entry
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.form_pages import FORM_PAGE
from portal.web.guards import manager_only
from portal.web.pages import see_other
from portal.web.visit import Web, page_of


@post("/questions/{question_id:int}/ending", guards=[manager_only], opt={FORM_PAGE: "/agent/invoices"})
async def end(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], question_id: FromPath[int]
) -> Response[Any]:
    """Close a customer's question about time, because an agent has answered it in the case.

    Redirect to the list of questions on the page on which the button was clicked.
    """
    async with transaction(reader):
        await explain_entry(question_id, by=reader, at=at)
    return see_other(f"{page_of(request).partition('#')[0]}#questions")


handlers: list[Any] = [end]
