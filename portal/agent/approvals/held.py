"""Serve the page on which a manager releases held time entries, so that they are charged, or rejects the entries.

An entry is held if the prepaid hours do not cover the whole entry.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.agent.approvals.page import MOST_TOLD
from portal.agent.pages import agent_page
from portal.agent.toasts import toast_of_decision, told_of_decision
from portal.billing import Choice, Outcome, hold_again, list_held, release, send_back
from portal.database import transaction
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.render.formats import plural
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, last_part, visit_of

PATH = "/agent/held"


class HeldForm(Struct, kw_only=True):
    """Form that decides on held time: `entry` holds each ticked row as `id:version`, `reason` explains a rejection.

    The button that undoes a release sends these pairs in `entries`, joined by full stops, and no `entry`.
    """

    entry: list[str] = []
    entries: str = ""
    reason: str = ""

    @property
    def choices(self) -> list[Choice]:
        """Return the chosen entries as `Choice` values. Raise `Invalid` for text that is not `id:version`."""
        return [Choice.parse(text) for text in (self.entry or (self.entries.split(".") if self.entries else []))]


@get("/held", guards=[manager_only])
async def show(request: Web) -> Response[str]:
    """Show the held time of all customers, with what each entry would cost."""
    return await _show(request)


async def _show(
    request: Web,
    *,
    form: Form | None = None,
    outcome: Outcome | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    visit: Any = visit_of(request)
    query = request.query_params
    after = number_in(query.get("after"))
    held = await list_held(visit.reader, at=visit.at, after=after)
    return await agent_page(
        request, visit.reader, "agent/approvals/held.html", status=outcome.status if outcome else 200, held=held,
        outcome=outcome, most_told=MOST_TOLD, errors=errors or {}, typed=typed or {}, ticked=form.all("entry") if form else [],
        toast=_toast(query), turning={
            "turned": after is not None, "first": PATH, "next": f"{PATH}?after={held.next}" if held.next else None,
            "back": "First ones", "on": "Next ones",
        },
    )  # fmt: skip


def _toast(query: Any) -> dict[str, Any] | None:
    """Return the message about the decision that redirected to this page, or None if no decision did.

    If entries were released, the message has the URL and the form fields of the button that undoes the release.
    """
    if count := number_in(query.get("released")):
        words = f"{plural(count, 'entry', 'entries')} released. The next run bills what is due of it."
        return {"words": words, "undo": f"{PATH}/holds", "fields": {"entries": query.get("entries", "")}}
    if count := number_in(query.get("held")):
        return {"words": f"{plural(count, 'entry', 'entries')} held again."}
    return toast_of_decision(query, {"rejected": "sent back to the author."}, "/agent/approvals", "")


VERBS = {"releases": release, "holds": hold_again}


@post(["/held/releases", "/held/holds"], guards=[manager_only])
@on_refusal(_show)
async def decide(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Release the ticked entries, so that they are charged, or hold released entries again.

    Redirect to the page of held time. If entries were refused, show this page with these entries and the reasons.
    """
    noun = last_part(request)
    async with transaction(reader):
        outcome = await VERBS[noun](form.into(HeldForm).choices, by=reader, at=at)
    return await _answer(request, outcome, "released" if noun == "releases" else "held", form)


@post("/held/rejections", guards=[manager_only])
@on_refusal(_show)
async def refuse(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Reject the ticked entries with a reason, so that their authors can change them before they are charged.

    Redirect to the page of held time. If entries were refused, show this page with these entries and the reasons.
    """
    fields = form.into(HeldForm)
    async with transaction(reader):
        outcome = await send_back(fields.choices, reason=fields.reason, by=reader, at=at)
    return await _answer(request, outcome, "rejected", form)


async def _answer(request: Web, outcome: Outcome, verb: str, form: Form) -> Response[Any]:
    """Return the response to a decision.

    If no entry was refused, redirect to the page of held time, with the number of entries decided on in the URL.
    Otherwise, show the page with the reason for each refused entry (D35).
    """
    if not outcome.refused:
        told = told_of_decision(outcome, verb)
        if verb == "released":
            told["entries"] = ".".join(form.all("entry"))
        return see_other(f"{PATH}?{urlencode(told)}")
    async with transaction(visit_of(request).reader, readonly=True):
        return await _show(request, outcome=outcome, form=form)


handlers: list[Any] = [show, decide, refuse]
