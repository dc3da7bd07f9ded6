"""Who may ask. What is not yours is 404; an agent who needs a manager's or admin's grade gets 403; nobody is asked to sign in."""

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
    """Contacts and agents alike."""
    _signed_in(connection)


def recognised(connection: Connection, _: BaseRouteHandler) -> None:
    """Whoever typed their password: the pages on which a second factor is set up."""
    _recognised(connection)


async def contact_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let contacts pass. An agent is led to their own page of a case or document, and gets 404 elsewhere."""
    reader = _signed_in(connection)
    if not reader.is_contact:
        await lead_to_own_room(connection, reader)


async def agent_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let agents pass. A contact is led to their own page of a case or document, and gets 404 elsewhere."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        await lead_to_own_room(connection, reader)


def manager_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Approval and billing."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    if not reader.is_manager:
        raise Forbidden("Only managers may do this.")


def admin_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Set-up."""
    reader = _signed_in(connection)
    if not reader.is_agent:
        raise NotFound
    if not reader.is_admin:
        raise Forbidden("Only admins may do this.")
