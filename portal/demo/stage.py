"""Hold what every part of the demo needs while it is planned and played."""

from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from portal.demo.calendar import Calendar
from portal.demo.files import Cabinet
from portal.demo.houses import House
from portal.demo.timeline import Timeline
from portal.desk.cases import Case
from portal.people.readers import AgentReader
from portal.timekeeping.entries import TimeEntry


@dataclass(slots=True)
class Held:
    """Hold a case of the plan; None until it has been opened."""

    house: House
    case: Case | None = None

    @property
    def opened(self) -> Case:
        """Return the case; acts on it come after its opening."""
        if self.case is None:
            raise RuntimeError("this case has not been opened yet")
        return self.case


@dataclass(slots=True)
class Piece:
    """Describe a piece of work of the plan; `entry` is set once it is logged, and `agent` did the work.

    Without `held` it is logged under the service of that name; without a house it is general. `fate` says how far it
    gets: draft, forgotten, submitted, blocker, rejected, approved, healed (after a correction) or late (after its
    month was billed).
    """

    at: datetime
    work_date: date
    agent: AgentReader
    minutes: int
    comment: str
    house: House | None = None
    service: str = ""
    held: Held | None = None
    description: str = ""
    fate: str = "approved"
    entry: TimeEntry | None = field(default=None, repr=False)
    is_submitted: bool = False
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold calendar, people, places and the plan. `rng` makes every choice, so the same `now` makes the same demo."""

    calendar: Calendar
    timeline: Timeline
    rng: Random
    cabinet: Cabinet
    agents: dict[str, AgentReader]
    houses: dict[str, House]
    types: dict[str, int]
    """Ids of case types by name."""
    pieces: list[Piece]

    def agent(self, name: str) -> AgentReader:
        """Return the agent of this name."""
        return self.agents[name]

    def any_agent(self) -> AgentReader:
        """Return a random agent, weighted by `SHARES`."""
        return self.agents[self.rng.choices(list(SHARES), list(SHARES.values()))[0]]


SHARES = {
    "Ines Okafor": 24, "Jonas Brandt": 22, "Lena Vogt": 20, "Tomasz Wilk": 16, "Petra Lindahl": 11, "Max Herrmann": 4, "Noor Haddad": 3,
}  # fmt: skip
"""How many of a hundred cases each agent takes."""
