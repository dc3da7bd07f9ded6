"""Serve the agents' list of cases and the form that opens a case for a contact."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.arrivals import Seen
from portal.agent.pages import agent_page, rail
from portal.agent.queue.bulk import Ticked, prepare, toast_of_change
from portal.database import transaction
from portal.database.batches import all_or_report
from portal.database.finder import choosable
from portal.desk import (
    Case,
    Question,
    Sort,
    Status,
    agents_list,
    case_types,
    named_elsewhere,
    searched,
)
from portal.desk.bulk.verbs import Verb
from portal.desk.custom_fields.offered import offered, refuse_withdrawn, typed_in, with_fields
from portal.desk.lists.filters import filters_of
from portal.desk.lists.own_views import OwnView
from portal.desk.messages import Writing, written_before
from portal.desk.tagging.tags import TAGS
from portal.desk.workflow import priorities
from portal.errors import Conflict, NotFound
from portal.numbers import number_in
from portal.people.agents import AGENTS
from portal.people.contact_search import CALLERS, known_contacts_of
from portal.people.contacts import Contact
from portal.people.contacts.calling import NewCaller
from portal.people.customers import CUSTOMERS, Customer
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.render.formats import plural
from portal.timekeeping.feed import worked_on
from portal.web import drafts
from portal.web.finding import asked, asked_several, people_in, settle
from portal.web.forms import Form
from portal.web.limits import searching
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class NewCase(NewCaller, kw_only=True):
    """Form with which an agent opens a case for a contact.

    `customer`, `contact` and `case_type` are ids, `priority` is a number of `Priority`. If `then` is `wait`, the case
    waits for the customer from the start. If `to` is `me`, the case is assigned to the signed-in agent, otherwise to
    the agent whom the rules of dispatch choose. `called` is True if the text is what the contact said on the phone.
    `form_key` identifies one display of the form, so that a form that is sent twice opens one case. If the agent types
    a new contact with the telephone number or mail address of a known contact, the form offers the known one; `instead`
    is the id of that contact if the agent accepts.
    """

    customer: int | None = None
    contact: int | None = None
    subject: str = ""
    body: str = ""
    case_type: int | None = None
    priority: int | None = None
    form_key: str = ""
    then: str = ""
    to: str = ""
    called: bool = False
    instead: int | None = None


ASKING = choosable(CUSTOMERS)
"""The customers for whom a case may be opened: those that have not ended."""


HEADINGS = (
    Sort.NUMBER,
    Sort.SUBJECT,
    Sort.CUSTOMER,
    Sort.STATUS,
    Sort.PRIORITY,
    Sort.DUE,
    Sort.AGENT,
    None,
    Sort.UPDATED,
)
"""The sort orders of the list's columns, from left to right. None is the column of logged time, which has no order."""


@get("/cases")
async def list_cases(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]
) -> Response[str]:
    """Show the list of cases.

    While the page is open, it refreshes itself by requesting the same URL again, with the displayed case numbers as
    query parameters (`arrivals`).
    """
    async with searching(request, searched(request.query_params)):
        return await _list(request, reader=reader, at=at)


async def _list(
    request: Web,
    *,
    reader: AgentReader,
    at: datetime,
    problems: tuple[str, ...] = (),
    taken: int = 0,
    status: int = 200,
) -> Response[str]:
    pairs, found = await asked_several(request, {"agent": AGENTS, "customer": CUSTOMERS, "tag": TAGS})
    question = replace(Question.read(pairs), at=at)
    counted = await rail(reader, at)
    listed = await agents_list(reader, question, counted.views)
    return await agent_page(
        request, reader, "agent/cases/list.html", status=status, rail=counted,
        question=question, listed=listed, arranged=Seen.read(request.query_params).arranged(listed, at), problems=problems,
        headings=HEADINGS, found=found,
        chips=(await filters_of(question, reader)).chips if question.is_filtered else [], own=await _own(question, reader),
        elsewhere=await named_elsewhere(question.text, listed, reader),
        worked=await worked_on([row.id for row in listed.rows]), toast=_toast(request, taken) or await toast_of_change(request, reader),
    )  # fmt: skip


async def _own(question: Question, reader: AgentReader) -> OwnView | None:
    """Return the saved view on which the list is based, or None if there is none that the reader may use."""
    with suppress(NotFound):
        return await OwnView.find(question.own, reader) if question.own is not None else None
    return None


@post("/cases/assignment")
async def take_several(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Assign the ticked cases to the signed-in agent, except those that a colleague already has (D35).

    If all ticked cases are assigned, redirect to the agent's own cases. If some cannot be assigned, assign the others,
    and show the list with a message for each case that was refused. If the form chooses all cases that match the
    filters, assign none yet: redirect to the page that asks to whom they shall be assigned.
    """

    ticked = form.into(Ticked)
    if ticked.all:
        return await prepare(request, reader, Verb.ASSIGN, None, at)

    async def take(number: str) -> None:
        await (await Case.find(number, reader, itself=True)).take(by=reader, at=at)

    report = await all_or_report(dict.fromkeys(ticked.case), take, reader=reader)
    problems = [f"#{number}: {refusal.sentence}" for number, refusal in report.refused.items()]
    if not problems:
        return see_other(f"/agent/cases?view=mine&taken={len(report.done)}")
    async with transaction(reader, readonly=True):
        return await _list(
            request, reader=reader, at=at, problems=tuple(problems), taken=len(report.done), status=Conflict.status
        )


def _toast(request: Web, taken: int) -> dict[str, str] | None:
    """Return the message that says how many cases the agent has just taken, or None if none were taken.

    `taken` is this number if other cases were refused in the same request. If `taken` is 0, the number is read from the
    URL, where the redirect has put it.
    """
    count = taken or number_in(request.query_params.get("taken"), digits=4)
    return {"words": f"{plural(count, 'case')} taken."} if count else None


@get("/cases/new")
async def new(request: Web) -> Response[str]:
    """Show the form for a new case.

    `?customer=` preselects the customer whose contacts are offered; `?caller=` preselects a contact and their customer.
    `?new=` is a typed text that matched no contact: the form is filled in for a new contact with this text.
    """
    return await _new(request)


async def _new(
    request: Web, *, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    query = request.query_params
    draft = await drafts.begun_here(request, reader, typed)
    kept = number_in(draft.typed.get("customer")) if "customer" not in query else None
    customer = await (ASKING.find(kept, None) if kept else asked(request, "customer", ASKING))
    caller = await asked(request, "caller", CALLERS)
    if caller.id:
        customer = await ASKING.find((await Contact.find(caller.id, reader)).customer_id, None)
    people = await people_in({"contact": caller.id} | draft.typed, {"contact": known_contacts_of(customer.id or 0)})
    if not people["contact"].id:
        draft.typed.pop("contact", None)  # The customer was changed: this contact belongs to the former customer.
    new = NewCaller(new_email=draft.typed.get("new_email", ""), new_phone=draft.typed.get("new_phone", ""))
    return await agent_page(
        request, reader, "agent/cases/new.html", errors=errors or {}, typed=draft.typed, draft=draft,
        known=await new.known(customer.id) if errors and customer.id else None,
        unsent=await drafts.unsent(reader, "/agent/cases/new"),
        customer=customer, caller=caller, newcomer=NewCaller.sought(query.get("new", "")), new=query.get("new", ""),
        sought_for=query.get("caller_typed", ""), contacts=await Contact.selectable(customer.id) if customer.id else [], people=people,
        none_yet=not (customer.id or await Customer.offered()),
        types=choices(await case_types()), priorities=await priorities.offered(to_contact=False), custom_fields=await offered(reader),
        sends_mails=bool(visit_of(request).settings.smtp_url),
    )  # fmt: skip


@post("/cases/new")
@on_refusal(_new)
async def open_case(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Create a case for a contact, notify the contact (S3.3), and redirect to the case.

    If the form describes a new contact, create the contact first.
    """
    async with transaction(reader):
        custom_fields = await offered(reader)
        await settle(form, "contact", known_contacts_of(number_in(form.get("customer")) or 0))
        refuse_withdrawn(form.fields, custom_fields)
        fields = form.into(with_fields(NewCase, custom_fields))
        contact = fields.instead or fields.contact
        if fields.customer and fields.is_given and not fields.instead:
            writing = Writing(fields.body, form.files, form.key)
            if not await written_before(writing, reader):  # A form that is sent again creates no second contact.
                contact = (await fields.create(fields.customer, by=reader, at=at)).id
        case = await Case.open(
            by=reader, contact_id=contact, customer_id=fields.customer, subject=fields.subject, text=fields.body,
            case_type_id=fields.case_type or 0, priority=fields.priority or 0, files=form.files, at=at, form_key=form.key,
            taken=fields.to == "me", called=fields.called, own=typed_in(fields, custom_fields),
        )  # fmt: skip
        if fields.then == "wait" and case.stands is Status.NEW:
            await case.wait_for_customer(by=reader, at=at)
    return see_other(f"/agent/cases/{case.number}")


handlers: list[Any] = [list_cases, take_several, new, open_case]
