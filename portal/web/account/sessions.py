"""Let people end their own sessions: one of them, all except the current one, or all (R17)."""

from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.database import transaction
from portal.people.access import sessions
from portal.web.account.pages import login_of
from portal.web.guards import signed_in
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of


@post("/account/sessions/{session:int}/ending", guards=[signed_in])
async def end(request: Web, at: NamedDependency[datetime], session: FromPath[int]) -> Response[Any]:
    """End one of the reader's own sessions, and redirect to the account page.

    Raise `NotFound` for any other session.
    """
    async with transaction(None):
        await sessions.end_own(login_of(request), session, at)
    return see_other("/account")


@post("/account/other-sessions/ending", guards=[signed_in])
async def end_others(request: Web, at: NamedDependency[datetime]) -> Response[Any]:
    """End all of the reader's sessions except the current one, and redirect to the account page."""
    here = visit_of(request).session
    async with transaction(None):
        await sessions.end_all_of_login(login_of(request), at, but=here.id if here else None)
    return see_other("/account?done=sessions")


@post("/account/sessions/ending", guards=[signed_in])
async def end_all(request: Web, at: NamedDependency[datetime]) -> Response[Any]:
    """End all of the reader's sessions, including the current one, and redirect to the sign-in page.

    The response makes the browser clear its cache (R42).
    """
    async with transaction(None):
        await sessions.end_all_of_login(login_of(request), at)
    answer = see_other("/sign-in")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


handlers: list[Any] = [end, end_others, end_all]
