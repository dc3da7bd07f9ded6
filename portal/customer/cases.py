"""A contact's list of cases, and opening one."""

from datetime import datetime
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.database import transaction
from portal.desk import Case, Priority, case_types, customers_list, problems_of, searched
from portal.errors import Invalid, TooMany
from portal.people.readers import ContactReader
from portal.web import drafts
from portal.web.forms import Form
from portal.web.limits import searching
from portal.web.pages import page, refused, see_other
from portal.web.visit import visit_of

Web = Request[Any, Any, Any]


class NewCase(Struct, kw_only=True):
    """What a contact says of a new case; everything else follows from who they are."""

    subject: str = ""
    body: str = ""
    case_type: int | None = None
    priority: int | None = None
    form_key: str = ""


@get("/cases")
async def list_cases(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """What is open, with `?show=all` everything, or what has the words of `text`; it refreshes itself through the same address."""
    query = request.query_params
    asked, text = query.get("page", ""), searched(query)
    everything = query.get("show") == "all" or bool(text)
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1
    async with searching(request, text):
        listed = await customers_list(reader, everything=everything, text=text, page=number)
        return page(request, "customer/cases/list.html", listed=listed, everything=everything, text=text)


@get("/cases/new")
async def new(request: Web) -> Response[str]:
    """The form, with what was typed before and never sent."""
    return await _form(request)


async def _form(
    request: Web, *, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    draft = await drafts.begun_here(request, reader, typed)
    return page(
        request, "customer/cases/new.html", typed=draft.typed, errors=errors or {}, draft=draft, unsent=await drafts.unsent(reader, "/cases/new"),
        types=[(kind.id, kind.name) for kind in await case_types()], priorities=[(int(priority), priority.word) for priority in Priority],
    )  # fmt: skip


@post("/cases/new")
async def open_case(
    request: Web, reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Open a case and go to its page; the number is its title there."""
    try:
        fields = form.into(NewCase)
        async with transaction(reader):
            case = await Case.open(
                by=reader, subject=fields.subject, text=fields.body, case_type_id=fields.case_type or 0,
                priority=fields.priority or 0, files=form.files, at=at, form_key=form.key,
            )  # fmt: skip
    except Invalid as refusal:
        whole = Invalid(problems_of(form.get("subject"), form.get("body")) | refusal.fields)
        return await refused(request, _form, whole, form)
    except TooMany as refusal:
        return await refused(request, _form, refusal, form)
    return see_other(f"/cases/{case.number}")


handlers: list[Any] = [list_cases, new, open_case]
