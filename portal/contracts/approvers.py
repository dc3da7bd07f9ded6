"""Find whose time a manager may approve (C10).

A manager is designated for services, or for departments. A department includes all departments below it.
"""

import msgspec

from portal.contracts.naming import shown_service
from portal.contracts.services import Service, ServiceFacts
from portal.database import current
from portal.errors import Invalid
from portal.fields import Checked, identifier
from portal.people.agents import Agent
from portal.people.working.absences import STANDS_FOR

DECIDES = f"""{STANDS_FOR},
standing as (select $1::bigint as id union select id from stands_for),
mine as (
  select n.department_id as id, n.agent_id as for_id from designation n join standing d on d.id = n.agent_id
  union select d.id, m.for_id from department d join mine m on d.parent_id = m.id
),
decided as (select distinct g.id from agent g join mine m on m.id = g.department_id where m.for_id <> g.id),
served as (select n.service_id as id, n.agent_id as for_id from service_designation n join standing d on d.id = n.agent_id)
"""  # noqa: S608
"""SQL of recursive common table expressions that find whose time the agent `$1` may approve or reject on the day `$2`.

`decided` holds ids of agents, and `served` holds ids of services. In `served`, `for_id` is the id of the manager who is
designated for the service: `$1`, or an absent manager whose deputy is `$1`.
"""

MAY_DECIDE = """
(e.agent_id in (select id from decided) or exists (select from served v where v.id = e.service_id and v.for_id <> e.agent_id))
"""
"""SQL condition that the agent `$1` may decide on the time entry `e`. It refers to `decided` and `served` of `DECIDES`.

A deputy may not decide on the absent manager's own time, because that manager could not decide on it either (D33).
"""


class ServiceForm(ServiceFacts, forbid_unknown_fields=True, kw_only=True):
    """The form fields of a service, and the ids of the managers who are designated for it (`approvers`)."""

    approvers: list[str] = msgspec.field(default_factory=list)


async def form_of(service: Service) -> ServiceForm:
    """Return the stored values of the service as form fields, to fill in the form that edits them."""
    approvers = [str(agent_id) for agent_id, _ in await of_service(service.id)]
    return ServiceForm(**msgspec.structs.asdict(service.facts), approvers=approvers)


async def of_service(service_id: int) -> list[tuple[int, str]]:
    """Return the managers who are designated for a service, as pairs of id and name, sorted by name.

    Designated people who have left or are no longer managers are left out.
    """
    rows = await current().fetch(
        "select a.id, a.name from service_designation d join agent a on a.id = d.agent_id"
        " where d.service_id = $1 and a.grade = 'manager' and a.ended_at is null"
        " order by folded(a.name), a.id",
        service_id,
    )
    return [(row["id"], row["name"]) for row in rows]


async def designate(service_id: int, facts: ServiceForm) -> None:
    """Designate the managers in `facts.approvers` for a service, and no others.

    Raise `Invalid` (`approvers`) if an id does not belong to a manager, or belongs to a manager who has left.
    """
    checked = Checked()
    ids = [checked("approvers", identifier, agent_id) for agent_id in facts.approvers]
    checked.done()
    managers = {manager.id for manager in await Agent.managers()}
    if not managers.issuperset(ids):
        raise Invalid({"approvers": "Choose managers who work here."})
    await current().execute(
        "delete from service_designation where service_id = $1 and agent_id <> all ($2::bigint[])", service_id, ids
    )
    await current().execute(
        "insert into service_designation (customer_id, service_id, agent_id)"
        " select s.customer_id, s.id, a.id from service s, unnest($2::bigint[]) as a (id) where s.id = $1 on conflict do nothing",
        service_id, ids,
    )  # fmt: skip


_SERVICES = f"""
select {shown_service("s.id")} || ' (' || c.name || ')' as name
from service_designation d join service s on s.id = d.service_id join customer c on c.id = s.customer_id
where d.agent_id = $1 order by folded(s.name), folded(c.name), s.id
"""  # noqa: S608 (the expression is a constant)


async def services_of(agent_id: int) -> list[str]:
    """Return the services for which the agent is designated, as texts such as `Helpdesk (Acme)`, sorted by name."""
    rows = await current().fetch(_SERVICES, agent_id)
    return [row["name"] for row in rows]


async def hand_services(leaving: int, successor: int) -> None:
    """Move all designations for services from the agent `leaving` to the agent `successor`.

    The caller must have checked that the successor is a manager.
    """
    await current().execute(
        "insert into service_designation (customer_id, service_id, agent_id)"
        " select customer_id, service_id, $2 from service_designation where agent_id = $1 on conflict do nothing",
        leaving, successor,
    )  # fmt: skip
    await current().execute("delete from service_designation where agent_id = $1", leaving)
