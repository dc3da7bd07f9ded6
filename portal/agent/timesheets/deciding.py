"""Handle the forms in which managers decide on the entries of a timesheet: approve, reject, flag, and undo."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.approvals.decisions import Decision
from portal.agent.timesheets.showing import PATH, Asked, show_everything, show_timesheet
from portal.billing import Outcome, approve, flag, reject, undo
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


async def _show(
    request: Web,
    *,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """Return the page on which a refused decision was made: the timesheet, or the page that decides on everything."""
    if form and form.get("entries"):
        return await show_everything(request, errors=errors, typed=typed)
    return await show_timesheet(request, errors=errors, typed=typed)


@post("/timesheets/approval", guards=[manager_only])
@on_refusal(_show)
async def approve_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Approve the ticked entries (S2.34). Report those that were changed or decided on meanwhile (D35)."""
    async with transaction(reader):
        outcome = await approve(form.into(Decision).choices, by=reader, at=at)
    return await _answer(request, outcome, "approved")


@post("/timesheets/rejection", guards=[manager_only])
@on_refusal(_show)
async def reject_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Reject the ticked entries with a reason; their authors may change them."""
    async with transaction(reader):
        decision = form.into(Decision)
        outcome = await reject(decision.choices, reason=decision.reason, by=reader, at=at)
    return await _answer(request, outcome, "rejected")


@post("/timesheets/flags", guards=[manager_only])
@on_refusal(_show)
async def flag_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Flag the ticked entries with a question to their authors; flagged entries are not billed (S2.35)."""
    async with transaction(reader):
        decision = form.into(Decision)
        outcome = await flag(decision.choices, question=decision.question, by=reader, at=at)
    return await _answer(request, outcome, "flagged")


@post("/timesheets/decisions/{decision:uuid}/withdrawal", guards=[manager_only])
async def undo_decision(
    request: Web, reader: NamedDependency[AgentReader], decision: FromPath[uuid.UUID], at: NamedDependency[datetime]
) -> Response[Any]:
    """Undo a decision: take back the approvals, rejections or flags that were made in one step.

    Report the entries whose decision can no longer be taken back.
    """
    async with transaction(reader):
        outcome = await undo(decision, by=reader, at=at)
    return await _answer(request, outcome, "withdrawn")


async def _answer(request: Web, outcome: Outcome, done: str) -> Response[Any]:
    """Redirect to the timesheet with a message, or show it with the entries that were refused and why."""
    async with transaction(visit_of(request).reader, readonly=True):
        if outcome.refused:
            return await show_timesheet(request, outcome=outcome)
        wanted = await Asked.of(request)
    told = {done: len(outcome.done)} | ({"decision": outcome.decision} if outcome.decision else {})
    return see_other(PATH + wanted.query(**told))


handlers: list[Any] = [approve_entries, reject_entries, flag_entries, undo_decision]
