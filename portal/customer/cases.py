"""Serve a contact's list of cases and the form that opens one."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.database import transaction
from portal.desk import PRIORITY_CHOICES, Case, case_types, customers_list, problems_of, searched
from portal.errors import Invalid, TooMany
from portal.numbers import number_in
from portal.people.offered import choices
from portal.people.readers import ContactReader
from portal.web import drafts
from portal.web.forms import Form
from portal.web.limits import searching
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of


class NewCase(Struct, kw_only=True):
    """Form in which a contact opens a case.

    Customer and contact come from the session, so the form has no field for them.
    """

    subject: str = ""
    body: str = ""
    case_type: int | None = None
    priority: int | None = None
    form_key: str = ""

    @classmethod
    def sent(cls, form: Form) -> "NewCase":
        """Return the fields of the sent form.

        Raise `Invalid` with every problem at once: those of the selects and those of the subject and the text.
        """
        try:
            return form.into(cls)
        except Invalid as refusal:
            raise Invalid(problems_of(form.get("subject"), form.get("body")) | refusal.fields) from None


@get("/cases")
async def list_cases(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the contact's open cases, or all cases with `?show=all`, or all cases that match the search words.

    The open page refreshes itself through the same URL.
    """
    query = request.query_params
    text, number = searched(query), number_in(query.get("page"), digits=5) or 1
    everything = query.get("show") == "all" or bool(text)
    async with searching(request, text):
        listed = await customers_list(reader, everything=everything, text=text, page=number)
        return page(request, "customer/cases/list.html", listed=listed, everything=everything, text=text)


@get("/cases/new")
async def new(request: Web) -> Response[str]:
    """Show the form for a new case, filled in with what the contact typed earlier and did not send."""
    return await _form(request)


async def _form(
    request: Web, *, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    draft = await drafts.begun_here(request, reader, typed)
    return page(
        request, "customer/cases/new.html", typed=draft.typed, errors=errors or {}, draft=draft, unsent=await drafts.unsent(reader, "/cases/new"),
        types=choices(await case_types()), priorities=PRIORITY_CHOICES,
    )  # fmt: skip


@post("/cases/new")
@on_refusal(_form, TooMany)
async def open_case(
    reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a case and redirect to its page."""
    fields = NewCase.sent(form)
    async with transaction(reader):
        case = await Case.open(
            by=reader, subject=fields.subject, text=fields.body, case_type_id=fields.case_type or 0,
            priority=fields.priority or 0, files=form.files, at=at, form_key=form.key,
        )  # fmt: skip
    return see_other(f"/cases/{case.number}")


handlers: list[Any] = [list_cases, new, open_case]
