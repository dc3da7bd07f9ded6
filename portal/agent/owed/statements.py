"""Serve statements to managers, and the form that corrects a statement."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.owed.credits import EVERYTHING, FREE, chosen_minutes
from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.billing import (
    Chosen,
    Statement,
    correct_statement,
    correctable,
    detail_of,
    minutes_by_cover,
    minutes_of,
    part_of,
    questions_of,
)
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.numbers import number_in
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.web.files import statement_csv, statement_in_print
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other, turned
from portal.web.visit import Web, visit_of


@get("/statements/{statement_id:uuid}", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader], statement_id: FromPath[uuid.UUID]) -> Response[str]:
    """Show a statement as its customer sees it: the time of one contract for which a billing run charged nothing."""
    statement = await Statement.find(statement_id, reader)
    rows = await detail_of(statement_id=statement.id)
    detail = part_of(rows, request.query_params.get("detail"))
    return await agent_page(
        request, reader, "agent/invoices/statement.html", statement=statement, detail=detail, related=await statement.related(),
        sums=minutes_by_cover(rows),
        questions=await questions_of(statement),
        customer=await Customer.find(statement.customer_id, reader),
    )  # fmt: skip


@get("/statements/{statement_id:uuid}/detail.csv", guards=[manager_only])
async def show_csv(
    request: Web, reader: NamedDependency[AgentReader], statement_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve the stored CSV file with the time entries of a statement, and record the download in the audit log."""
    return await statement_csv(request, reader, statement_id)


@get("/statements/{statement_id:uuid}/statement.pdf", guards=[manager_only])
async def show_pdf(
    request: Web, reader: NamedDependency[AgentReader], statement_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve a statement as a PDF, and record the download in the audit log."""
    return await statement_in_print(request, reader, statement_id)


class CorrectionForm(Struct, kw_only=True):
    """Form that corrects a statement.

    With the `scope` `everything`, the correction takes all time off the statement. With another scope, it takes off the
    durations in `minutes`, which are typed for the displayed rows of time; `row` has the positions of these rows. If
    `then` is `free`, the time can be billed again; `written_off` writes it off. `left` is how many minutes of the
    statement were left to correct when the page was shown; if the number has changed since, the form is refused.
    """

    scope: str = EVERYTHING
    row: list[int]
    minutes: list[str]
    then: str = FREE
    reason: str = ""
    left: str = ""
    form_key: str = ""

    def chosen(self) -> Chosen:
        """Return what the correction takes off the statement. Raise `Invalid` for a text that is not a duration."""
        if self.scope == EVERYTHING:
            return Chosen(everything=True)
        problems = dict[str, str]()
        minutes = chosen_minutes(self.row, self.minutes, problems)
        if problems:
            raise Invalid(problems)
        return Chosen(minutes=minutes)


@get("/statements/{statement_id:uuid}/correction", guards=[manager_only])
async def show_form(request: Web, statement_id: FromPath[uuid.UUID]) -> Response[str]:
    """Show which time of a statement is left to correct, with the form that corrects the statement.

    The query parameter `entry` limits the list of time to one time entry, and `detail` is the list's paging cursor.
    """
    return await _form(request, statement_id=statement_id)


async def _form(
    request: Web,
    *,
    statement_id: uuid.UUID,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
) -> Response[str]:
    reader: Any = visit_of(request).reader
    statement = await Statement.find(statement_id, reader)
    left = [] if statement.corrects_id else await correctable(statement)
    entry = number_in(request.query_params.get("entry", ""))
    time = [each for each in left if entry is None or each.row.entry_id == entry]
    fields = form.fields if form else {}
    return await form_page(
        request, "agent/invoices/correction.html", statement=statement, left={each.row.position: each.minutes for each in time},
        total=minutes_of(left),
        detail=part_of([each.row for each in time], turned(request, "detail").get("detail")), entry=entry, errors=errors, typed=typed,
        minutes=dict(zip(fields.get("row", []), fields.get("minutes", []), strict=False)),
    )  # fmt: skip


@post("/statements/{statement_id:uuid}/correction", guards=[manager_only])
@on_refusal(_form, Conflict)
async def correct(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    statement_id: FromPath[uuid.UUID],
) -> Response[Any]:
    """Create a further statement that corrects this statement, and redirect to the new statement."""
    fields = form.into(CorrectionForm)
    async with transaction(reader):
        statement = await Statement.find(statement_id, reader)
        made = await correct_statement(
            statement,
            fields.chosen(),
            reason=fields.reason,
            freed=fields.then == FREE,
            by=reader,
            at=at,
            form_key=form.key,
            seen=fields.left,
        )
    return see_other(f"/agent/statements/{made.id}")


handlers: list[Any] = [show, show_csv, show_pdf, show_form, correct]
