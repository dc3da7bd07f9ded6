"""Sign people in and out."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from msgspec import Struct

from portal.database import current, transaction
from portal.errors import TooMany
from portal.people import factors
from portal.people.access import credentials, sessions
from portal.people.access.passwords import Proven
from portal.web import cookies
from portal.web.forms import Form
from portal.web.monitoring.metrics import REFUSED_SIGN_INS
from portal.web.pages import on_refusal, page, see_other
from portal.web.sessionless.step import remember_step
from portal.web.visit import Web, safe_path, visit_of

KEPT = "You were signed out. What you typed is kept, and is there again when you have signed in."
CHANGED = "Your password is changed. Sign in with it."


class SignIn(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the sign-in page: mail address, password, and the path to redirect to afterwards."""

    email: str = ""
    password: str = ""
    next: str = "/"


@get("/sign-in")
async def show(
    request: Web, next: FromQuery[str] = "/", kept: FromQuery[str] = "", changed: FromQuery[str] = ""
) -> Response[Any]:
    """Show the sign-in form, or redirect to the path `next` if the reader is already signed in."""
    if visit_of(request).reader:
        return see_other(safe_path(next))
    return await _page(request, next=safe_path(next), notice=KEPT if kept else CHANGED if changed else "")


async def _page(request: Web, **context: Any) -> Response[str]:
    return page(request, "session/sign_in.html", resets=bool(visit_of(request).settings.smtp_url), **context)


async def _again(request: Web, *, form: Form, **context: Any) -> Response[str]:
    """Count a refusal in the metrics, and show the sign-in form again."""
    REFUSED_SIGN_INS.inc()
    return await _page(request, next=safe_path(form.get("next") or "/"), **context)


@post("/sign-in")
@on_refusal(_again, TooMany, only=["email"])
async def sign_in(request: Web, form: NamedDependency[Form], at: NamedDependency[datetime]) -> Response[Any]:
    """Check the password, begin a new session, and redirect to the path `next` of the form.

    If the person has a second factor, redirect to the second step instead, before a session begins. Once the password
    is proved, a session that the browser had before ends, with or without a second factor (R14).
    """
    given = form.into(SignIn)
    proven = await credentials.verify(given.email, given.password, address=visit_of(request).address, at=at)
    return await let_in(request, proven, safe_path(given.next or "/"), at)


async def let_in(request: Web, proven: Proven, next_path: str, at: datetime) -> Response[Any]:
    """Begin a session for a person whose password is proved, and redirect to `next_path`.

    If the person has a second factor, redirect to the second step instead (R9). The session that this browser had
    before ends. Raise `Invalid` if the password was changed, or the person's access ended, after the password was
    proved (R17).
    """
    async with transaction(None):
        await credentials.hold(proven)
        if not await factors.are_set_up(proven.login_id):
            return see_other(await enter(request, proven.login_id, next_path, at))
        # The cookie may belong to another person; one browser never acts as two people.
        if session := visit_of(request).session:
            await sessions.end(session.id, at)
    remember_step(request, proven, next_path, at)
    return see_other("/sign-in/second-factor")


async def enter(request: Web, login_id: int, next_path: str, at: datetime, *, factor: str | None = None) -> str:
    """Begin a session of this person in this browser, and return the path to redirect to.

    A contact of several customers is signed in to the customer that they used or accepted last. The returned path leads
    to a page on which they can choose another customer before they go on to `next_path`.

    Exception: if this browser has an earlier session of the same contact, and `next_path` is not "/", the contact is
    signed in to the customer of that session, and `next_path` is returned, because the page, or a draft on the page,
    belongs to that customer. `factor` is the second factor that was used, or None. Call this in `transaction(None)`, as
    `open_session` requires.
    """
    first, *others = await credentials.memberships(login_id)
    before = visit_of(request).session
    if before and before.credential_id in (first, *others) and next_path != "/":
        first, others = before.credential_id, []
    await open_session(request, first, at, factor=factor)
    return f"/account/customers?next={quote(next_path, safe='')}" if others else next_path


async def open_session(request: Web, credential_id: int, at: datetime, *, factor: str | None = None) -> str:
    """Begin a session with this credential in this browser, and return its token. The browser's old session ends (R14).

    `factor` is the second factor that was used, or None. Call this in `transaction(None)`, which has the database role
    for sign-in. The cookie is set only after that transaction has committed.
    """
    visit = visit_of(request)
    if visit.session:
        await sessions.end(visit.session.id, at)
    token = await sessions.begin(
        credential_id, address=visit.address, browser=request.headers.get("user-agent", ""), at=at, factor=factor
    )
    hand_over(request, token)
    return token


def hand_over(request: Web, token: str) -> None:
    """Once the transaction has committed, give this browser the cookie of a new session.

    At the same time, delete the cookie to which forms without a session, such as the sign-in form, are bound. If the
    transaction is rolled back, both cookies stay as they are.
    """
    visit = visit_of(request)

    async def give() -> None:
        visit.new_cookies += [
            cookies.write(cookies.SESSION, token, visit.settings),
            cookies.clear(cookies.ANONYMOUS, visit.settings),
        ]

    current().on_commit(give)


@post("/sign-out")
async def sign_out(request: Web, at: NamedDependency[datetime]) -> Response[Any]:
    """End this session, make the browser clear its cache (R42), and redirect to the sign-in page.

    The cookie of the ended session stays in the browser, although it signs nobody in. If another window of this browser
    still sends a form, this cookie identifies the person, and the text of the form is saved as that person's draft.
    """
    visit = visit_of(request)
    if visit.session:
        async with transaction(None):
            await sessions.end(visit.session.id, at)
    answer = see_other("/sign-in")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


handlers: list[Any] = [show, sign_in, sign_out]
