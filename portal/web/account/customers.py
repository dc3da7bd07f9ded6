"""Let a person who is a contact of several customers, with one mail address and one password, switch between them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from portal.database import transaction
from portal.errors import NotFound
from portal.people.access import sessions
from portal.web.account.pages import account_page, hold_session
from portal.web.forms import Form
from portal.web.guards import signed_in
from portal.web.pages import see_other
from portal.web.sessionless.sign_in import hand_over
from portal.web.visit import Web, safe_path, visit_of


@get("/account/customers", guards=[signed_in])
async def show(request: Web, reader: NamedDependency[Any], next: FromQuery[str] = "/") -> Response[str]:
    """Show the customers to which the reader has access. `next` is the path to go to once a customer is chosen.

    Raise `NotFound` for an agent.
    """
    if not reader.is_contact:
        raise NotFound
    return await account_page(request, "account/customers.html", next=safe_path(next))


@post("/account/customers/{credential:int}", guards=[signed_in])
async def choose(
    request: Web, form: NamedDependency[Form], at: NamedDependency[datetime], credential: FromPath[int]
) -> Response[Any]:
    """Switch to another of the reader's customers: replace the session by one for this credential (R14), and redirect.

    The form's `next` is the path to redirect to. Row-level security uses the new customer from the next request on.
    Raise `NotFound` for another person's credential, for an invitation that was not accepted, and for a credential
    whose access has ended.
    """
    session = visit_of(request).session
    async with transaction(None):
        await hold_session(request)
        if session is None:
            raise NotFound
        hand_over(request, await sessions.switch(session, credential, at))
    return see_other(safe_path(form.get("next") or "/"))


handlers: list[Any] = [show, choose]
