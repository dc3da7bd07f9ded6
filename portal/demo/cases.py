"""Plan the cases of the demo: by whom and when each is opened, and the time of each message, note and piece of work."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.demo.creating import DemoCustomer
from portal.demo.scenario import DemoCase, PlannedWork, Scenario
from portal.demo.stories import Story, Turn, ordinary_stories, unique_stories
from portal.demo.stories.unique import ASSIGNMENTS, Ending
from portal.desk.cases import Case
from portal.desk.verbs.rating import Rated
from portal.desk.workflow import Status
from portal.people.readers import AgentReader, ContactReader

CASES = 400
JUST_IN = 5
"""How many cases opened in the last 18 hours have no agent yet, not counting the cases of `ASSIGNMENTS`."""

ENDINGS: tuple[tuple[int, dict[Ending, int]], ...] = (
    (3, {"open": 58, "waiting_for_customer": 20, "waiting_for_others": 8, "resolved": 14}),
    (10, {"open": 33, "waiting_for_customer": 20, "waiting_for_others": 9, "resolved": 28, "closed": 10}),
    (25, {"open": 11, "waiting_for_customer": 9, "waiting_for_others": 6, "resolved": 9, "closed": 65}),
    (999, {"open": 1, "waiting_for_others": 1, "closed": 98}),
)
"""For each age group of cases, the maximum age in working days, and how many of a hundred cases end in each status."""

WAITING = (
    "The manufacturer has our request and the log. I write as soon as there is an answer, on Thursday at the latest.",
    "The part is ordered and the supplier names next week. Nothing to do for you until then.",
    "I have asked the supplier of the program, who can see more than we do. We wait for their answer.",
)

RATINGS = (
    Rated(verdict="good", words="Quick, and explained so that I understood it."),
    Rated(verdict="good"),
    Rated(verdict="bad", words="It works again, but I had to ask twice."),
    Rated(verdict="good", words="Thank you!"),
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A planned case: who opens it and when, the story that it follows, and the status that it reaches.

    `agent` is the agent who takes the case; None if nobody has taken it yet.
    """

    at: datetime
    customer: DemoCustomer
    contact: ContactReader
    agent: AgentReader | None
    story: Story
    ending: Ending


def plan(scenario: Scenario) -> None:
    """Plan all cases in the order in which they are opened, so that case numbers rise with time."""
    for opening in sorted([*_unique(scenario), *_ordinary(scenario)], key=lambda opening: opening.at):
        _CasePlanner(scenario, opening).plan()


def _unique(scenario: Scenario) -> list[Opening]:
    calendar, openings = scenario.calendar, []
    contacts = {
        contact.name: (customer, contact) for customer in scenario.customers.values() for contact in customer.contacts
    }
    for assignment, story in zip(ASSIGNMENTS, unique_stories(), strict=True):
        customer, contact = contacts[assignment.contact]
        if assignment.minutes_ago:
            at = calendar.now - timedelta(minutes=assignment.minutes_ago)
        else:
            at = calendar.instant(calendar.workdays[-assignment.days_ago], scenario.rng.randrange(490, 600))
        agent = scenario.agent(assignment.agent) if assignment.agent else None
        openings.append(Opening(at, customer, contact, agent, story, assignment.ending))
    return openings


def _ordinary(scenario: Scenario) -> list[Opening]:
    rng, calendar, days = scenario.rng, scenario.calendar, scenario.calendar.workdays
    count = CASES - len(ASSIGNMENTS) - JUST_IN
    # Spread the cases evenly over the working days.
    spread = [days[place * len(days) // count] for place in range(count)]
    openings, used = [], Counter[tuple[str, str]]()
    for day, ending in zip(spread, _endings(scenario, [len(days) - days.index(day) for day in spread]), strict=True):
        at = calendar.instant(day, rng.choice((rng.randrange(455, 720), rng.randrange(455, 1050))))
        openings.append(_ordinary_one(scenario, at, ending, used))
    for _ in range(JUST_IN):
        at = calendar.now - timedelta(minutes=rng.randrange(20, 18 * 60))
        openings.append(_ordinary_one(scenario, at, "new", used))
    return openings


def _ordinary_one(scenario: Scenario, at: datetime, ending: Ending, used: "Counter[tuple[str, str]]") -> Opening:
    rng, customers = scenario.rng, list(scenario.customers.values())
    customer = rng.choices(customers, [customer.organisation.share for customer in customers])[0]
    contact = rng.choices(customer.contacts, [3, *[2] * (len(customer.contacts) - 1)])[0]
    # Use each story once before repeating any; then prefer the story that this contact has used least.
    stories = [
        story for story in ordinary_stories() if ending != "waiting_for_customer" or any(map(_asks, story.turns))
    ]
    times = {story: (used[customer.name, story.subject], used["", story.subject]) for story in stories}
    story = rng.choice([story for story in stories if times[story] == min(times.values())])
    used.update(((customer.name, story.subject), ("", story.subject)))
    agent = None if ending == "new" else scenario.any_agent()
    return Opening(at, customer, contact, agent, story.filled(rng), ending)


def _endings(scenario: Scenario, ages: Sequence[int]) -> list[Ending]:
    """Return the status that each case reaches, given the ages of the cases in working days.

    The shares of `ENDINGS` are met exactly; only the order of the statuses is random.
    """
    left: dict[int, list[Ending]] = {}
    for days, chances in ENDINGS:
        count = sum(age <= days for age in ages) - sum(map(len, left.values()))
        places = [ending for ending, chance in chances.items() for _ in range(chance)]
        left[days] = [places[place * len(places) // count] for place in range(count)]
        scenario.rng.shuffle(left[days])
    return [left[next(days for days, _ in ENDINGS if age <= days)].pop() for age in ages]


def _cut(turns: Sequence[Turn], ending: Ending, scenario: Scenario, is_whole: bool) -> list[Turn]:
    """Return the turns of a story that happen in a case which ends in the status `ending`.

    A turn is a message, a note or a piece of work. A new case has the first turn only. A resolved or closed case has
    all turns. A case with any other status has all turns if `is_whole`, which is set for stories that happen only once.
    If `is_whole` is False, the turns of a case that is open or waits for the customer end with a random turn that
    allows this status. A case that waits for others has the first turns of the story, followed by a reply from
    `WAITING`.
    """
    if ending == "new":
        return list(turns[:1])
    if ending in ("resolved", "closed") or is_whole:
        return list(turns)
    replies = [place for place, turn in enumerate(turns) if turn.who == "agent"]
    if ending == "open":
        return list(turns[: scenario.rng.randrange(replies[0] + 1, len(turns) + 1)])
    if ending == "waiting_for_others":
        return [*turns[: replies[0] + 2], Turn("agent", scenario.rng.choice(WAITING))]
    end = scenario.rng.choice([place for place in replies if _asks(turns[place])]) + 1
    while end < len(turns) and turns[end].who in ("work", "note"):
        end += 1
    return list(turns[:end])


def _asks(turn: Turn) -> bool:
    """Guess from the text of the turn whether it is a message in which an agent asks the contact for something."""
    return turn.who == "agent" and re.search(r"\?|please|tell me|send me|I need", turn.text, re.IGNORECASE) is not None


class _CasePlanner:
    """Plans the steps of one case, which follow a story, on the timeline."""

    def __init__(self, scenario: Scenario, opening: Opening) -> None:
        self.scenario, self.opening = scenario, opening
        self.demo_case = DemoCase(opening.customer)
        self.at = opening.at
        is_whole = opening.story in unique_stories()
        self.has_files = is_whole or scenario.rng.random() < 0.3
        self.turns = _cut(opening.story.turns, opening.ending, scenario, is_whole)

    def plan(self) -> None:
        """Plan the opening of the case, each turn of its story, and the status that it reaches.

        If no agent has taken the case yet, plan only its opening.
        """
        self.scenario.timeline.plan(self.at, self._open)
        if self.opening.agent is None:
            return
        self._wait(4, 80)
        self.scenario.timeline.plan(self.at, self._assign)
        last = max((place for place, turn in enumerate(self.turns) if turn.who in ("contact", "agent")), default=0)
        for place, turn in enumerate(self.turns[1:], 1):
            following = next((each.who for each in self.turns[place + 1 :] if each.who in ("contact", "agent")), None)
            self._plan_turn(turn, self._then(turn, following, place == last))
        self._plan_end()

    def _wait(self, least: int, most: int) -> None:
        self.at = self.scenario.calendar.later(self.at, self.scenario.rng.randrange(least, most))

    def _then(self, turn: Turn, following: str | None, is_last: bool) -> Status | None:
        """Return the status that the turn sets, or None if it is not an agent's reply or leaves the status as it is.

        `following` is who writes the next message of the story, and `is_last` says whether the turn is the last
        message.
        """
        if turn.who != "agent":
            return None
        if is_last:
            return None if self.opening.ending in ("open", "closed") else Status(self.opening.ending)
        return Status.WAITING_FOR_CUSTOMER if following == "contact" and _asks(turn) else None

    def _plan_turn(self, turn: Turn, then: Status | None) -> None:
        opening, demo_case = self.opening, self.demo_case
        if opening.agent is None:
            return
        agent, by = opening.agent, opening.agent if turn.who == "agent" else opening.contact
        if turn.who == "work":
            self._wait(5, 50)
            self._plan_work(turn, agent)
        elif turn.who == "note":
            self._wait(5, 60)
            colleague = self.scenario.any_agent() if self.scenario.rng.random() < 0.3 else agent
            self.scenario.timeline.plan(self.at, lambda at: demo_case.opened.note(by=colleague, text=turn.text, at=at))
        else:
            self._wait(*((12, 140) if turn.who == "agent" else (25, 420)))

            async def reply(at: datetime) -> None:
                files = [await self.scenario.files.put(name, by, at) for name in turn.files if self.has_files]
                await demo_case.opened.reply(by=by, text=turn.text, files=files, at=at, then=then)

            self.scenario.timeline.plan(self.at, reply)

    def _plan_work(self, turn: Turn, agent: AgentReader) -> None:
        rng = self.scenario.rng
        minutes = max(5, round(turn.minutes * rng.uniform(0.8, 1.3) / 5) * 5 - rng.choice((0, 0, 0, 2)))
        day = self.scenario.calendar.date_of(self.at)
        self.scenario.pieces.append(
            PlannedWork(
                self.at, day, agent, minutes, turn.text, customer=self.opening.customer, demo_case=self.demo_case
            )
        )

    def _plan_end(self) -> None:
        opening, demo_case = self.opening, self.demo_case
        if opening.agent is None or opening.ending not in ("resolved", "closed"):
            return
        agent, contact = opening.agent, opening.contact
        self._wait(10, 120)
        self.scenario.timeline.plan(
            self.at, lambda at: demo_case.opened.change_status(Status.RESOLVED, by=agent, at=at)
        )
        if opening.ending == "closed":
            by: AgentReader | ContactReader = contact if self.scenario.rng.random() < 0.25 else agent
            self._wait(*((30, 500) if by is contact else (1000, 2600)))
            self.scenario.timeline.plan(self.at, lambda at: demo_case.opened.close(by=by, at=at))
        self.scenario.timeline.plan(self.at + timedelta(hours=2), self._rate)

    async def _rate(self, at: datetime) -> None:
        """Let the contact rate the solution if the number of the case is divisible by three."""
        case = self.demo_case.opened
        if case.number % 3 == 0:
            await case.rate(RATINGS[case.number // 3 % len(RATINGS)], by=self.opening.contact, at=at)

    async def _open(self, at: datetime) -> None:
        opening, first = self.opening, self.turns[0]
        type_id, priority = self.scenario.types[opening.story.type_name], opening.story.priority
        if opening.agent is not None and self.scenario.rng.random() < 0.12:
            text = f"{opening.contact.name} called and says:\n\n> {first.text}"
            self.demo_case.case = await Case.open(
                by=opening.agent,
                contact_id=opening.contact.id,
                subject=opening.story.subject,
                text=text,
                case_type_id=type_id,
                priority=priority,
                at=at,
            )
            return
        files = [await self.scenario.files.put(name, opening.contact, at) for name in first.files if self.has_files]
        self.demo_case.case = await Case.open(
            by=opening.contact,
            subject=opening.story.subject,
            text=first.text,
            case_type_id=type_id,
            priority=priority,
            files=files,
            at=at,
        )

    async def _assign(self, at: datetime) -> None:
        case, agent, rng = self.demo_case.opened, self.opening.agent, self.scenario.rng
        if agent is None:
            return
        dispatcher = self.scenario.agent("Petra Lindahl")
        by = dispatcher if rng.random() < 0.3 else agent
        await case.assign(agent.id, by=by, at=at)
        second = self.opening.customer.services[1:]
        if second and second[0].name not in ("Courses", "Move to Cork") and rng.random() < 0.35:
            await case.change_facts(by=by, at=at, service_id=second[0].id)
        if rng.random() < 0.05:
            await case.change_facts(by=by, at=at, priority=min(4, case.priority + 1))
