"""Serve the form that snoozes a case, and the buttons that end its snooze."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.flow.places import place_of
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.verbs.snoozing import SnoozeFacts, offered
from portal.errors import BadRequest, Conflict
from portal.people.readers import AgentReader
from portal.periods import today
from portal.web.edits import seen_in
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Snooze(SnoozeFacts, kw_only=True):
    """Form that snoozes a case. `pick` is the day of the button that was clicked, and replaces the typed day.

    `read` is when the page was loaded; the form is refused if the customer has written since.
    """

    pick: str = ""
    read: str = ""


class Shown(Struct, kw_only=True):
    """The snooze that the page showed: `until` is when it ends, or None if the case was not snoozed."""

    until: datetime | None


@get("/cases/{number:str}/snooze")
async def show_snooze(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the form that snoozes a case."""
    return await _snooze(request, number=number)


async def _snooze(request: Web, *, number: str, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    details, days = await Details.find(number, reader), offered(today(reader.time_zone, visit.at))
    usual = {"day": days[0][0].isoformat(), "time": "09:00"}
    return await form_page(
        request,
        "agent/related/snooze.html",
        details=details,
        days=days,
        back=place_of(request, number),
        query=request.url.query,
        zone=reader.time_zone,
        typed=typed or usual,
        seen=Shown(until=details.case.snoozed_until),
        **again,
    )


@post("/cases/{number:str}/snooze")
@on_refusal(_snooze, Conflict)
async def snooze(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Snooze a case until the chosen day and time, and redirect to the case.

    Raise `Conflict` if somebody else has changed the snooze, or the customer has written, since the page was shown.
    """
    sent = form.into(Snooze)
    until = SnoozeFacts(day=sent.pick or sent.day, time=sent.time).until(reader, at)
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True, hold=True)
        shown = seen_in(form, Shown)
        if shown and case.snoozed_until not in (shown.until, until):
            raise Conflict(
                "Somebody else has changed the snooze of this case meanwhile. Look at it, then snooze it again."
            )
        await case.snooze(until, by=reader, at=at, seen=_instant(sent.read))
    return see_other(place_of(request, number, snoozed="yes"))


def _instant(text: str) -> datetime | None:
    """Return the instant in `text`, which a hidden field of the form contains, or None if `text` is empty.

    Raise `BadRequest` for a text that is not an instant with a time zone.
    """
    try:
        read = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadRequest from error
    if read and read.tzinfo is None:
        raise BadRequest
    return read


@post("/cases/{number:str}/snooze/ending")
async def wake(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[Any]:
    """End the snooze of a case, and redirect to the case."""
    async with transaction(reader):
        await (await Case.find(number, reader, itself=True)).wake(by=reader, at=at)
    return see_other(place_of(request, number))


handlers: list[Any] = [show_snooze, snooze, wake]
