"""Plan the cases of the demo: who opens which one when, and each message, note and piece of work on the timeline."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.demo.creating import DemoCustomer
from portal.demo.stage import Held, Piece, Stage
from portal.demo.stories import Story, Turn, of_the_cast, ordinary
from portal.demo.stories.heroes import PARTS, Ending
from portal.desk.cases import Case
from portal.desk.workflow import Status
from portal.people.readers import AgentReader, ContactReader

CASES = 400
JUST_IN = 5
"""How many cases of the last day no agent has looked at yet, besides those of `PARTS`."""

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


@dataclass(frozen=True, slots=True)
class Opening:
    """A planned case: who opens it and when, the story that it follows, and the status that it reaches.

    `customer` is the customer. `agent` is the agent who takes the case; None if nobody has taken it yet.
    """

    at: datetime
    customer: DemoCustomer
    contact: ContactReader
    agent: AgentReader | None
    story: Story
    ending: Ending


def plan(stage: Stage) -> None:
    """Plan all cases in the order in which they are opened, so that case numbers rise with time."""
    for opening in sorted([*_of_the_cast(stage), *_ordinary(stage)], key=lambda opening: opening.at):
        _Telling(stage, opening).plan()


def _of_the_cast(stage: Stage) -> list[Opening]:
    calendar, openings = stage.calendar, []
    contacts = {
        contact.name: (customer, contact) for customer in stage.customers.values() for contact in customer.contacts
    }
    for part, story in zip(PARTS, of_the_cast(), strict=True):
        customer, contact = contacts[part.contact]
        if part.minutes_ago:
            at = calendar.now - timedelta(minutes=part.minutes_ago)
        else:
            at = calendar.instant(calendar.workdays[-part.days_ago], stage.rng.randrange(490, 600))
        agent = stage.agent(part.agent) if part.agent else None
        openings.append(Opening(at, customer, contact, agent, story, part.ending))
    return openings


def _ordinary(stage: Stage) -> list[Opening]:
    rng, calendar, days = stage.rng, stage.calendar, stage.calendar.workdays
    count = CASES - len(PARTS) - JUST_IN
    # Spread the cases evenly over the working days.
    spread = [days[place * len(days) // count] for place in range(count)]
    openings, told = [], Counter[tuple[str, str]]()
    for day, ending in zip(spread, _endings(stage, [len(days) - days.index(day) for day in spread]), strict=True):
        at = calendar.instant(day, rng.choice((rng.randrange(455, 720), rng.randrange(455, 1050))))
        openings.append(_ordinary_one(stage, at, ending, told))
    for _ in range(JUST_IN):
        at = calendar.now - timedelta(minutes=rng.randrange(20, 18 * 60))
        openings.append(_ordinary_one(stage, at, "new", told))
    return openings


def _ordinary_one(stage: Stage, at: datetime, ending: Ending, told: "Counter[tuple[str, str]]") -> Opening:
    rng, customers = stage.rng, list(stage.customers.values())
    customer = rng.choices(customers, [customer.organisation.share for customer in customers])[0]
    contact = rng.choices(customer.contacts, [3, *[2] * (len(customer.contacts) - 1)])[0]
    # Use each story once before repeating any; then prefer the story that this contact has used least.
    stories = [story for story in ordinary() if ending != "waiting_for_customer" or any(map(_asks, story.turns))]
    times = {story: (told[customer.name, story.subject], told["", story.subject]) for story in stories}
    story = rng.choice([story for story in stories if times[story] == min(times.values())])
    told.update(((customer.name, story.subject), ("", story.subject)))
    agent = None if ending == "new" else stage.any_agent()
    return Opening(at, customer, contact, agent, story.told(rng), ending)


def _endings(stage: Stage, ages: Sequence[int]) -> list[Ending]:
    """Return the status that each case reaches, given the ages of the cases in working days.

    The shares of `ENDINGS` are met exactly; only the order of the statuses is random.
    """
    left: dict[int, list[Ending]] = {}
    for days, chances in ENDINGS:
        count = sum(age <= days for age in ages) - sum(map(len, left.values()))
        places = [ending for ending, chance in chances.items() for _ in range(chance)]
        left[days] = [places[place * len(places) // count] for place in range(count)]
        stage.rng.shuffle(left[days])
    return [left[next(days for days, _ in ENDINGS if age <= days)].pop() for age in ages]


def _cut(turns: Sequence[Turn], ending: Ending, stage: Stage, is_whole: bool) -> list[Turn]:
    """Return the turns of a story up to a random point at which its case can have the status `ending`.

    If `is_whole`, as for the stories that happen only once, return all turns; a new case has only the first turn even
    then. A case that waits for others ends with a reply from `WAITING`.
    """
    if ending == "new":
        return list(turns[:1])
    if ending in ("resolved", "closed") or is_whole:
        return list(turns)
    replies = [place for place, turn in enumerate(turns) if turn.who == "agent"]
    if ending == "open":
        return list(turns[: stage.rng.randrange(replies[0] + 1, len(turns) + 1)])
    if ending == "waiting_for_others":
        return [*turns[: replies[0] + 2], Turn("agent", stage.rng.choice(WAITING))]
    end = stage.rng.choice([place for place in replies if _asks(turns[place])]) + 1
    while end < len(turns) and turns[end].who in ("work", "note"):
        end += 1
    return list(turns[:end])


def _asks(turn: Turn) -> bool:
    """Guess from its words whether the turn is a message in which an agent asks the contact for something."""
    return turn.who == "agent" and re.search(r"\?|please|tell me|send me|I need", turn.text, re.IGNORECASE) is not None


class _Telling:
    """Plans the steps of one case, which follow a story, on the timeline."""

    def __init__(self, stage: Stage, opening: Opening) -> None:
        self.stage, self.opening = stage, opening
        self.held = Held(opening.customer)
        self.at = opening.at
        is_whole = opening.story in of_the_cast()
        self.has_files = is_whole or stage.rng.random() < 0.3
        self.turns = _cut(opening.story.turns, opening.ending, stage, is_whole)

    def plan(self) -> None:
        """Plan the opening of the case, each turn of its story, and the status that it reaches."""
        self.stage.timeline.plan(self.at, self._open)
        if self.opening.agent is None:
            return
        self._wait(4, 80)
        self.stage.timeline.plan(self.at, self._assign)
        last = max((place for place, turn in enumerate(self.turns) if turn.who in ("contact", "agent")), default=0)
        for place, turn in enumerate(self.turns[1:], 1):
            following = next((each.who for each in self.turns[place + 1 :] if each.who in ("contact", "agent")), None)
            self._plan_turn(turn, self._then(turn, following, place == last))
        self._plan_end()

    def _wait(self, least: int, most: int) -> None:
        self.at = self.stage.calendar.later(self.at, self.stage.rng.randrange(least, most))

    def _then(self, turn: Turn, following: str | None, is_last: bool) -> Status | None:
        """Return the status that the turn sets, or None if it is not an agent's reply or leaves the status as it is.

        `following` is who writes the next message of the story, and `is_last` says whether there is none.
        """
        if turn.who != "agent":
            return None
        if is_last:
            return None if self.opening.ending in ("open", "closed") else Status(self.opening.ending)
        return Status.WAITING_FOR_CUSTOMER if following == "contact" and _asks(turn) else None

    def _plan_turn(self, turn: Turn, then: Status | None) -> None:
        opening, held = self.opening, self.held
        if opening.agent is None:
            return
        agent, by = opening.agent, opening.agent if turn.who == "agent" else opening.contact
        if turn.who == "work":
            self._wait(5, 50)
            self._plan_work(turn, agent)
        elif turn.who == "note":
            self._wait(5, 60)
            colleague = self.stage.any_agent() if self.stage.rng.random() < 0.3 else agent
            self.stage.timeline.plan(self.at, lambda at: held.opened.note(by=colleague, text=turn.text, at=at))
        else:
            self._wait(*((12, 140) if turn.who == "agent" else (25, 420)))

            async def reply(at: datetime) -> None:
                files = [await self.stage.cabinet.put(name, by, at) for name in turn.files if self.has_files]
                await held.opened.reply(by=by, text=turn.text, files=files, at=at, then=then)

            self.stage.timeline.plan(self.at, reply)

    def _plan_work(self, turn: Turn, agent: AgentReader) -> None:
        rng = self.stage.rng
        minutes = max(5, round(turn.minutes * rng.uniform(0.8, 1.3) / 5) * 5 - rng.choice((0, 0, 0, 2)))
        day = self.stage.calendar.date_of(self.at)
        self.stage.pieces.append(
            Piece(self.at, day, agent, minutes, turn.text, customer=self.opening.customer, held=self.held)
        )

    def _plan_end(self) -> None:
        opening, held = self.opening, self.held
        if opening.agent is None or opening.ending not in ("resolved", "closed"):
            return
        agent, contact = opening.agent, opening.contact
        self._wait(10, 120)
        self.stage.timeline.plan(self.at, lambda at: held.opened.change_status(Status.RESOLVED, by=agent, at=at))
        if opening.ending == "closed":
            by: AgentReader | ContactReader = contact if self.stage.rng.random() < 0.25 else agent
            self._wait(*((30, 500) if by is contact else (1000, 2600)))
            self.stage.timeline.plan(self.at, lambda at: held.opened.close(by=by, at=at))

    async def _open(self, at: datetime) -> None:
        opening, first = self.opening, self.turns[0]
        type_id, priority = self.stage.types[opening.story.type_name], opening.story.priority
        if opening.agent is not None and self.stage.rng.random() < 0.12:
            text = f"{opening.contact.name} called and says:\n\n> {first.text}"
            self.held.case = await Case.open(
                by=opening.agent,
                contact_id=opening.contact.id,
                subject=opening.story.subject,
                text=text,
                case_type_id=type_id,
                priority=priority,
                at=at,
            )
            return
        files = [await self.stage.cabinet.put(name, opening.contact, at) for name in first.files if self.has_files]
        self.held.case = await Case.open(
            by=opening.contact,
            subject=opening.story.subject,
            text=first.text,
            case_type_id=type_id,
            priority=priority,
            files=files,
            at=at,
        )

    async def _assign(self, at: datetime) -> None:
        case, agent, rng = self.held.opened, self.opening.agent, self.stage.rng
        if agent is None:
            return
        dispatcher = self.stage.agent("Petra Lindahl")
        by = dispatcher if rng.random() < 0.3 else agent
        await case.assign(agent.id, by=by, at=at)
        second = self.opening.customer.services[1:]
        if second and second[0].name not in ("Courses", "Move to Cork") and rng.random() < 0.35:
            await case.change_facts(by=by, at=at, service_id=second[0].id)
        if rng.random() < 0.05:
            await case.change_facts(by=by, at=at, priority=min(4, case.priority + 1))
