"""Rate the solution of a case by the signed link in a mail, without signing in.

A GET of the link only shows a form, because some mail programs open every link; only the form's POST rates.
"""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.database import transaction
from portal.desk import Case
from portal.desk.verbs import rating
from portal.desk.verbs.rating import Rated
from portal.desk.verbs.rating_link import RatingLink
from portal.errors import Invalid, NotFound
from portal.people.readers import ContactReader
from portal.web.bodies.receiving import read
from portal.web.edits import Overtaken, as_seen, edited
from portal.web.forms import Form
from portal.web.limits import count_rating
from portal.web.pages import page
from portal.web.visit import Web, visit_of


def _answer(request: Web, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Return a page whose URL browsers do not send as a referrer, because it contains the token (R41)."""
    answer = page(request, template, status=status, **context)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _ended(request: Web) -> Response[str]:
    return _answer(request, "session/rating_ended.html", status=404)


async def _read_link(request: Web, token: str) -> tuple[RatingLink, ContactReader]:
    """Return the contents of the link, and the contact to whom the link was mailed.

    End the transaction of the request first. It has the rights of whoever is signed in in this browser, who may be
    another person than that contact. Raise `NotFound` if the link is not valid.
    """
    visit = visit_of(request)
    await visit.end_reading()
    link = RatingLink.read(token, visit.settings.sealer, visit.at)
    return link, await link.reader()


@get("/ratings/{token:str}")
async def show(request: Web, token: FromPath[str]) -> Response[str]:
    """Show the form that rates the solution of the case, or a page that says that the link is no longer valid."""
    return await _page(request, token=token)


async def _page(
    request: Web, *, token: str, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    try:
        link, reader = await _read_link(request, token)
        async with transaction(reader, readonly=True):
            case = await Case.find(link.number, reader)
            rated = await rating.rating_of(case)
    except NotFound:
        return _ended(request)
    return _answer(
        request, "session/rating.html", case=case, rated=rated, seen=as_seen(rated), action=request.scope["path"], typed=typed or {},
        errors=errors or {}, may_rate=rating.may_rate(case, visit_of(request).at), why_not=rating.why_not_rated(case),
    )  # fmt: skip


async def _link_first(request: Web) -> Response[str] | None:
    """Read the form and return None.

    If the link is not valid, return the page that says so without reading the body.
    """
    try:
        await _read_link(request, request.path_params["token"])
    except NotFound:
        return _ended(request)
    await read(request)
    return None


@post("/ratings/{token:str}", before_request=_link_first, status_code=200)
async def rate(
    request: Web, form: NamedDependency[Form], at: NamedDependency[datetime], token: FromPath[str]
) -> Response[Any]:
    """Store the rating as the contact to whom the link was mailed, and return a page that thanks the contact.

    The present rights of the contact count, not the rights at the time of the mail. If the rating is refused, show the
    form again. If the link is no longer valid, return the page that says so.
    """
    await count_rating(request)
    try:
        link, reader = await _read_link(request, token)
        async with transaction(reader):
            case = await Case.find(link.number, reader, hold=True)
            await case.rate(edited(form, Rated, await rating.rating_of(case)), by=reader, at=at)
    except NotFound:
        return _ended(request)
    except Invalid as refusal:
        typed = form.typed | (refusal.typed if isinstance(refusal, Overtaken) else {})
        answer = await _page(request, token=token, typed=typed, errors=refusal.fields)
        answer.status_code = refusal.status
        return answer
    return _answer(request, "session/rated.html", case=case, action=request.scope["path"])


handlers: list[Any] = [show, rate]
