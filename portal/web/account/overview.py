"""Show the account page: the reader's details, second factor and sessions."""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from portal.people import factors, sessions
from portal.web.account.pages import account_page
from portal.web.guards import signed_in
from portal.web.visit import Web, visit_of

DONE = {
    "password": "Your password is changed. Wherever else you were signed in, you are signed out.",
    "sessions": "You are signed out everywhere else.",
}


@get("/account", guards=[signed_in])
async def show(
    request: Web,
    reader: NamedDependency[Any],
    at: NamedDependency[datetime],
    done: FromQuery[str] = "",
) -> Response[str]:
    """Show the account page. `done` names the change that was just made, which the page then confirms."""
    own = await sessions.live_ones(reader.credential_id, is_agent=reader.is_agent, at=at)
    visit = visit_of(request)
    return await account_page(
        request, "account/show.html", sessions=own, here=visit.session.id if visit.session else 0,
        factors=await factors.of(reader.credential_id), notice=DONE.get(done, ""),
    )  # fmt: skip


handlers: list[Any] = [show]
