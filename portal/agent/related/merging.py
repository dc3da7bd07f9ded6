"""Serve the page that asks into which case several cases are merged, and merge them (D53)."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal import billing
from portal.agent.queue.bulk import Ticked
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk.lists.questions import quoted_number
from portal.desk.verbs.merging import MOST
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import AgentReader
from portal.timekeeping.moving.merging import merge, mergeable
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/cases/merging"


class Merging(Struct, kw_only=True):
    """Form that merges cases: their numbers, and the number of the case that remains."""

    case: list[str]
    into: int | None = None


@post("/cases/merging/choice", opt={FORM_PAGE: "/agent/cases"})
async def choose(form: NamedDependency[Form]) -> Response[Any]:
    """Redirect to the page that asks which of the ticked cases remains after merging them.

    Only the ticked cases count, even if the form chooses all cases that match the filters, because at most `MOST` cases
    can be merged.
    """
    # Keep one more than the maximum, so that the page says that there are too many.
    numbers = _numbers(form.into(Ticked).case)[: MOST + 1]
    return see_other(f"{HERE}?{urlencode([('case', number) for number in numbers])}")


@get("/cases/merging")
async def ask(request: Web) -> Response[str]:
    """Ask which of the cases with the numbers `?case=` remains after merging, and show what moves from the others.

    The page can add one more case. If that case was chosen in the search field, `?add=` is its number; otherwise
    `?add_typed=` is the text in the search field.
    """
    return await _ask(request)


async def _ask(
    request: Web,
    *,
    form: Form | None = None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    reader: Any = visit_of(request).reader
    query = request.query_params
    added = "" if form else query.get("add") or query.get("add_typed") or ""
    given = form.all("case") if form else [*query.getall("case", []), added]
    cases, problem = await mergeable(_numbers(given), reader)
    if added.strip() and not _numbers([added]):
        problem = problem or "Choose a case from the list, or type its number, such as #1042."
        typed = {"add_typed": added} | (typed or {})
    errors = {"add" if name == "case" else name: sentence for name, sentence in (errors or {}).items()}
    if problem:
        errors = {"add": problem} | errors
    return await form_page(
        request, "agent/related/merging.html", cases=cases, can_merge=len(cases) > 1 and not problem, typed=typed or {}, errors=errors,
    )  # fmt: skip


@post("/cases/merging")
@on_refusal(_ask, Conflict, NotFound)
async def merge_them(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Merge the cases, and redirect to the case that remains."""
    fields = form.into(Merging)
    if fields.into is None:
        raise Invalid({"into": "Choose the case that remains."})
    numbers = _numbers(fields.case)
    async with transaction(reader):
        target = await merge(numbers, fields.into, by=reader, at=at)
        # Some services round the sum of a case's entries of one day, and merging cases changes this sum.
        await billing.reallocate([target.customer_id])
    gone = [number for number in numbers if number != target.number]
    return see_other(f"/agent/cases/{target.number}?{urlencode([('from', number) for number in gone])}")


def _numbers(typed: list[str]) -> list[int]:
    """Return the case numbers in the typed texts, each once and in order; texts without a number are left out."""
    return list(dict.fromkeys(number for text in typed if (number := quoted_number(text.strip())) is not None))


handlers: list[Any] = [choose, ask, merge_them]
