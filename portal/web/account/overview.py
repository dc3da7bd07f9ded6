"""Show the account page: the reader's details, second factor and sessions."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from portal.database import transaction
from portal.mail import refusals
from portal.people import factors
from portal.people.access import sessions
from portal.web.account.pages import account_page, login_of
from portal.web.guards import signed_in
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of

DONE = {
    "password": "Your password is changed. Wherever else you were signed in, you are signed out.",
    "sessions": "You are signed out everywhere else.",
    "mail": "Mails go to your address again, from the next one on.",
}


@get("/account", guards=[signed_in])
async def show(
    request: Web,
    reader: NamedDependency[Any],
    at: NamedDependency[datetime],
    done: FromQuery[str] = "",
) -> Response[str]:
    """Show the account page. `done` is the key in `DONE` of a change that was just made, which the page confirms."""
    own = await sessions.live_ones(login_of(request), is_agent=reader.is_agent, at=at)
    visit = visit_of(request)
    return await account_page(
        request, "account/show.html", sessions=own, here=visit.session.id if visit.session else 0,
        factors=await factors.of(login_of(request)), refusal=await refusals.find(reader.email), notice=DONE.get(done, ""),
    )  # fmt: skip


@post("/account/mail-refusal/removal", guards=[signed_in])
async def try_mail_again(reader: NamedDependency[Any]) -> Response[Any]:
    """Forget that a mail server refused the reader's address, and redirect to the account page.

    From now on, mails are sent to the address again.
    """
    async with transaction(reader):
        await refusals.forget(reader.email)
    return see_other("/account?done=mail")


handlers: list[Any] = [show, try_mail_again]
