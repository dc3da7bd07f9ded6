"""Serve the page on which managers approve, reject and withdraw the approval of submitted time entries."""

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
    "approved": "approved. Until billing this can be taken back below.",
    "rejected": "rejected. Your reason stands beside each.",
    "withdrawn": "taken back. A decision is due again.",
}
"""The words that follow the number of entries in the message after a decision.

Each key is also the query parameter of the redirect that carries that number.
"""


class Decision(Struct, kw_only=True):
    """Form with which a manager decides: `entry` holds each ticked row as `id:version`.

    `shown` holds the ids of all displayed rows, joined by full stops. `reason` is the reason of a rejection.
    """

    entry: list[str]
    shown: str = ""
    reason: str = ""

    @property
    def choices(self) -> list[Choice]:
        """Return the ticked rows as `Choice` values. Raise `Invalid` for text that is not `id:version`."""
        return [Choice.parse(text) for text in self.entry]


@dataclass(frozen=True, slots=True)
class Ticks:
    """State of the tick boxes on the approvals page. By default every entry without a warning (`is_odd`) is ticked.

    `unticked` holds the ids of entries that the manager left without a tick on the previous page. If one of them has no
    warning, the manager picks by hand (`by_hand`): then no entry is ticked by default, not even one that appears on the
    page later. After a refused decision, the entries that were displayed (`shown`) get back exactly the ticks that they
    had (`ticked`, as `id:version`).
    """

    unticked: frozenset[int] = frozenset()
    by_hand: bool = False
    shown: frozenset[int] = frozenset()
    ticked: frozenset[str] = frozenset()

    @classmethod
    def asked(cls, query: Any, waiting: Waiting) -> "Ticks":
        """Return the ticks that the query parameter `unticked` describes; `waiting` holds the entries of the page."""
        unticked = frozenset(ids(query.get("unticked", "")))
        return cls(unticked, any(entry.id in unticked and not entry.is_odd for entry in waiting.entries))

    @classmethod
    def sent(cls, form: Form) -> "Ticks":
        """Return the ticks of a submitted form, so that the page can show the same ticks again."""
        return cls(shown=frozenset(ids(form.get("shown"))), ticked=frozenset(form.all("entry")))

    def __contains__(self, entry: WaitingEntry) -> bool:
        if entry.id in self.shown or entry.choice in self.ticked:
            return entry.choice in self.ticked
        return not (self.by_hand or entry.id in self.unticked or entry.is_odd)


@get("/approvals", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the time entries that wait for a decision, by agent. Entries with a warning are not ticked and show it."""
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
    """Approve the ticked entries. Report those that somebody changed or decided on meanwhile (D35)."""
    async with transaction(reader):
        outcome = await approve(form.into(Decision).choices, by=reader, at=at)
    return await _answer(request, outcome, "approved", form)


@post("/rejections", guards=[manager_only], opt={FORM_PAGE: "/agent/approvals"})
@on_refusal(_show)
async def reject_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Reject the ticked entries with a reason; their authors may change them."""
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
    """Withdraw the approval of one entry, which then waits for a decision again.

    The redirect keeps the tick boxes of the waiting entries as they were.
    """
    form.into(Decision)
    async with transaction(reader):
        await withdraw(entry_id, by=reader, at=at)
    return see_other(PATH + _query(request, withdrawn=1, unticked=_unticked(form)))


@post("/approvals/decisions/{decision:uuid}/withdrawal", guards=[manager_only])
async def undo_decision(
    request: Web, reader: NamedDependency[AgentReader], decision: FromPath[uuid.UUID], at: NamedDependency[datetime]
) -> Response[Any]:
    """Withdraw all approvals of one decision. Report the entries that have been billed meanwhile."""
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
    """Return the ids of the displayed rows without a tick, joined by full stops, for the query parameter `unticked`."""
    ticked = {choice.partition(":")[0] for choice in form.all("entry")}
    return ".".join(str(id) for id in ids(form.get("shown")) if str(id) not in ticked)


def ids(text: str) -> list[int]:
    """Return the ids in a text that joins them by full stops. Parts that are no id are ignored."""
    found = (number_in(part) for part in text.split(".")[:1000])
    return [id for id in found if id is not None]


def _toast(request: Web, outcome: Outcome | None) -> dict[str, str] | None:
    """Return the message that the page shows briefly after a decision, or None if there was none.

    The decision is in the query parameters of a redirect or, if some entries were refused, in `outcome`. `undo` is the
    URL that withdraws all approvals of that decision; a rejection has none.
    """
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
    """Return the current query string without messages of earlier decisions, with the parameters `more`.

    Parameters with an empty value are left out.
    """
    kept = {name: value for name, value in parse_qsl(request.url.query) if name not in (*DONE, "decision")} | more
    kept = {name: value for name, value in kept.items() if value not in ("", None)}
    return f"?{urlencode(kept)}" if kept else ""


def _turning(request: Web, waiting: Waiting) -> dict[str, Any]:
    """Return the pagination links of the list: to the first and to the next page."""
    return {
        "turned": bool(request.query_params.get("after")),
        "first": PATH + _query(request, after="", unticked=""),
        "next": PATH + _query(request, after=waiting.next, unticked="") if waiting.next else None,
        "back": "To the first",
        "on": "Further entries",
    }


def _sums(waiting: Waiting, ticks: Ticks) -> dict[str, Any]:
    """Return the totals of the ticked entries, the ticks by agent, and how many have a warning."""
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
    """Return the filters of the URL except agent and customer, which finders read. Invalid values are ignored."""
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
