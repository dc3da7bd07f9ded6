"""Serve the form by which a contact asks about time: on an invoice, on a statement, or in the hours."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.billing import (
    AskedTime,
    Invoice,
    Statement,
    ask_about_entry,
    open_questions,
    refuse_without_hours,
    time_in_hours,
    time_on_invoice,
    time_on_statement,
)
from portal.database import transaction
from portal.desk import Case
from portal.errors import Conflict, TooMany
from portal.people.readers import ContactReader
from portal.web.forms import Form
from portal.web.pages import form_values, on_refusal, page, see_other
from portal.web.visit import Web, visit_of

PATHS = [
    "/invoices/{number:str}/questions/{position:int}",
    "/statements/{statement_id:uuid}/questions/{position:int}",
    "/hours/entries/{entry:int}/question",
]
"""The URLs of the form, one for each page on which a contact sees time."""


class QuestionForm(Struct, kw_only=True):
    """Fields of the form in which a contact asks about time.

    `form_key` identifies the form, so that a form that is sent twice asks once.
    """

    body: str = ""
    form_key: str = ""


@get(PATHS)
async def show_form(request: Web) -> Response[str]:
    """Show the form for a question about the time that the URL names."""
    return await _form(request)


async def _form(
    request: Web, *, errors: dict[str, str] | None = None, typed: dict[str, Any] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    about, back = await _asked(request, reader)
    values = await form_values(request, None, typed)
    return page(request, "customer/invoices/question.html", about=about, back=back, errors=errors or {}, **values)


async def _asked(request: Web, reader: ContactReader) -> tuple[AskedTime, str]:
    """Return the time that the request's URL names, and the URL of the page on which the reader sees this time."""
    match request.path_params:
        case {"number": number, "position": position}:
            return await time_on_invoice(await Invoice.find(number, reader), position), f"/invoices/{number}"
        case {"statement_id": id, "position": position}:
            return await time_on_statement(await Statement.find(id, reader), position), f"/statements/{id}"
    refuse_without_hours(reader)
    return await time_in_hours(request.path_params["entry"], reader), "/hours"


@post(PATHS)
@on_refusal(_form, TooMany, Conflict)
async def send(
    request: Web, reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Send the question about the time that the URL names, and redirect to the case that contains the question."""
    fields = form.into(QuestionForm)
    async with transaction(reader):
        about, _ = await _asked(request, reader)
        case = await ask_about_entry(about, fields.body, by=reader, at=at, form_key=form.key)
    return see_other(f"/cases/{case}")


async def questions_about(
    entry_ids: list[int], reader: ContactReader, numbers: Iterable[int | None] = ()
) -> dict[str, Any]:
    """Return the template variables `questions` and `cases` for a list of time entries.

    `questions` maps the id of each entry with an open question to the number of the case that contains the question.
    `cases` is the set of those case numbers in `questions` and `numbers` whose cases the reader may see.
    """
    found = await open_questions(entry_ids)
    return {"questions": found, "cases": await Case.seen_among([*found.values(), *filter(None, numbers)], reader)}


handlers: list[Any] = [show_form, send]
