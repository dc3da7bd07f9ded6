"""Serve the page of forgotten time: work that the logs of cases show but for which nobody logged time."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct, field

from portal.agent.pages import agent_page
from portal.database import transaction
from portal.database.batches import Report
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping.clock.forgotten import (
    MOST,
    Pick,
    dismiss,
    dismissed_by,
    forgotten_by,
    log_forgotten,
    suggest_again,
)
from portal.timekeeping.entries import TimeEntry
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/time/forgotten"


class Picked(Struct, kw_only=True):
    """Form of the page: `pick` has the ticked suggestions, `only` the suggestion whose own button was pressed."""

    pick: list[str] = field(default_factory=list)
    only: str = ""

    @property
    def picks(self) -> list[Pick]:
        """Return the chosen suggestions. Raise `Invalid` if none is chosen."""
        texts = [self.only] if self.only else self.pick
        if not (picks := [pick for text in texts if (pick := Pick.read(text))]):
            raise Invalid({"": "Tick the suggestions that you mean."})
        return picks


@get("/time/forgotten")
async def forgotten(request: Web) -> Response[str]:
    """Show the days on which the agent worked on a case but logged no time on it, with suggested entries."""
    return await _forgotten(request)


async def _forgotten(
    request: Web,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    outcome: Report[Pick, TimeEntry] | None = None,
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    found, dismissed = await forgotten_by(reader, visit.at), await dismissed_by(reader, visit.at)
    return await agent_page(
        request, reader, "agent/time/forgotten.html", status=Conflict.status if outcome and not outcome.done else 200,
        found=found[:MOST], more=len(found) > MOST, dismissed=dismissed[:MOST], outcome=outcome, errors=errors or {}, typed=typed or {},
    )  # fmt: skip


@post("/time/forgotten/entries")
@on_refusal(_forgotten)
async def accept(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Log time for the chosen suggestions, and redirect to the agent's draft time entries.

    If some suggestions cannot be logged, log the others and show the page with the reason for each refused suggestion.
    """
    async with transaction(reader):
        outcome = await log_forgotten(reader, form.into(Picked).picks, at=at)
    if not outcome.refused:
        return see_other("/agent/time?state=draft")
    async with transaction(reader, readonly=True):
        return await _forgotten(request, outcome=outcome)


@post("/time/forgotten/dismissals")
@on_refusal(_forgotten)
async def dismiss_them(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Dismiss the chosen suggestions, and redirect to the page of forgotten time.

    For the next 24 hours, that page has a button that ends the dismissal.
    """
    async with transaction(reader):
        await dismiss(reader, form.into(Picked).picks, at=at)
    return see_other(HERE)


@post("/time/forgotten/resumptions")
@on_refusal(_forgotten)
async def suggest_it_again(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """End the dismissal of the chosen suggestions, and redirect to the page of forgotten time.

    The page then shows these suggestions again.
    """
    async with transaction(reader):
        for pick in form.into(Picked).picks:
            await suggest_again(reader, pick)
    return see_other(HERE)


handlers: list[Any] = [forgotten, accept, dismiss_them, suggest_it_again]
