"""What the pages and forms of the agents' area share: the counts in the rail, and what answers a conflict."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from portal.billing import waiting_count
from portal.desk import counts
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping.rules import latest_work_date
from portal.web.forms import Form
from portal.web.pages import page, refused
from portal.web.visit import visit_of


async def rail(reader: AgentReader) -> dict[str, int]:
    """The counts in the rail, by the names of its views: one query, and one for a manager's waiting approvals."""
    return await counts(reader) | ({"approvals": await waiting_count(reader)} if reader.is_manager else {})


async def agent_page(
    request: Request[Any, Any, Any], reader: AgentReader, template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """A whole page of the agents' area. Its templates find `rail`, and `last_day`, up to which time may be logged."""
    visit = visit_of(request)
    last_day = latest_work_date(visit.at, reader.time_zone, visit.company.time_zone)
    context["rail"] = context.get("rail") or await rail(reader)
    return page(request, template, status=status, last_day=last_day, **context)


async def overtaken(
    request: Request[Any, Any, Any],
    show: Callable[..., Awaitable[Response[str]]],
    refusal: Conflict | Forbidden,
    form: Form,
    **values: Any,
) -> Response[str]:
    """Return the form's page again with what was typed, the sentence of the refusal and its status (design manner 9)."""
    response = await refused(request, show, Invalid({"": refusal.sentence}), form, **values)
    response.status_code = refusal.status
    return response


def whole(text: str | None) -> int | None:
    """The id or number that an address asks for; one that makes no sense is not asked for."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
