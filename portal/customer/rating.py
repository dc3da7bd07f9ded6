"""Serve the form in which contacts rate the solution of a case."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.database import transaction
from portal.desk import Case
from portal.desk.verbs import rating
from portal.desk.verbs.rating import Rated
from portal.people.readers import ContactReader
from portal.web.edits import as_seen, edited
from portal.web.forms import Form
from portal.web.limits import count_rating
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of


@get("/cases/{number:str}/rating")
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the form that rates the solution, or the reason why the case cannot be rated."""
    return await _page(request, number=number)


async def _page(
    request: Web, *, number: str, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    case = await Case.find(number, reader)
    rated = await rating.rating_of(case)
    return page(
        request, "customer/cases/rating.html", case=case, rated=rated, seen=as_seen(rated), action=f"/cases/{case.number}/rating",
        typed=typed or {}, errors=errors or {}, may_rate=rating.may_rate(case, visit.at), why_not=rating.why_not_rated(case),
    )  # fmt: skip


@post("/cases/{number:str}/rating")
@on_refusal(_page)
async def rate(
    request: Web,
    reader: NamedDependency[ContactReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Store or change the rating of the solution, and redirect to the case."""
    await count_rating(request)
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True, itself=True)
        await case.rate(edited(form, Rated, await rating.rating_of(case)), by=reader, at=at)
    return see_other(f"/cases/{case.number}")


handlers: list[Any] = [show, rate]
