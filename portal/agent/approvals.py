"""Approvals: what waits for a manager's yes or no, and taking a yes back."""

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.billing import (
    Choice,
    Cursor,
    Filters,
    Outcome,
    Waiting,
    WaitingEntry,
    amounts_of,
    approve,
    list_approved,
    list_waiting,
    reject,
    undo,
    withdraw,
)
from portal.database import transaction
from portal.numbers import number_in
from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.people.readers import AgentReader
from portal.render.formats import plural
from portal.timekeeping.lists import left_count
from portal.web.finding import asked as found_by
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

PATH = "/agent/approvals"
DONE = {
    "approved": "approved. Until they are billed they can be taken back below.",
    "rejected": "rejected. Their agents see your reason.",
    "withdrawn": "taken back. They wait for a decision again.",
}
"""What the page's address says of the decision that led to it, and how it is told after the number."""


class Decision(Struct, kw_only=True):
    """What is ticked, as `id:version`, the ids of all rows that were shown, and the reason of a rejection."""

    entry: list[str]
    shown: str = ""
    reason: str = ""

    @property
    def choices(self) -> list[Choice]:
        """What is ticked, as values. Raises `Invalid`."""
        return [Choice.parse(text) for text in self.entry]


@dataclass(frozen=True, slots=True)
class Ticks:
    """Which rows are ticked: those that are not odd, as long as nobody picks by hand.

    Who left a row without a tick that is not odd (`unticked`) picks by hand: then no row is ticked by itself, not even one that only comes
    onto the page because others left it. After a refusal the rows that were `shown` have the ticks that they had then (`ticked`).
    """

    unticked: frozenset[int] = frozenset()
    by_hand: bool = False
    shown: frozenset[int] = frozenset()
    ticked: frozenset[str] = frozenset()

    @classmethod
    def asked(cls, query: Any, waiting: Waiting) -> "Ticks":
        """The ticks of the page that led here, as the address tells them."""
        unticked = frozenset(ids(query.get("unticked", "")))
        return cls(unticked, any(entry.id in unticked and not entry.is_odd for entry in waiting.entries))

    @classmethod
    def sent(cls, form: Form) -> "Ticks":
        """The ticks of a form, to be shown again."""
        return cls(shown=frozenset(ids(form.get("shown"))), ticked=frozenset(form.all("entry")))

    def __contains__(self, entry: WaitingEntry) -> bool:
        if entry.id in self.shown or entry.choice in self.ticked:
            return entry.choice in self.ticked
        return not (self.by_hand or entry.id in self.unticked or entry.is_odd)


@get("/approvals", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show what waits, a group per agent; odd entries are not ticked and say why."""
    return await _show(request)


async def _show(
    request: Web,
    *,
    outcome: Outcome | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    form: Form | None = None,
) -> Response[str]:
    reader: Any = visit_of(request).reader
    asked = request.query_params
    agent, customer = await found_by(request, "agent", AGENTS), await found_by(request, "customer", CUSTOMERS)
    filters = replace(_filters(asked), agent_id=agent.id, customer_id=customer.id)
    waiting = await list_waiting(reader, filters)
    ticks = Ticks.sent(form) if form else Ticks.asked(asked, waiting)
    approved = await list_approved(reader, before=number_in(asked.get("approved_before")))
    return await agent_page(
        request, reader, "agent/approvals/show.html", status=outcome.status if outcome else 200,
        errors=errors or {}, typed=typed or {}, outcome=outcome, waiting=waiting, ticks=ticks, sums=_sums(waiting, ticks),
        filters=filters, query=_query(request), turning=_turning(request, waiting), toast=_toast(request, outcome),
        agent=agent, customer=customer, approved=approved,
        earlier=_query(request, approved_before=approved.next) if approved.next else "",
        earlier_shown="approved_before" in asked, left=await left_count(reader),
    )  # fmt: skip


@post("/approvals", guards=[manager_only])
@on_refusal(_show)
async def approve_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Approve what is ticked; what was changed or decided meanwhile is reported (D35)."""
    async with transaction(reader):
        outcome = await approve(form.into(Decision).choices, by=reader, at=at)
    return await _answer(request, outcome, "approved", form)


@post("/rejections", guards=[manager_only], opt={FORM_PAGE: "/agent/approvals"})
@on_refusal(_show)
async def reject_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Send what is ticked back to its authors, with a reason."""
    async with transaction(reader):
        decision = form.into(Decision)
        outcome = await reject(decision.choices, reason=decision.reason, by=reader, at=at)
    return await _answer(request, outcome, "rejected", form)


@post("/approvals/{entry_id:int}/withdrawal", guards=[manager_only])
async def withdraw_approval(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    entry_id: FromPath[int],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Take one approval back; the entry waits again. The rows above keep their ticks."""
    form.into(Decision)
    async with transaction(reader):
        await withdraw(entry_id, by=reader, at=at)
    return see_other(PATH + _query(request, withdrawn=1, unticked=_unticked(form)))


@post("/approvals/decisions/{decision:uuid}/withdrawal", guards=[manager_only])
async def undo_decision(
    request: Web, reader: NamedDependency[AgentReader], decision: FromPath[uuid.UUID], at: NamedDependency[datetime]
) -> Response[Any]:
    """Take back all that was approved together; what is billed meanwhile is reported."""
    async with transaction(reader):
        outcome = await undo(decision, by=reader, at=at)
    return await _answer(request, outcome, "withdrawn")


async def _answer(request: Web, outcome: Outcome, done: str, form: Form | None = None) -> Response[Any]:
    if not outcome.refused:
        told = {done: len(outcome.done)} | ({"decision": outcome.decision} if outcome.decision else {})
        return see_other(PATH + _query(request, **told, **({"unticked": _unticked(form)} if form else {})))
    async with transaction(visit_of(request).reader, readonly=True):
        return await _show(request, outcome=outcome, form=form)


def _unticked(form: Form) -> str:
    """The rows that were shown without a tick, in addition to none: they come back as they were left."""
    ticked = {choice.partition(":")[0] for choice in form.all("entry")}
    return ".".join(str(id) for id in ids(form.get("shown")) if str(id) not in ticked)


def ids(text: str) -> list[int]:
    """Read ids that stand between full stops; whatever is none is left out."""
    found = (number_in(part) for part in text.split(".")[:1000])
    return [id for id in found if id is not None]


def _toast(request: Web, outcome: Outcome | None) -> dict[str, str] | None:
    """What has just happened, for a moment; approvals can be undone there, all that were given together."""
    told = {done: number_in(request.query_params.get(done, "")) for done in DONE}
    decision = request.query_params.get("decision", "")
    if outcome and outcome.done and outcome.decision:
        told, decision = {"approved": len(outcome.done)}, str(outcome.decision)
    for done, count in told.items():
        if count:
            words = {"words": f"{plural(count, 'entry', 'entries')} {DONE[done]}"}
            undone = f"{PATH}/decisions/{decision}/withdrawal{_query(request)}"
            return words | ({"undo": undone} if _is_uuid(decision) else {})
    return None


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _query(request: Web, **more: object) -> str:
    """The filters, the place and the ticks of the page, to be sent along with its forms, and `more`; empty values are left out."""
    kept = {name: value for name, value in parse_qsl(request.url.query) if name not in (*DONE, "decision")} | more
    kept = {name: value for name, value in kept.items() if value not in ("", None)}
    return f"?{urlencode(kept)}" if kept else ""


def _turning(request: Web, waiting: Waiting) -> dict[str, Any]:
    """The links to the rest of the list."""
    return {
        "turned": bool(request.query_params.get("after")),
        "first": PATH + _query(request, after="", unticked=""),
        "next": PATH + _query(request, after=waiting.next, unticked="") if waiting.next else None,
        "back": "To the first",
        "on": "Further entries",
    }


def _sums(waiting: Waiting, ticks: Ticks) -> dict[str, Any]:
    """What is ticked on this page comes to, and how many rows look odd."""
    ticked = [entry for entry in waiting.entries if entry in ticks]
    return {
        "ticked": ticked,
        "in_group": {group.agent_id: sum(entry in ticks for entry in group.entries) for group in waiting.groups},
        "odd": sum(entry.is_odd for entry in waiting.entries),
        "minutes": sum(entry.billable_minutes for entry in ticked),
        "amounts": amounts_of(ticked),
        "currencies": sorted(amounts_of(waiting.entries)),
    }


def _filters(asked: Any) -> Filters:
    """What the address asks for, but for the agent and the customer; what makes no sense there is left out."""
    return Filters(
        until=_date(asked.get("until", "")),
        drafts=asked.get("drafts") == "yes",
        after=Cursor.parse(asked.get("after", "")),
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


handlers: list[Any] = [show, approve_entries, reject_entries, withdraw_approval, undo_decision]
