"""Serve the page of a timesheet with its filters and groups."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.toasts import toast_of_decision
from portal.billing import Outcome
from portal.contracts.contracts import CONTRACTS
from portal.contracts.projects import PROJECTS
from portal.contracts.services import SERVICES
from portal.contracts.tasks import TASKS
from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.people.departments import Department
from portal.people.readers import AgentReader
from portal.periods import today
from portal.reports import timesheets
from portal.reports.files import Export
from portal.reports.grouping import Group
from portal.reports.questions import Kind, On, Question
from portal.reports.ranges import ranges_at
from portal.timekeeping.filters import GroupCursor
from portal.timekeeping.kinds import GeneralKind
from portal.web.finding import asked
from portal.web.guards import manager_only
from portal.web.pages import page
from portal.web.visit import Web, visit_of
from portal.words import EntryBilling, EntryState

PATH = "/agent/timesheets"
FINDERS = {
    "agent": AGENTS, "customer": CUSTOMERS, "contract": CONTRACTS, "service": SERVICES, "project": PROJECTS, "task": TASKS,
}  # fmt: skip
DONE = {
    "approved": "approved.",
    "rejected": "rejected. Your reason is shown beside each.",
    "flagged": "flagged. Billing waits until the flag is lifted.",
    "withdrawn": "taken back.",
}
"""The text that follows the number of entries in the message after a decision, by what the decision did.

Each key is also the name of the query parameter with which the redirect passes the number of entries.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the URL of a timesheet asks for: its filters, its grouping, and the result of each search field by name."""

    question: Question
    group: Group
    found: dict[str, Any]

    @classmethod
    async def of(cls, request: Web) -> "Asked":
        """Return what the query string of the request asks for. Values that cannot be read are ignored."""
        visit, query = visit_of(request), request.query_params
        reader: Any = visit.reader
        found = {name: await asked(request, name, finder) for name, finder in FINDERS.items()}
        question = Question.read(query, today(reader.time_zone, visit.at))
        group = Group(query["group"]) if query.get("group") in list(Group) else Group.DAY
        # A link has an id without a typed text. Such an id filters even if no row has this id: the page then shows no
        # entries instead of all entries.
        ids = {name: one.id for name, one in found.items() if one.id or f"{name}_typed" in query}
        return cls(question.with_ids(**ids), group, found)

    def query(self, **more: object) -> str:
        """Return the query string of this timesheet with the parameters `more`, leaving out empty values."""
        group = {} if self.group is Group.DAY else {"group": self.group.value}
        values = self.question.values | group | more
        return "?" + urlencode({name: value for name, value in values.items() if value not in ("", None)})


@get("/timesheets", guards=[manager_only])
async def show(request: Web) -> Response[str]:
    """Show one page of a timesheet (S2.26 to S2.33), by default with all time of this month that is not on projects."""
    return await show_timesheet(request)


async def show_timesheet(
    request: Web,
    *,
    outcome: Outcome | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """Return the page of the timesheet that the URL describes. `outcome` is the result of a decision on its entries."""
    visit, query = visit_of(request), request.query_params
    reader: Any = visit.reader
    wanted = await Asked.of(request)
    after = GroupCursor.parse(query.get("after", ""))
    sheet = await timesheets.read(
        reader,
        wanted.question,
        day=today(reader.time_zone, visit.at),
        group=wanted.group,
        after=after,
        all_sums=query.get("sums") == "all",
    )
    return await agent_page(
        request, reader, "agent/timesheets/show.html", status=outcome.status if outcome else 200,
        sheet=sheet, question=wanted.question, group=wanted.group, found=wanted.found, query=wanted.query(),
        turning=_turning(wanted, sheet, turned="after" in query), outcome=outcome, toast=toast_of_decision(query, DONE, PATH, wanted.query()),
        departments=await Department.choices(), kinds=list(Kind),
        ranges=ranges_at(today(reader.time_zone, visit.at)), offered=OFFERED, general=await GeneralKind.usual(),
        errors=errors or {}, typed=typed or {}, asked=wanted, everything=f"{PATH}/everything{wanted.query()}",
        ready_files=await Export.waiting(reader),
    )  # fmt: skip


@get("/timesheets/everything", guards=[manager_only])
async def everything(request: Web) -> Response[str]:
    """Show how many entries of the timesheet the reader may decide on, with buttons that decide on all of them at once."""
    return await show_everything(request)


async def show_everything(
    request: Web, *, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    """Return the page for a decision on all entries at once. `errors` and `typed` belong to a refused form."""
    visit = visit_of(request)
    reader: Any = visit.reader
    wanted = await Asked.of(request)
    choices = await timesheets.decidable(reader, wanted.question, today(reader.time_zone, visit.at))
    return await agent_page(
        request, reader, "agent/timesheets/everything.html", entries=".".join(f"{one.entry_id}:{one.version}" for one in choices),
        count=len(choices), sums=await timesheets.sums(reader, wanted.question), question=wanted.question, query=wanted.query(),
        most=timesheets.MOST, errors=errors or {}, typed=typed or {},
    )  # fmt: skip


@get("/timesheets/sums", guards=[manager_only])
async def show_sums(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Return the sums of all entries of a timesheet. A page with many entries requests the sums after it has loaded."""
    wanted = await Asked.of(request)
    return page(
        request,
        "agent/timesheets/_sums.html",
        sums=await timesheets.sums(reader, wanted.question),
        query=wanted.query(),
    )


OFFERED = {
    "group": [(one.value, one.word) for one in Group],
    "on": [(one.value, one.word) for one in On],
    "billing": [(one.value, one.word) for one in EntryBilling],
    "state": [(one.value, one.word) for one in EntryState],
}
"""The choices of the filters and of the grouping, by field name, as pairs of value and text."""


def _turning(wanted: Asked, sheet: timesheets.Timesheet, *, turned: bool) -> dict[str, Any]:
    """Return the pagination links of the timesheet: to the first page and to the next."""
    return {
        "turned": turned,
        "first": PATH + wanted.query(),
        "next": PATH + wanted.query(after=sheet.next) if sheet.next else None,
        "back": "To the first",
        "on": "Further entries",
    }


handlers: list[Any] = [show, everything, show_sums]
