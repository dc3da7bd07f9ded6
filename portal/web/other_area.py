"""Redirect people to their own area's page of a case, invoice or statement.

A case has two URLs, `/cases/1401` for its contacts and `/agent/cases/1401` for agents, and people send each other
both. A person who opens the URL of the other area is redirected to their own page, if they may see the case.
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
    """Raise `Detour` to the page that the reader's own area has for the case or document in this URL.

    The URL of a part that only one area has, such as a file, leads to the page of the whole case or document. Raise
    `NotFound` if the reader may not see the case or document, and for every other URL and every form.
    """
    found = re.match("(?:/agent)?/(cases|invoices|statements|credit-notes)/", connection.scope["path"])
    given = next(iter(connection.path_params.values()), None)
    if found is None or given is None or connection.scope.get("method") != "GET":
        raise NotFound
    await _FINDERS[found[1]](given, reader)
    raise Detour(f"{'/agent' if reader.is_agent else ''}/{found[1]}/{given}")
