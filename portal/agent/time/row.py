"""Serve one row of a list of time entries, read-only or as a form that changes the entry within the list (S1.12)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import replace

from portal.agent.time.entry import Said, saved
from portal.agent.time.form import Logged
from portal.agent.toasts import address_after, toast_of, told_of
from portal.billing import find_entry
from portal.database import transaction
from portal.errors import Conflict, Forbidden
from portal.people.readers import AgentReader
from portal.timekeeping import lists
from portal.timekeeping.filters import Filter
from portal.timekeeping.lists import ListedEntry
from portal.web.edits import as_seen, edited
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, page_of, visit_of, wants_fragment


class RowFields(Struct, kw_only=True):
    """Fields of a time entry that can be changed in its row, as typed; the page of the entry has more fields.

    `then` is `submit` to submit the entry after the change.
    """

    duration: str = ""
    work_date: str = ""
    billing: str = ""
    external_comment: str = ""
    description: str = ""
    then: str = ""

    @classmethod
    def of(cls, said: Said) -> "RowFields":
        """Return the stored values of the fields that can be changed in a row; `said` has the values of all fields."""
        return cls(
            duration=said.duration, work_date=said.work_date, billing=said.billing, external_comment=said.external_comment,
            description=said.description,
        )  # fmt: skip


@get("/time/{entry:int}/row")
async def show_row(request: Web, reader: NamedDependency[AgentReader], entry: FromPath[int]) -> Response[str]:
    """Return the row of a time entry as a form.

    With `?shown=yes`, or if the entry cannot be changed, return the read-only row.
    """
    line, at = await find_entry(reader, entry), visit_of(request).at
    if request.query_params.get("shown") or not line.may_be_changed(reader, at):
        return await _shown(request, reader, line)
    return await _row(request, reader=reader, entry=entry)


async def _row(
    request: Web,
    *,
    reader: AgentReader,
    entry: int,
    errors: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
) -> Response[str]:
    """Return the row of a time entry as a form, or read-only if it can no longer be changed; both show `errors`."""
    line = await find_entry(reader, entry)
    if line.why_fixed(reader, visit_of(request).at):
        return await _shown(request, reader, line, errors)
    said = RowFields.of(Said.by(line))
    return page(
        request, "agent/time/_row.html", entry=line, said=said, seen=as_seen(said), which=Filter.of_row(request.query_params, reader),
        errors=errors or {}, typed=typed or {},
    )  # fmt: skip


async def _shown(
    request: Web,
    reader: AgentReader,
    line: ListedEntry,
    errors: dict[str, str] | None = None,
    toast: dict[str, Any] | None = None,
) -> Response[str]:
    """Return the read-only row of an entry, with the new sums of its day and of the list, and the message `toast`."""
    which = Filter.of_row(request.query_params, reader)
    totals = await lists.totals(reader, which, [line.work_date])
    return page(
        request, "agent/time/row.swap.html", entry=line, which=which, totals=totals, errors=errors or {}, toast=toast
    )


@post("/time/{entry:int}/row")
@on_refusal(_row, Conflict, Forbidden)
async def change_row(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Save what was changed in the row of a time entry, and return the row.

    If `then` is `submit`, also submit the entry. If the work date has changed, the row belongs to another day of the
    list, so htmx loads the page again. Without htmx, redirect to the page of the entry.
    """
    async with transaction(reader):
        line = await find_entry(reader, entry)
        said = Said.by(line)
        row = edited(form, RowFields, RowFields.of(said))
        outcome = await saved(line, _with(said, row), said, by=reader, at=at, submits=row.then == "submit")
    told, list_page = told_of(outcome) if outcome else {}, page_of(request)
    if not wants_fragment(request):
        return see_other(address_after(f"/agent/time/{entry}", told))
    if row.work_date != said.work_date:
        return Response(
            "", headers={"HX-Redirect": address_after(list_page if list_page != "/" else "/agent/time", told)}
        )
    async with transaction(reader, readonly=True):
        return await _shown(request, reader, await find_entry(reader, entry), toast=toast_of(told, list_page))


def _with(said: Said, row: RowFields) -> Logged:
    """Return all form fields of the entry: the fields of the row as typed, all others as they are stored."""
    stored = Logged(**{name: getattr(said, name) for name in said.__struct_fields__})
    typed = {name: getattr(row, name) for name in RowFields.__struct_fields__ if name != "then"}
    return replace(stored, **typed)


handlers: list[Any] = [show_row, change_row]
