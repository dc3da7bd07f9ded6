"""Approvals: what waits for a manager's yes or no, and taking a yes back."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page, whole
from portal.billing import (
    Choice,
    Filters,
    Group,
    Outcome,
    amounts_of,
    approve,
    list_approved,
    list_waiting,
    reject,
    withdraw,
)
from portal.database import transaction
from portal.errors import Invalid
from portal.people.agents import Agent
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.render.formats import plural
from portal.timekeeping.lists import left_count
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import refused, see_other
from portal.web.visit import visit_of

Web = Request[Any, Any, Any]
DONE = {"approved": "Until they are billed they can be taken back below.", "rejected": "Their agents see your reason."}
"""What the page's address says of the decision that led to it, and what is told beside the number."""


class Decision(Struct, kw_only=True):
    """What is ticked, as `id:version`, and the reason of a rejection."""

    entry: list[str]
    reason: str = ""

    @property
    def choices(self) -> list[Choice]:
        """What is ticked, as values. Raises `Invalid`."""
        return [Choice.parse(text) for text in self.entry]


@get("/approvals", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """What waits, a group per agent; odd entries are not ticked and say why."""
    return await _show(request)


async def _show(
    request: Web,
    *,
    outcome: Outcome | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    ticked: list[str] | None = None,
) -> Response[str]:
    """`ticked` is what was ticked before a refusal; without it everything is that is not odd."""
    reader: Any = visit_of(request).reader
    filters = _filters(request.query_params)
    groups = await list_waiting(reader, filters)
    return await agent_page(
        request, reader, "agent/approvals/show.html", status=outcome.status if outcome else 200,
        errors=errors or {}, typed=typed or {}, outcome=outcome, groups=groups, totals=_totals(groups), ticked=ticked,
        filters=filters, query=_query(request), toast=_toast(request.query_params),
        agents=await Agent.known(), customers=await Customer.known(), approved=await list_approved(reader), left=await left_count(reader),
    )  # fmt: skip


@post("/approvals", guards=[manager_only])
async def approve_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Approve what is ticked; what was changed or decided meanwhile is reported (D35)."""
    try:
        async with transaction(reader):
            outcome = await approve(form.into(Decision).choices, by=reader, at=at)
    except Invalid as refusal:
        return await refused(request, _show, refusal, form, ticked=form.all("entry"))
    return await _answer(request, outcome, "approved")


@post("/rejections", guards=[manager_only], opt={FORM_PAGE: "/agent/approvals"})
async def reject_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Send what is ticked back to its authors, with a reason."""
    try:
        async with transaction(reader):
            decision = form.into(Decision)
            outcome = await reject(decision.choices, reason=decision.reason, by=reader, at=at)
    except Invalid as refusal:
        return await refused(request, _show, refusal, form, ticked=form.all("entry"))
    return await _answer(request, outcome, "rejected")


@post("/approvals/{entry_id:int}/withdrawal", guards=[manager_only])
async def withdraw_approval(
    reader: NamedDependency[AgentReader], entry_id: FromPath[int], at: NamedDependency[datetime]
) -> Response[Any]:
    """Take one approval back; the entry waits again."""
    async with transaction(reader):
        await withdraw(entry_id, by=reader, at=at)
    return see_other("/agent/approvals")


async def _answer(request: Web, outcome: Outcome, done: str) -> Response[Any]:
    if not outcome.refused:
        filters = _query(request)
        return see_other(f"/agent/approvals{filters}{'&' if filters else '?'}{done}={len(outcome.done)}")
    async with transaction(visit_of(request).reader, readonly=True):
        return await _show(request, outcome=outcome)


def _toast(query: Any) -> dict[str, str] | None:
    """What has just happened, for a moment."""
    for done, after in DONE.items():
        if count := whole(query.get(done, "")):
            return {"words": f"{plural(count, 'entry', 'entries')} {done}. {after}"}
    return None


def _query(request: Web) -> str:
    """The filters of the page, to be sent along with its forms."""
    filters = [(name, value) for name, value in parse_qsl(request.url.query) if name not in DONE]
    return f"?{urlencode(filters)}" if filters else ""


def _totals(groups: Iterable[Group]) -> dict[str, Any]:
    entries = [entry for group in groups for entry in group.entries]
    return {
        "count": len(entries),
        "odd": sum(entry.is_odd for entry in entries),
        "minutes": sum(entry.billable_minutes for entry in entries),
        "amounts": amounts_of(entries),
    }


def _filters(asked: Any) -> Filters:
    """What the address asks for; what makes no sense there is left out."""
    return Filters(
        until=_date(asked.get("until", "")),
        agent_id=whole(asked.get("agent", "")),
        customer_id=whole(asked.get("customer", "")),
        drafts=asked.get("drafts") == "yes",
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


handlers: list[Any] = [show, approve_entries, reject_entries, withdraw_approval]
