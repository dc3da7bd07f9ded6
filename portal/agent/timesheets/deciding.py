"""Serve the decisions of managers on the entries of a timesheet: approve, reject, and take approvals back."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.timesheets.showing import PATH, Asked, show_timesheet
from portal.billing import Choice, Outcome, approve, reject, undo
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Decision(Struct, kw_only=True):
    """Decision form of a timesheet: `entry` holds each ticked row as `id:version`; `reason` is that of a rejection."""

    entry: list[str]
    reason: str = ""

    @property
    def choices(self) -> list[Choice]:
        """Return the ticked rows as `Choice` values. Raise `Invalid` for text that is not `id:version`."""
        return [Choice.parse(text) for text in self.entry]


@post("/timesheets/approval", guards=[manager_only])
@on_refusal(show_timesheet)
async def approve_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Approve the ticked entries (S2.34). Report those that were changed or decided on meanwhile (D35)."""
    async with transaction(reader):
        outcome = await approve(form.into(Decision).choices, by=reader, at=at)
    return await _answer(request, outcome, "approved")


@post("/timesheets/rejection", guards=[manager_only])
@on_refusal(show_timesheet)
async def reject_entries(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Reject the ticked entries with a reason; their authors may change them."""
    async with transaction(reader):
        decision = form.into(Decision)
        outcome = await reject(decision.choices, reason=decision.reason, by=reader, at=at)
    return await _answer(request, outcome, "rejected")


@post("/timesheets/decisions/{decision:uuid}/withdrawal", guards=[manager_only])
async def undo_decision(
    request: Web, reader: NamedDependency[AgentReader], decision: FromPath[uuid.UUID], at: NamedDependency[datetime]
) -> Response[Any]:
    """Withdraw all approvals of one decision. Report the entries that have been billed meanwhile."""
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


handlers: list[Any] = [approve_entries, reject_entries, undo_decision]
