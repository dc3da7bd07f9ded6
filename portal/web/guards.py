"""Define the guards of the routes: who may make a request.

What belongs to somebody else answers 404, an agent without the grade of manager or admin gets 403, and whoever is not
signed in is asked to sign in.
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
    """Let contacts and agents pass."""
    _signed_in(connection)


def recognised(connection: Connection, _: BaseRouteHandler) -> None:
    """Let everybody pass who has typed their password, even if they must still set up a second factor."""
    _recognised(connection)


async def contact_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let contacts pass. Agents are redirected to their own page of a case or document, and get 404 elsewhere."""
    reader = _signed_in(connection)
    if not reader.is_contact:
        await lead_to_own_room(connection, reader)


async def agent_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let agents pass. Contacts are redirected to their own page of a case or document, and get 404 elsewhere."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        await lead_to_own_room(connection, reader)


def manager_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let managers and admins pass: approval and billing."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    if not reader.is_manager:
        raise Forbidden("Only managers may do this.")


def admin_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let admins pass: set-up."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    if not reader.is_admin:
        raise Forbidden("Only admins may do this.")
