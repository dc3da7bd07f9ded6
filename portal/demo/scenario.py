"""The state that all parts of the demo share while its actions are planned and run."""

from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from portal.contracts.projects import Project
from portal.demo.calendar import Calendar
from portal.demo.creating import DemoCustomer
from portal.demo.files import DemoFiles
from portal.demo.timeline import Timeline
from portal.desk.cases import Case
from portal.people.readers import AgentReader
from portal.timekeeping.entries import TimeEntry


@dataclass(slots=True)
class DemoCase:
    """A case of the demo. `customer` is its customer; `case` is None until the case has been opened."""

    customer: DemoCustomer
    case: Case | None = None

    @property
    def opened(self) -> Case:
        """Return the case. Raise `RuntimeError` if it has not been opened yet."""
        if self.case is None:
            raise RuntimeError("this case has not been opened yet")
        return self.case


@dataclass(frozen=True, slots=True)
class DemoProject:
    """A project of the demo, and the ids of its tasks."""

    project: Project
    tasks: tuple[int, ...]


@dataclass(slots=True)
class PlannedWork:
    """A planned piece of work of an agent. `entry` is None until it is logged as a time entry.

    `demo_case` is the case on which the agent works. Without a case, the time is logged under the service with the name
    `service` of the customer `customer`; without a customer it is internal time. `at` is the instant at which the time
    is logged. `began` is when the work began, in minutes after local midnight, or None if the time is logged without
    clock times. `target` is the state that the entry reaches: draft, forgotten (never submitted), submitted, blocker
    (submitted for last month and undecided), rejected, approved, corrected (approved after a correction) or late
    (approved after its month was billed).
    """

    at: datetime
    work_date: date
    agent: AgentReader
    minutes: int
    comment: str
    customer: DemoCustomer | None = None
    service: str = ""
    demo_case: DemoCase | None = None
    description: str = ""
    began: int | None = None
    target: str = "approved"
    entry: TimeEntry | None = field(default=None, repr=False)
    is_submitted: bool = False
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """The calendar, agents, customers and planned work of one demo.

    `rng` makes every random choice, so that the same `now` always makes the same demo.
    """

    calendar: Calendar
    timeline: Timeline
    rng: Random
    files: DemoFiles
    agents: dict[str, AgentReader]
    customers: dict[str, DemoCustomer]
    types: dict[str, int]
    """The id of each case type by its name."""
    pieces: list[PlannedWork]
    projects: dict[tuple[str, str], DemoProject] = field(default_factory=dict)
    """The project on which work without a case is logged, by the names of customer and service."""

    call_outs: dict[int, int] = field(default_factory=dict)
    """The id of the fixed-fee task of a service, by the id of the service. Short work is logged with this task."""

    def planned(self, piece: PlannedWork) -> DemoProject | None:
        """Return the project on which a piece of work is logged, or None if it is not on a project."""
        return (
            self.projects.get((piece.customer.name, piece.service)) if piece.customer and not piece.demo_case else None
        )

    def agent(self, name: str) -> AgentReader:
        """Return the agent with this name."""
        return self.agents[name]

    def any_agent(self) -> AgentReader:
        """Return a random agent. Agents with a larger share in `SHARES` are chosen more often."""
        return self.agents[self.rng.choices(list(SHARES), list(SHARES.values()))[0]]


SHARES = {
    "Ines Okafor": 24, "Jonas Brandt": 22, "Lena Vogt": 20, "Tomasz Wilk": 16, "Petra Lindahl": 11, "Max Herrmann": 4, "Noor Haddad": 3,
}  # fmt: skip
"""How many of every hundred cases are assigned to each agent, by name."""
