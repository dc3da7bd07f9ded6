"""Handle the forms that change a case: its agent, its status, and its facts such as subject and priority."""

from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.finding.away import with_absences
from portal.agent.flow.places import place_of
from portal.agent.pages import agent_page
from portal.contracts.projects import Project
from portal.contracts.services import Service
from portal.database import transaction
from portal.desk import Case, Details, case_types
from portal.desk.facts import Facts
from portal.desk.workflow.moves import wanted_status
from portal.desk.workflow.priorities import name_of
from portal.errors import Conflict, Invalid
from portal.numbers import number_in
from portal.people.agents import AGENTS, COLLEAGUES
from portal.people.contact_search import known_contacts_of
from portal.people.contacts import Contact
from portal.people.departments import DEPARTMENTS, Department
from portal.people.offered import choices, with_stored
from portal.people.readers import AgentReader
from portal.people.working.absences import Absence
from portal.periods import today
from portal.render.formats import day, reading
from portal.web.edits import as_seen, edited, seen_in
from portal.web.finding import chosen, people_in, settle
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Assignment(Struct, kw_only=True):
    """Form that assigns a case: with `take` to the signed-in agent, otherwise to the agent with the id `agent`.

    If `agent` is None, the case becomes unassigned. `department` is the id of the case's new department. In the menu at
    the top of the case page, the form has search fields. On the assignment page, it has select fields, unless there are
    too many agents for them. `agent_typed` and `department_typed` are the texts typed into the search fields. `nobody`
    is True if *Nobody* was chosen beside the search fields.
    """

    take: bool = False
    agent: int | None = None
    agent_typed: str = ""
    department: int | None = None
    department_typed: str = ""
    nobody: bool = False


class Holder(Struct, kw_only=True):
    """The ids of the agent and of the department that have a case. Each id is None if there is no such holder.

    The assignment form sends the displayed ids back, so that an assignment by somebody else in the meantime is noticed.
    """

    agent: int | None
    department: int | None


class StatusChange(Struct, kw_only=True):
    """Form that sets the status of a case. `status` is the id of a status, or the name of a category of statuses.

    The page also sends the displayed status id, in the hidden field that `seen_in` reads.
    """

    status: str


class PriorityChange(Struct, kw_only=True):
    """Form that sets the priority of a case.

    The page also sends the displayed priority, in the hidden field that `seen_in` reads.
    """

    priority: int


class FactsChange(Struct, kw_only=True):
    """Form that changes the facts of a case. All but `subject` and `priority` are ids; None means nothing is chosen."""

    subject: str
    case_type: int | None = None
    priority: int | None = None
    service: int | None = None
    project: int | None = None
    contact: int | None = None

    @classmethod
    def of(cls, case: Case) -> "FactsChange":
        """Return the form filled with the stored facts of the case."""
        return cls(
            subject=case.subject, case_type=case.case_type_id, priority=case.priority, service=case.service_id,
            project=case.project_id, contact=case.contact_id,
        )  # fmt: skip

    def since(self, case: Case) -> Facts:
        """Return only the submitted facts that differ from those stored on the case.

        If the form chooses no contact, the case keeps its contact.
        """
        said: Facts = {
            "subject": self.subject, "case_type_id": self.case_type or 0, "priority": self.priority or 0, "service_id": self.service,
            "project_id": self.project,
            "contact_id": self.contact or case.contact_id,
        }  # fmt: skip
        return cast(Facts, {name: value for name, value in said.items() if getattr(case, name) != value})


@get("/cases/{number:str}/assignment")
async def show_assignment(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the assignment form of a case."""
    return await _assignment(request, number=number)


async def _assignment(
    request: Web, *, number: str, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    details = await Details.find(number, reader)
    day_here = today(reader.time_zone, visit.at)
    agents = await Absence.dispatched(day_here)
    people = await people_in(typed, {"agent": AGENTS, "department": DEPARTMENTS})
    people["agent"] = replace(people["agent"], choices=await with_absences(request, people["agent"].choices))
    with reading(reader, None, visit.at):
        options = [
            (one.id, f"{one.name}, away until {day(one.away_until)}" if one.away_until else one.name)
            for one in agents or []
        ]
        away = [
            f"{one.name} until {day(one.away_until)}"
            for one in (await Absence.away(day_here) if agents is None else [])
        ]
    return await agent_page(
        request,
        reader,
        "agent/cases/assignment.html",
        details=details,
        agents=None
        if agents is None
        else with_stored(options, details.case.agent_id, f"{details.agent_name} (has left)"),
        away=away,
        people=people,
        departments=await Department.choices(),
        query=request.url.query,
        seen=as_seen(Holder(agent=details.case.agent_id, department=details.case.department_id)),
        errors=errors or {},
        typed=typed or {},
    )


@post("/cases/{number:str}/assignment")
@on_refusal(_assignment)
async def assign(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Assign the case to the signed-in agent, to a colleague or to nobody (S3.8, S3.9), and redirect to the case.

    The form may also give the case to another department. If only a department was typed into the search fields, and
    the present agent does not belong to that department, the case becomes unassigned. If somebody else has assigned the
    case since the form was shown, refuse the form, and show it again with the typed and the stored agent.
    """
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True, itself=True)
        holder = Holder(agent=case.agent_id, department=case.department_id)
        if form.get("take"):
            # If the form showed the agent who has the case now, the case may be taken over. If it showed another agent
            # or nobody, `take` refuses to take the case from a colleague.
            seen = seen_in(form, Holder)
            knows = seen is not None and seen.agent == case.agent_id
            await (case.assign(reader.id, by=reader, at=at) if knows else case.take(by=reader, at=at))
        else:
            fields = edited(await _searched(form, holder), Assignment, holder)
            chosen_agent = fields.agent != holder.agent
            if "department" in form.fields:
                # The select fields show the present agent beside the department, so the agent keeps the case. Empty
                # search fields do not show the present agent, so an agent of another department loses the case.
                keeps = chosen_agent or "department_typed" not in form.fields
                await case.give_to_department(fields.department, by=reader, at=at, keeps_agent=keeps)
            if chosen_agent:
                await case.assign(fields.agent, by=reader, at=at)
    return see_other(place_of(request, number))


async def _searched(form: Form, stored: Holder) -> Form:
    """Set `agent` and `department` of the form to the ids of the typed names, and return the form.

    An empty search field keeps the agent or department that the page showed; *Nobody* sets no agent. A form without
    search fields is returned unchanged. If a text matches no name or several names, raise `Invalid` with a message at
    this field. If both fields are empty and *Nobody* was not chosen, raise `Invalid` with a message at `agent`.
    """
    if "agent_typed" not in form.fields and "department_typed" not in form.fields:
        return form
    found = await chosen(form.typed, {"agent": COLLEAGUES, "department": DEPARTMENTS})
    if form.get("nobody"):
        found["agent"] = None
    elif not any(found.values()):
        raise Invalid({"agent": "Type the name of an agent or of a department."})
    seen = seen_in(form, Holder) or stored
    keeps = {"agent": None if form.get("nobody") else seen.agent, "department": seen.department}
    form.fields |= {name: [str(found[name] or kept or "")] for name, kept in keeps.items()}
    return form


@post("/cases/{number:str}/status")
async def change_status(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Save a new status, and redirect to the case. Raise `Invalid` for a status that may not follow the current one.

    Raise `Conflict` if somebody else has changed the status since the page was shown.
    """
    wanted = wanted_status(form.into(StatusChange).status)
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True, itself=True)
        seen = seen_in(form, StatusChange)
        await case.change_status(wanted, seen=number_in(seen.status) if seen else None, by=reader, at=at)
    return see_other(place_of(request, number))


@post("/cases/{number:str}/priority")
async def change_priority(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Save a new priority, and redirect to the case.

    Raise `Conflict` if somebody else has changed the priority since the page was shown, and chose another priority than
    this form.
    """
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True, itself=True)
        seen = seen_in(form, PriorityChange) or PriorityChange(priority=case.priority)
        priority = form.into(PriorityChange).priority
        if case.priority not in (seen.priority, priority):
            raise Conflict(f"The priority is {await name_of(case.priority)} now. Look at it again.")
        await case.change_facts(by=reader, at=at, priority=priority)
    return see_other(place_of(request, number))


@get("/cases/{number:str}/facts")
async def show_facts(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the form for the subject, contact, case type, priority, service and project of a case."""
    return await _facts(request, number=number)


async def _facts(
    request: Web, *, number: str, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    details = await Details.find(number, reader)
    case = details.case
    services = await Service.offered(case.customer_id, today(reader.time_zone, visit.at))
    contacts = await Contact.selectable(case.customer_id)
    return await agent_page(
        request, reader, "agent/cases/facts.html", details=details,
        services=with_stored(services, case.service_id, details.service_name),
        types=with_stored(choices(await case_types()), case.case_type_id, details.type_name),
        contacts=None
        if contacts is None
        else with_stored(choices(contacts), case.contact_id, f"{details.contact_name} (has left)"),
        people=await people_in(typed or {"contact": case.contact_id}, {"contact": known_contacts_of(case.customer_id)}),
        projects=with_stored(await Project.offered(case.customer_id), case.project_id, details.project_name),
        seen=as_seen(FactsChange.of(details.case)), errors=errors or {}, typed=typed or {},
    )  # fmt: skip


@post("/cases/{number:str}/facts")
@on_refusal(_facts)
async def change_facts(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Save the changed facts of a case, and redirect to the case. The log of the case records each change."""
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True, itself=True)
        await settle(form, "contact", known_contacts_of(case.customer_id), case.contact_id)
        fields = edited(form, FactsChange, FactsChange.of(case))
        await case.change_facts(by=reader, at=at, **fields.since(case))
    return see_other(f"/agent/cases/{number}")


handlers: list[Any] = [show_assignment, assign, change_status, change_priority, show_facts, change_facts]
