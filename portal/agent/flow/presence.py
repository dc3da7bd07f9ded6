"""Show which other agents look at a case or write on it, and receive reports when an agent begins or stops writing."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.database import transaction
from portal.desk import Case
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.web import presence
from portal.web.forms import Form
from portal.web.live import PAGE
from portal.web.pages import page
from portal.web.visit import Web


class Writing(Struct, kw_only=True):
    """Form by which an open case page reports whether its agent is writing a reply or note.

    `state` is `writes` or `pauses`. `page` is the id of the open page, which is also in the URL of its event stream.
    """

    page: str = ""
    state: str = ""


def others_on(request: Web, case_id: int, reader: AgentReader) -> dict[str, Any]:
    """Return the variables of `_presence.html`: the names of other agents who write on the case or look at it."""
    writing, looking = request.app.state.listener.present.others(case_id, reader)
    return {"writing": writing, "looking": looking}


@get("/cases/{number:str}/presence")
async def show_presence(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Serve the line of the case page that names the other agents who write on the case or look at it."""
    case = await Case.find(number, reader)
    return page(request, "agent/cases/_presence.html", case=case, **others_on(request, case.id, reader))


@post("/cases/{number:str}/presence")
async def change_presence(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], number: FromPath[str]
) -> Response[Any]:
    """Tell the open pages of the case that the agent begins or stops writing on the case, and return 204.

    Raise `Invalid` for an unknown state or a malformed page id.
    """
    fields = form.into(Writing)
    if fields.state not in ("writes", "pauses") or not PAGE.fullmatch(fields.page):
        raise Invalid({"": "This page cannot say that."})
    async with transaction(reader, readonly=True):
        case = await Case.find(number, reader)
    await presence.say(case.id, fields.page, fields.state, reader)
    return Response(None, status_code=204)


handlers: list[Any] = [show_presence, change_presence]
