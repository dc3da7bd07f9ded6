"""Provide what the account pages share: their layout, and the new session after a sensitive change."""

from datetime import datetime
from typing import Any

from litestar import Response

from portal.database import current
from portal.people import factors
from portal.people.access import sessions
from portal.web.errors import SignInNeeded
from portal.web.pages import page
from portal.web.sessionless.sign_in import open_session
from portal.web.visit import Web, page_of, visit_of


async def account_page(request: Web, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Return an account page as a response, in the layout of the reader's area (contacts or agents).

    `context` holds the variables of the template. An agent who must first set up a second factor gets a layout without
    navigation.
    """
    visit = visit_of(request)
    bare = visit.lacks_factor
    around = {} if bare else await request.app.state.frame(visit.reader, visit.at)
    return page(request, template, status=status, bare=bare, **around, **context)


async def hold_session(request: Web) -> None:
    """Lock this browser's session until the caller's transaction ends. Raise `SignInNeeded` if the session has ended.

    Call this before a change that stays in effect after the session. Without the lock, a form that arrives slowly could
    make the change after the reader has ended all sessions (R12, R17). This must be the first call in the transaction:
    it locks the person's row too, and the same order of locks everywhere avoids deadlocks.
    """
    session = visit_of(request).session
    if session is None or not await sessions.hold(session):
        raise SignInNeeded(page_of(request))


def login_of(request: Web) -> int:
    """Return the id of the reader's login, which has the password and the second factors.

    Raise `SignInNeeded` if the request has no session.
    """
    session = visit_of(request).session
    if session is None:
        raise SignInNeeded(page_of(request))
    return session.login_id


async def renew_session(request: Web, credential_id: int, at: datetime, *, factor: str | None = None) -> None:
    """End all sessions of this person and begin a new one in this browser (R14, R17).

    The caller's transaction must run as the sign-in role. `factor` is the second factor that was just proved. If
    `factor` is None, the new session keeps the factor of the former session, unless the person has no second factor any
    more.
    """
    visit = visit_of(request)
    before = visit.session.factor if visit.session else None
    if before and not await factors.are_set_up(login_of(request)):
        before = None
    await sessions.end_all_of_login(login_of(request), at)
    token = await open_session(request, credential_id, at, factor=factor or before)
    found = await sessions.find(token, at)

    async def go_on() -> None:
        if found is not None:  # Forms in the response must be signed for the new session.
            visit.session = found[0]

    current().on_commit(go_on)
