"""Serve the set-up pages for dispatch: the rules by which new cases get an agent, a department and a priority."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct, structs

from portal.agent.setup.pages import form_page
from portal.contracts.services import SERVICES
from portal.database import transaction
from portal.desk import Case, case_types
from portal.desk.dispatch.dispatching import tried
from portal.desk.dispatch.handover import away_now
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.desk.workflow import priorities
from portal.errors import NotFound
from portal.people.agents import AGENTS, Agent
from portal.people.customers import CUSTOMERS
from portal.people.departments import Department
from portal.people.offered import choices, with_stored
from portal.people.readers import AgentReader
from portal.web.edits import Overtaken, edited, seen_in
from portal.web.finding import chosen, settle, shown
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of
from portal.words import Balance

HERE = "/agent/setup/dispatch"
SCOPES = {"customer_id": CUSTOMERS, "service_id": SERVICES}
"""The search fields of a rule, by field name."""


class RuleForm(RuleFacts, kw_only=True):
    """Form of a rule of dispatch. Each search field sends an id and, in a field ending in `_typed`, the typed text."""

    customer_id_typed: str = ""
    service_id_typed: str = ""


class Place(Struct, kw_only=True):
    """Form that moves the rule with the id `rule` up, to the place directly above the rule with the id `above`."""

    rule: int
    above: int


@get("/setup/dispatch", guards=[admin_only])
async def dispatch(request: Web) -> Response[str]:
    """Show the rules of dispatch in order, and the form that adds a rule.

    `?case=` is the number of a case on which to try the rules.
    """
    return await _dispatch(request)


async def _dispatch(request: Web, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/setup/dispatch.html", dispatch_rules=await DispatchRule.listed(), away=await away_now(visit_of(request).at),
        **await _trial(request), **await _options(again.get("typed")), **again,
    )  # fmt: skip


async def _trial(request: Web) -> dict[str, Any]:
    """Try the rules on the case whose number is `?case=`, without changing it, and return the template variables.

    `number` is the typed number, `tried_case` the case, and `choice` what the rules would choose for the case. If there
    is no case with this number, `tried_case` and `choice` are None.
    """
    visit, number = visit_of(request), request.query_params.get("case", "").strip().removeprefix("#")
    reader: Any = visit.reader
    trial: dict[str, Any] = {"number": number, "tried_case": None, "choice": None}
    if number:
        try:
            case = await Case.find(number, reader)
        except NotFound:
            return trial
        trial |= {"tried_case": case, "choice": await tried(case, visit.at)}
    return trial


async def _options(values: Any, rule: DispatchRule | None = None) -> dict[str, Any]:
    """Return the options that the form of a rule offers, and what its search fields show for `values`.

    The agent of the stored `rule` is offered even if that agent has left.
    """
    offered = await Agent.selectable()
    agents = None if offered is None else choices(offered)
    if agents is not None and rule and rule.agent_id:
        agents = with_stored(agents, rule.agent_id, (await Agent.find(rule.agent_id)).name + " (has left)")
    return {
        "found": await shown(values, SCOPES), "types": choices(await case_types()), "priorities": await priorities.choices(),
        "departments": await Department.choices(), "agents": agents, "finders": {"agent_id": AGENTS},
        "balances": [(one.value, one.word.capitalize()) for one in Balance],
    }  # fmt: skip


@post("/setup/dispatch", guards=[admin_only])
@on_refusal(_dispatch)
async def add_rule(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a rule as the last in the order in which rules are tried, and redirect to the rules."""
    async with transaction(reader):
        await settle(form, "agent_id", AGENTS)
        sent = form.into(RuleForm)
        await DispatchRule.create(_facts(sent, await chosen(form.typed, SCOPES)))
    return see_other(HERE)


@get("/setup/dispatch/{rule:int}", guards=[admin_only])
async def rule(request: Web, rule: FromPath[int]) -> Response[str]:
    """Show the form that changes a rule."""
    return await _rule(request, rule=rule)


async def _rule(request: Web, *, rule: int, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    found = await DispatchRule.find(rule)
    options = await _options(typed or structs.asdict(found.facts), found)
    return await form_page(
        request, "agent/setup/dispatch_rule.html", facts=found.facts, rule=found, typed=typed, **options, **again
    )


@post("/setup/dispatch/{rule:int}", guards=[admin_only])
@on_refusal(_rule)
async def change_rule(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], rule: FromPath[int]
) -> Response[Any]:
    """Save the conditions and the choices of a rule, and redirect to the rules."""
    async with transaction(reader):
        found = await DispatchRule.find(rule, hold=True)
        await settle(form, "agent_id", AGENTS, found.agent_id)
        fields = edited(form, RuleForm, found.facts)
        await found.change(_facts(fields, await _scope(form, found)))
    return see_other(HERE)


async def _scope(form: Form, rule: DispatchRule) -> dict[str, int | None]:
    """Return the ids of the customer and of the service to which an edited rule is to apply, by field name.

    None means that the rule applies to every customer or every service. If the form leaves a field as it was shown, the
    field keeps the stored value, which somebody else may have changed meanwhile. If the form changes a field that
    somebody else has meanwhile changed to another value, raise `Overtaken`. Both the text and the hidden id of a search
    field are read, because without JavaScript, editing the text leaves the old id in the form.
    """
    stored, seen = rule.facts, seen_in(form, RuleFacts)
    scope = await chosen(form.typed, SCOPES)
    for name, id in scope.items():
        now, before = getattr(stored, name), getattr(seen or stored, name)
        if str(id or "") == before:
            scope[name] = int(now) if now else None
        elif now not in (before, str(id or "")):
            raise Overtaken(structs.asdict(form.into(RuleForm)), stored, [name], [])
    return scope


def _facts(fields: RuleForm, scope: dict[str, int | None]) -> RuleFacts:
    values = {name: getattr(fields, name) for name in RuleFacts.__struct_fields__}
    return RuleFacts(**values | {name: str(id or "") for name, id in scope.items()})


@post("/setup/dispatch/order", guards=[admin_only])
async def move_rule(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Move a rule directly above another rule, so that it is tried before that rule, and redirect to the rules."""
    place = form.into(Place)
    async with transaction(reader):
        await (await DispatchRule.find(place.rule)).move_above(place.above)
    return see_other(HERE)


@post("/setup/dispatch/{rule:int}/removal", guards=[admin_only])
async def remove_rule(reader: NamedDependency[AgentReader], rule: FromPath[int]) -> Response[Any]:
    """Delete a rule, and redirect to the rules. Cases that the rule assigned keep their agent."""
    async with transaction(reader):
        await (await DispatchRule.find(rule)).withdraw()
    return see_other(HERE)


handlers: list[Any] = [dispatch, add_rule, rule, change_rule, move_rule, remove_rule]
