"""Handle the forms in which managers decide on the entries of a timesheet: approve, reject, flag, and undo."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.approvals.decisions import Decision
from portal.agent.timesheets.showing import PATH, Asked, show_everything, show_timesheet
from portal.agent.toasts import told_of_decision
from portal.billing import Outcome, undo
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, last_part, visit_of


async def _show(
    request: Web,
    *,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """Return the page with a form that was refused: the timesheet, or the page that decides on all its entries."""
    if form and form.get("entries"):
        return await show_everything(request, errors=errors, typed=typed)
    return await show_timesheet(request, errors=errors, typed=typed)


VERBS = {"approval": "approved", "rejection": "rejected", "flags": "flagged"}
"""What the manager decides, by the last part of the URL to which the button posts."""


@post([f"/timesheets/{noun}" for noun in VERBS], guards=[manager_only])
@on_refusal(_show)
async def decide(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Approve, reject or flag the ticked entries (S2.34, S2.35), and redirect to the timesheet.

    If some entries are refused, show the timesheet with these entries and the reasons.
    """
    verb = VERBS[last_part(request)]
    async with transaction(reader):
        outcome = await form.into(Decision).make(verb, by=reader, at=at)
    return await _answer(request, outcome, verb)


@post("/timesheets/decisions/{decision:uuid}/withdrawal", guards=[manager_only])
async def undo_decision(
    request: Web, reader: NamedDependency[AgentReader], decision: FromPath[uuid.UUID], at: NamedDependency[datetime]
) -> Response[Any]:
    """Undo all approvals, rejections or flags of one decision, and redirect to the timesheet.

    If the decision on some entries can no longer be undone, show the timesheet with these entries and the reasons.
    """
    async with transaction(reader):
        outcome = await undo(decision, by=reader, at=at)
    return await _answer(request, outcome, "withdrawn")


async def _answer(request: Web, outcome: Outcome, done: str) -> Response[Any]:
    """Redirect to the timesheet with a message, or return its page with the refused entries and the reasons.

    `done` is a key of `DONE`, such as `approved` or `withdrawn`. The redirect keeps the filters, which are in the query
    string of the request.
    """
    async with transaction(visit_of(request).reader, readonly=True):
        if outcome.refused:
            return await show_timesheet(request, outcome=outcome)
        wanted = await Asked.of(request)
    return see_other(PATH + wanted.query(**told_of_decision(outcome, done)))


handlers: list[Any] = [decide, undo_decision]
