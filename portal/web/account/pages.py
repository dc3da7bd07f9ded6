"""What the pages of an account share: the frame around them, and a new session after what others must not live through."""

from datetime import datetime
from typing import Any

from litestar import Response

from portal.database import current
from portal.people import sessions
from portal.web.door.sign_in import open_session
from portal.web.errors import SignInNeeded
from portal.web.pages import page
from portal.web.visit import Web, page_of, visit_of


async def account_page(request: Web, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """A page in the frame of the reader's area; whoever still lacks their second factor sees nothing around it."""
    visit = visit_of(request)
    bare = visit.lacks_factor
    around = {} if bare else await request.app.state.frame(visit.reader)
    return page(request, template, status=status, bare=bare, **around, **context)


async def hold_session(request: Web) -> None:
    """What follows in the caller's transaction happens only while this browser's session counts, and nobody ends it before that is over.

    For what outlives a session: without it a form that is sent slowly would go through after its owner signed out everywhere (R12, R17).
    First of all in a transaction, for it locks the person. Raises `SignInNeeded`.
    """
    session = visit_of(request).session
    if session is None or not await sessions.hold(session):
        raise SignInNeeded(page_of(request))


async def renew_session(request: Web, credential_id: int, at: datetime, *, factor: str | None = None) -> None:
    """End every session of this person and begin a new one in this browser (R14, R17). In the caller's transaction, as the sign-in role.

    `factor`: the second factor that was just proved; without one the session keeps the one that it had.
    """
    visit = visit_of(request)
    before = visit.session.factor if visit.session else None
    await sessions.end_all(credential_id, at)
    token = await open_session(request, credential_id, at, factor=factor or before)
    found = await sessions.find(token, at)

    async def go_on() -> None:
        if found is not None:  # what is answered now belongs to the new session
            visit.session = found[0]

    current().on_commit(go_on)
