"""Serve the set-up page for the rules of time tracking. Only admins may open it."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec.structs import replace

from portal import regions
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.timekeeping.policy.switches import PICKS, Rules, RulesFacts, TimeRules
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


@get("/setup/time", guards=[admin_only])
async def time_rules(request: Web) -> Response[str]:
    """Show the form with the rules of time tracking."""
    return await _time_rules(request)


async def _time_rules(request: Web, **again: Any) -> Response[str]:
    rules = await TimeRules.find()
    return await form_page(
        request, "agent/setup/time_rules.html", facts=_shown(request, rules), locks=rules.locked_through, zones=regions.zones(),
        picks=list(PICKS.items()), **again,
    )  # fmt: skip


def _shown(request: Web, rules: Rules) -> RulesFacts:
    """Return the stored rules as the values of the form.

    If the stored rules have no time zone for the lock on past days, the form shows the company's time zone.
    """
    facts = rules.facts
    return replace(facts, lock_time_zone=facts.lock_time_zone or visit_of(request).company.time_zone)


@post("/setup/time", guards=[admin_only])
@on_refusal(_time_rules)
async def change_time_rules(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form]
) -> Response[Any]:
    """Save the rules of time tracking (S1.6 to S1.8, S1.24), and redirect to the set-up.

    The rules apply from the next request on.
    """
    async with transaction(reader):
        stored = _shown(request, await TimeRules.find(hold=True))
        await TimeRules.change(edited(form, RulesFacts, stored))
    return see_other("/agent/setup")


handlers: list[Any] = [time_rules, change_time_rules]
