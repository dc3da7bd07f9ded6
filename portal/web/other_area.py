"""Redirect people who open a case or document in the other area to the same case or document in their own area.

For example, a case has the URL `/cases/1401` for contacts and `/agent/cases/1401` for agents. Contacts and agents send
each other their URLs, so either may open the URL of the other area.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection

from portal.billing import CreditNote, Invoice, Statement
from portal.desk import Case
from portal.errors import NotFound
from portal.people.readers import Reader
from portal.web.errors import Detour

_FINDERS: dict[str, Callable[[Any, Reader], Awaitable[Any]]] = {
    "cases": Case.find,
    "invoices": Invoice.find,
    "statements": Statement.find,
    "credit-notes": CreditNote.find,
}


async def redirect_to_own_area(connection: ASGIConnection[Any, Any, Any, Any], reader: Reader) -> None:
    """Raise `Detour` to the page, in the reader's own area, of the case or document in this URL.

    A longer URL, such as the URL of a file of a case, also leads to the page of the whole case or document. Raise
    `NotFound` if the reader may not see the case or document, if the URL is not about one, or if the request is not a
    GET.
    """
    found = re.match("(?:/agent)?/(cases|invoices|statements|credit-notes)/", connection.scope["path"])
    given = next(iter(connection.path_params.values()), None)
    if found is None or given is None or connection.scope.get("method") != "GET":
        raise NotFound
    await _FINDERS[found[1]](given, reader)
    raise Detour(f"{'/agent' if reader.is_agent else ''}/{found[1]}/{given}")
