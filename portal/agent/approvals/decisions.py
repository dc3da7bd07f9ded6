"""Handle the forms in which managers decide on submitted time: approve, reject, flag, lift a flag, and undo.

A flag is a question to the author of a time entry. Until the flag is lifted, the entry is not billed.
"""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.approvals.everything import show_everything
from portal.agent.approvals.page import PATH, query_of, show_page, unticked_of
from portal.agent.toasts import address_after, told_of_decision
from portal.billing import Choice, Outcome, approve, flag, lift, reject, undo, withdraw
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.notices import reads_notices
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, last_part, page_of, safe_path, visit_of


class Decision(Struct, kw_only=True):
    """Form of a decision.

    `entry` holds each ticked row as `id:version`. On the page for all matching entries, `entries` holds these pairs
    instead, joined by full stops. `shown` holds the ids of all displayed rows, joined by full stops. `reason` is the
    reason for a rejection, `question` the question of a flag.
    """

    entry: list[str] = []
    entries: str = ""
    shown: str = ""
    reason: str = ""
    question: str = ""

    @property
    def choices(self) -> list[Choice]:
        """Return the chosen entries as `Choice` values. Raise `Invalid` for text that is not `id:version`."""
        return [Choice.parse(text) for text in (self.entry or (self.entries.split(".") if self.entries else []))]

    async def make(self, verb: str, *, by: AgentReader, at: datetime) -> Outcome:
        """Decide on the chosen entries and return the outcome. `verb` is `approved`, `rejected` or `flagged`."""
        if verb == "approved":
            return await approve(self.choices, by=by, at=at)
        if verb == "rejected":
            return await reject(self.choices, reason=self.reason, by=by, at=at)
        return await flag(self.choices, question=self.question, by=by, at=at)


@get("/approvals", guards=[manager_only])
@reads_notices
async def show(request: Web) -> Response[str]:
    """Show the time entries that wait for a decision, by agent, with their warnings.

    By default, the entries without a warning are ticked.
    """
    return await show_page(request)


async def _show(
    request: Web,
    *,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """Return the page with a form that was refused: the list, or the page that decides on all matching entries."""
    if form and form.get("entries"):
        return await show_everything(request, errors=errors, typed=typed)
    return await show_page(request, form=form, errors=errors, typed=typed)


VERBS = {"approvals": "approved", "rejections": "rejected", "flags": "flagged"}
"""What the manager decides, by the last part of the URL to which the button posts."""


@post([f"/{noun}" for noun in VERBS], guards=[manager_only], opt={FORM_PAGE: PATH})
@on_refusal(_show)
async def decide(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Approve the ticked entries, reject them with a reason, or flag them with a question to their authors (S2.35).

    Authors may change rejected entries; flagged entries are not billed. Redirect to the list of waiting entries. If
    some entries are refused, such as those that somebody has changed in the meantime, decide on the others, and show
    the list with the refused entries (D35).
    """
    verb = VERBS[last_part(request)]
    async with transaction(reader):
        outcome = await form.into(Decision).make(verb, by=reader, at=at)
    return await _answer(request, outcome, verb, form)


@post("/flags/{flag_id:int}/lifting", guards=[manager_only], opt={FORM_PAGE: PATH})
async def lift_flag(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    flag_id: FromPath[int],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Lift a flag, and redirect to the page on which the button was clicked.

    If that page is unknown, redirect to the list of waiting entries. In the list, the rows stay ticked and unticked as
    they were.
    """
    form.into(Decision)
    async with transaction(reader):
        await lift(flag_id, by=reader, at=at)
    page = safe_path(page_of(request))
    if page.partition("?")[0] not in ("/", PATH):
        return see_other(address_after(page, {"lifted": 1}))
    return see_other(PATH + query_of(request, lifted=1, unticked=unticked_of(form)))


@post("/approvals/{entry_id:int}/withdrawal", guards=[manager_only])
async def withdraw_approval(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    entry_id: FromPath[int],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Withdraw the approval of one entry, so that the entry waits for a decision again.

    Redirect to the list of waiting entries. The rows of the list stay ticked and unticked as they were.
    """
    form.into(Decision)
    async with transaction(reader):
        await withdraw(entry_id, by=reader, at=at)
    return see_other(PATH + query_of(request, withdrawn=1, unticked=unticked_of(form)))


@post("/approvals/decisions/{decision:uuid}/withdrawal", guards=[manager_only])
async def undo_decision(
    request: Web, reader: NamedDependency[AgentReader], decision: FromPath[uuid.UUID], at: NamedDependency[datetime]
) -> Response[Any]:
    """Undo all approvals, rejections or flags that the manager made in one step.

    Redirect to the list of waiting entries. If the decision on some entries can no longer be undone, show the list with
    these entries and the reasons.
    """
    async with transaction(reader):
        outcome = await undo(decision, by=reader, at=at)
    return await _answer(request, outcome, "withdrawn")


async def _answer(request: Web, outcome: Outcome, done: str, form: Form | None = None) -> Response[Any]:
    """Return the response to a decision.

    If no entry was refused, redirect to the list, with the number of entries decided on in the URL. Otherwise, show the
    list with the reason for each refused entry (D35). `done` is a key of `DONE`.
    """
    if not outcome.refused:
        told = told_of_decision(outcome, done) | ({"unticked": unticked_of(form)} if form else {})
        return see_other(PATH + query_of(request, **told))
    async with transaction(visit_of(request).reader, readonly=True):
        return await show_page(request, outcome=outcome, verb=done, form=form)


handlers: list[Any] = [show, decide, lift_flag, withdraw_approval, undo_decision]
