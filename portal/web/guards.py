"""The guards of the routes, which decide who may make a request.

What belongs to another customer is answered with 404, an agent without the grade manager or admin gets 403, and people
who are not signed in are redirected to the sign-in page.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from portal.errors import Forbidden, NotFound
from portal.web.errors import Detour, SignInNeeded
from portal.web.rooms import lead_to_own_room
from portal.web.visit import page_of, visit_of

Connection = ASGIConnection[Any, Any, Any, Any]


SECOND_FACTOR = "/account/second-factor"


def _signed_in(connection: Connection) -> Any:
    reader = _recognised(connection)
    if visit_of(connection).lacks_factor:
        raise Detour(SECOND_FACTOR)
    return reader


def _recognised(connection: Connection) -> Any:
    reader = visit_of(connection).reader
    if reader is None:
        path, query = connection.scope["path"], connection.scope.get("query_string", b"").decode("latin-1")
        raise SignInNeeded(
            path + (f"?{query}" if query else "") if connection.scope.get("method") == "GET" else page_of(connection)
        )
    return reader


def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow contacts and agents who are signed in."""
    _signed_in(connection)


def recognised(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow everybody with a session, even if they must still set up a second factor."""
    _recognised(connection)


async def contact_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow contacts only. Agents are redirected to the agents' page of a case or document, and get 404 elsewhere."""
    reader = _signed_in(connection)
    if not reader.is_contact:
        await lead_to_own_room(connection, reader)


async def agent_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow agents only. Contacts are redirected to the contacts' page of a case or document, and get 404 elsewhere."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        await lead_to_own_room(connection, reader)


def manager_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow managers and admins only; used for approval and billing."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    if not reader.is_manager:
        raise Forbidden("Only managers may do this.")


def admin_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Allow admins only; used for the set-up pages."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    if not reader.is_admin:
        raise Forbidden("Only admins may do this.")
