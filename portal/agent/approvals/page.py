"""Build the page on which managers decide on submitted time entries, from its filters, ticks and earlier decisions."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Response

from portal.agent.pages import agent_page
from portal.agent.toasts import toast_of_decision, told_of_decision
from portal.billing import (
    ODD,
    Filters,
    Outcome,
    Waiting,
    WaitingEntry,
    amounts_of,
    list_approved,
    list_waiting,
)
from portal.contracts.services import SERVICES
from portal.numbers import number_in
from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.people.departments import Department
from portal.periods import day_in
from portal.timekeeping.filters import GroupCursor
from portal.timekeeping.flags import answered
from portal.timekeeping.lists import left_count
from portal.web.finding import Found
from portal.web.finding import asked as found_by
from portal.web.forms import Form
from portal.web.visit import Web, visit_of

PATH = "/agent/approvals"
FINDERS = {"agent": AGENTS, "customer": CUSTOMERS, "service": SERVICES}
"""The search fields of the filters, by name."""
MOST_TOLD = 50
"""How many refused entries a page names one by one; the others are only counted."""
DONE = {
    "approved": "approved. Until billing this can be taken back below.",
    "rejected": "rejected. Your reason is shown beside each.",
    "flagged": "flagged. Billing waits until you lift the flag.",
    "lifted": "is no longer flagged.",
    "withdrawn": "taken back. A decision is due again.",
}
"""The text that follows the number of entries in the message after a decision, by what the decision did.

Each key is also the name of the query parameter with which the redirect passes the number of entries.
"""

WHICH = {"clean": "Only clean ones", "odd": "Only odd ones"} | {
    code: f"Odd: {words.lower()}" for code, words in ODD.items()
}
"""The values of the filter `only`, each with its label."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """State of the tick boxes on the approvals page. By default every entry without a warning (`is_odd`) is ticked.

    `unticked` holds the ids of the entries that had no tick when the manager last sent the form of the page. `by_hand`
    is True if one of these entries has no warning: then the manager chooses entries one by one, and no entry is ticked
    by default. When a refused form is shown again, the entries of the form (ids in `shown`) have exactly the ticks
    (`ticked`, as `id:version`) with which the form was sent.
    """

    unticked: frozenset[int] = frozenset()
    by_hand: bool = False
    shown: frozenset[int] = frozenset()
    ticked: frozenset[str] = frozenset()

    @classmethod
    def asked(cls, query: Any, waiting: Waiting) -> "Ticks":
        """Return the ticks that the query parameter `unticked` describes. `waiting` holds the entries of the page."""
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


async def show_page(
    request: Web,
    *,
    outcome: Outcome | None = None,
    verb: str = "approved",
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    form: Form | None = None,
) -> Response[str]:
    """Return the page of the time entries that wait for a decision.

    `outcome` is the result of a decision that was refused for some entries, and `verb` is the key of the decision in
    `DONE`. `errors`, `typed` and `form` belong to a refused form.
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    asked = request.query_params
    found, filters = await read_filters(request)
    waiting = await list_waiting(reader, filters, at=visit.at)
    ticks = Ticks.sent(form) if form else Ticks.asked(asked, waiting)
    approved = await list_approved(reader, at=visit.at, before=number_in(asked.get("approved_before")))
    return await agent_page(
        request, reader, "agent/approvals/show.html", status=outcome.status if outcome else 200,
        errors=errors or {}, typed=typed or {}, outcome=outcome, waiting=waiting, ticks=ticks, sums=_sums(waiting, ticks),
        filters=filters, which=WHICH, most_told=MOST_TOLD, query=query_of(request), turning=_turning(request, waiting),
        toast=_toast(request, outcome, verb), found=found, departments=await Department.choices(), approved=approved,
        earlier=query_of(request, approved_before=approved.next) if approved.next else "",
        earlier_shown="approved_before" in asked, left=await left_count(reader),
        answers=await answered(reader.id),
    )  # fmt: skip


def unticked_of(form: Form) -> str:
    """Return the ids of the displayed rows without a tick, joined by full stops, for the query parameter `unticked`."""
    ticked = {choice.partition(":")[0] for choice in form.all("entry")}
    return ".".join(str(id) for id in ids(form.get("shown")) if str(id) not in ticked)


def ids(text: str) -> list[int]:
    """Return the ids in `text`, which are separated by full stops.

    Only the first 1,000 parts are read. Parts that are not numbers are left out.
    """
    found = (number_in(part) for part in text.split(".")[:1000])
    return [id for id in found if id is not None]


def _toast(request: Web, outcome: Outcome | None, verb: str) -> dict[str, str] | None:
    """Return the message about the decision that this request made.

    If this request made no decision, return the message about the decision that the query string describes after a
    redirect, or None if it describes none.
    """
    was_made_here = outcome is not None and outcome.done and outcome.decision
    told = told_of_decision(outcome, verb) if outcome and was_made_here else request.query_params
    return toast_of_decision(told, DONE, PATH, query_of(request))


def query_of(request: Web, **more: object) -> str:
    """Return the query string of the request, changed by the parameters `more`.

    Parameters with an empty value are left out, and so are the parameters that carry the message about an earlier
    decision.
    """
    kept = {name: value for name, value in parse_qsl(request.url.query) if name not in (*DONE, "decision")} | more
    kept = {name: value for name, value in kept.items() if value not in ("", None)}
    return f"?{urlencode(kept)}" if kept else ""


def _turning(request: Web, waiting: Waiting) -> dict[str, Any]:
    """Return the pagination links of the list: to the first page and to the next."""
    return {
        "turned": bool(request.query_params.get("after")),
        "first": PATH + query_of(request, after="", unticked=""),
        "next": PATH + query_of(request, after=waiting.next, unticked="") if waiting.next else None,
        "back": "To the first",
        "on": "Further entries",
    }


def _sums(waiting: Waiting, ticks: Ticks) -> dict[str, Any]:
    """Return the ticked entries, the sums of their minutes and amounts, and the number of ticked entries by agent.

    `odd` is the number of entries with a warning. `currencies` are the currencies of all entries on the page.
    """
    ticked = [entry for entry in waiting.entries if entry in ticks]
    return {
        "ticked": ticked,
        "in_group": {group.agent_id: sum(entry in ticks for entry in group.entries) for group in waiting.groups},
        "odd": sum(entry.is_odd for entry in waiting.entries),
        "minutes": sum(entry.billable_minutes for entry in ticked),
        "amounts": amounts_of(ticked),
        "currencies": sorted(amounts_of(waiting.entries)),
    }


async def read_filters(request: Web) -> tuple[dict[str, Found], Filters]:
    """Return what each search field in the URL has found, by the name of the field, and the filters of the list.

    Values in the URL that are not valid are ignored.
    """
    asked = request.query_params
    found = {name: await found_by(request, name, finder) for name, finder in FINDERS.items()}
    only = asked.get("only", "")
    return (
        found,
        Filters(
            until=day_in(asked.get("until")),
            agent_id=found["agent"].id,
            department_id=number_in(asked.get("department")),
            customer_id=found["customer"].id,
            service_id=found["service"].id,
            only=only if only in WHICH else "",
            drafts=asked.get("drafts") == "yes",
            after=GroupCursor.parse(asked.get("after", "")),
        ),
    )
