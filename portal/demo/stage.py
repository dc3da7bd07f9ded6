"""What every part of the demo needs at hand while it is planned and played."""

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
    """A case of the plan; None until it has been opened."""

    house: House
    case: Case | None = None

    @property
    def opened(self) -> Case:
        """Acts on a case come after its opening."""
        if self.case is None:
            raise RuntimeError("this case has not been opened yet")
        return self.case


@dataclass(slots=True)
class Piece:
    """A piece of work of the plan, and its entry once it is logged; `agent` worked it.

    Without `held` it is under the service of that name, without a house it is general. `fate` is how far it gets: draft, forgotten,
    submitted, blocker, rejected, approved, healed (after a correction), late (after its month was billed).
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
    """Calendar, people, places and the plan. `rng` makes every choice, so that a demo of the same now is the same."""

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
        """One of ours."""
        return self.agents[name]

    def any_agent(self) -> AgentReader:
        """One of ours, those who do more more often."""
        return self.agents[self.rng.choices(list(SHARES), list(SHARES.values()))[0]]


SHARES = {
    "Ines Okafor": 24, "Jonas Brandt": 22, "Lena Vogt": 20, "Tomasz Wilk": 16, "Petra Lindahl": 11, "Max Herrmann": 4, "Noor Haddad": 3,
}  # fmt: skip
"""How many of a hundred cases each takes."""
