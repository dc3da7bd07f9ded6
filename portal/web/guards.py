"""Route guards, which decide who may make a request.

People who are not signed in are redirected to the sign-in page. A URL of the other area or of another customer gets
404. Exception: if the URL of the other area leads to a case or document that the reader may see, the reader is
redirected to the page of this case or document in their own area. An agent whose grade is too low gets 403.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from portal.errors import Forbidden, NotFound
from portal.timekeeping.policy.switches import OFF, OFF_ON_CASES
from portal.web.errors import Detour, SignInNeeded
from portal.web.other_area import redirect_to_own_area
from portal.web.visit import page_of, visit_of, wants_fragment

Connection = ASGIConnection[Any, Any, Any, Any]


SECOND_FACTOR = "/account/second-factor"


def _signed_in(connection: Connection) -> Any:
    """Return the signed-in reader.

    Raise `SignInNeeded` if nobody is signed in, and `Detour` if an agent must set up a second factor first.
    """
    reader = _recognised(connection)
    if visit_of(connection).lacks_factor:
        raise Detour(SECOND_FACTOR)
    return reader


def _recognised(connection: Connection) -> Any:
    """Return the signed-in reader, even an agent who must still set up a second factor.

    If nobody is signed in, raise `SignInNeeded` with the page to return to. This is the requested page. For a form or a
    fragment, it is the page that sent the form or asked for the fragment.
    """
    reader = visit_of(connection).reader
    if reader is None:
        path, query = connection.scope["path"], connection.scope.get("query_string", b"").decode("latin-1")
        is_page = connection.scope.get("method") == "GET" and not wants_fragment(connection)
        raise SignInNeeded(path + (f"?{query}" if query else "") if is_page else page_of(connection))
    return reader


def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow contacts and agents who are signed in and have set up a second factor if they need one."""
    _signed_in(connection)


def recognised(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow everybody with a session, even an agent who must still set up a second factor."""
    _recognised(connection)


def anybody(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow everybody, also without a session. Raise `Detour` if an agent must set up a second factor first."""
    if visit_of(connection).lacks_factor:
        raise Detour(SECOND_FACTOR)


async def contact_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow contacts only.

    An agent is redirected to the agents' page of the same case or document; all other URLs give an agent 404.
    """
    reader = _signed_in(connection)
    if not reader.is_contact:
        await redirect_to_own_area(connection, reader)


async def administrator_only(connection: Connection, handler: BaseRouteHandler) -> None:
    """Allow only contacts who manage the contacts of their customer.

    Other contacts get 404, as on an unknown page. Agents and people who are not signed in are treated as by
    `contact_only`.
    """
    await contact_only(connection, handler)
    reader: Any = visit_of(connection).reader
    reader.as_administrator()


async def agent_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow agents only.

    A contact is redirected to the contacts' page of the same case or document; all other URLs give a contact 404.
    """
    reader = _signed_in(connection)
    if not reader.is_agent:
        await redirect_to_own_area(connection, reader)


def _agent(connection: Connection) -> Any:
    """Return the signed-in agent. Raise `NotFound` for a contact."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    return reader


def manager_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow managers and admins only; used for approval and billing.

    Raise `NotFound` for a contact, `Forbidden` for any other agent.
    """
    if not _agent(connection).is_manager:
        raise Forbidden("Only managers may do this.")


def admin_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow admins only; used for the set-up pages.

    Raise `NotFound` for a contact, `Forbidden` for any other agent.
    """
    if not _agent(connection).is_admin:
        raise Forbidden("Only admins may do this.")


def time_tracked(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow the request while time tracking is switched on; used for every page and form of time (S1.6).

    Raise `NotFound` while it is switched off.
    """
    if not visit_of(connection).rules.tracks_time:
        raise NotFound(OFF)


def case_time_tracked(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow the request while time can be logged on cases (S1.6, S1.7). Raise `NotFound` otherwise."""
    if not visit_of(connection).rules.tracks_cases:
        raise NotFound(OFF_ON_CASES)
