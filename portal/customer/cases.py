"""Serve a contact's list of cases and the form that opens one."""

from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.database import transaction
from portal.desk import Case, CaseType, customers_list, named_elsewhere, problems_of, searched
from portal.desk.custom_fields.offered import OfferedField, offered, refuse_withdrawn, typed_in, with_fields
from portal.desk.help import reading
from portal.desk.lists.questions import quoted_number
from portal.desk.verbs.changing import LogLine
from portal.desk.workflow import priorities
from portal.errors import Invalid, NotFound, TooMany
from portal.numbers import number_in
from portal.people.offered import choices
from portal.people.readers import ContactReader
from portal.web import drafts
from portal.web.forms import Form
from portal.web.limits import searching
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of


class NewCase(Struct, kw_only=True):
    """Fields of the form in which a contact opens a case.

    The case belongs to the signed-in contact and their customer, so the form has no fields for contact and customer.
    `article` is the slug of the help article that the contact read before, or "".
    """

    subject: str = ""
    body: str = ""
    case_type: int | None = None
    priority: int | None = None
    article: str = ""
    confidential: bool = False
    form_key: str = ""

    @classmethod
    def sent(cls, form: Form, custom_fields: list[OfferedField]) -> "NewCase":
        """Return the fields of the sent form, including the fields `custom_fields` that an admin has added to cases.

        If a field is refused, raise `Invalid` with the error messages of all bad fields, including subject and text.
        """
        try:
            return cast(NewCase, form.into(with_fields(cls, custom_fields)))
        except Invalid as refusal:
            raise Invalid(problems_of(form.get("subject"), form.get("body")) | refusal.fields) from None


@get("/cases")
async def list_cases(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the open cases that the contact may see.

    With `?show=all`, show open and closed cases. With a search text, show the open and closed cases that match the
    text. A page that is open in a browser refreshes itself from the same URL.
    """
    query = request.query_params
    text, number = searched(query), number_in(query.get("page"), digits=5) or 1
    everything = query.get("show") == "all" or bool(text)
    async with searching(request, text):
        listed = await customers_list(reader, everything=everything, text=text, page=number)
        return page(
            request, "customer/cases/list.html", listed=listed, everything=everything, text=text, number=quoted_number(text),
            elsewhere=await named_elsewhere(text, listed, reader),
            unsent={one.number for one in await drafts.unsent_of_contact(reader)},
        )  # fmt: skip


@get("/cases/new")
async def new(request: Web) -> Response[str]:
    """Show the form for a new case.

    The query parameter `draft` is the key of an unsent text of the contact, with which the form is then filled in. The
    query parameter `article` is the slug of the help article that the contact has read; the log of the new case names
    this article (S2.45).
    """
    return await _form(request)


async def _form(
    request: Web, *, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    draft = await drafts.begun_here(request, reader, typed)
    article = await _article(draft.typed.get("article", request.query_params.get("article", "")), reader)
    return page(
        request, "customer/cases/new.html", typed=draft.typed, article=article, errors=errors or {}, draft=draft,
        unsent=await drafts.unsent(reader, "/cases/new"),
        types=choices(await CaseType.offered_to_contacts()), priorities=await priorities.offered(to_contact=True),
        custom_fields=await offered(reader),
    )  # fmt: skip


async def _article(slug: str, reader: ContactReader) -> reading.Shown | None:
    """Return the help article with this slug; None without a slug, or if the contact can no longer read the article."""
    with suppress(NotFound):
        return await reading.read(slug, reader) if slug else None
    return None


@get("/cases/new/suggestions")
async def suggest(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Return the help articles that match the subject typed so far (`?subject=`), as HTML.

    After too many searches, return no articles instead of an error.
    """
    subject, found = request.query_params.get("subject", ""), list[reading.Found]()
    with suppress(TooMany):
        async with searching(request, subject):
            found = await reading.suggested(subject, reader)
    return page(request, "customer/cases/suggestions.html", suggestions=found)


@post("/cases/new")
@on_refusal(_form, TooMany)
async def open_case(
    reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a case and redirect to its page.

    If the contact came from a help article, the log of the case names the article. Raise `Invalid` if the form has a
    custom field that an admin has withdrawn in the meantime.
    """
    async with transaction(reader):
        custom_fields = await offered(reader)
        refuse_withdrawn(form.fields, custom_fields)
        fields = NewCase.sent(form, custom_fields)
        article = await _article(fields.article, reader)
        after: list[LogLine] = [("read_article", {"title": article.title, "slug": article.slug})] if article else []
        case = await Case.open(
            by=reader, subject=fields.subject, text=fields.body, case_type_id=fields.case_type or 0,
            priority=fields.priority or 0, files=form.files, at=at, form_key=form.key, after=after,
            confidential=fields.confidential,
            own=typed_in(fields, custom_fields),
        )  # fmt: skip
    return see_other(f"/cases/{case.number}")


handlers: list[Any] = [list_cases, new, suggest, open_case]
