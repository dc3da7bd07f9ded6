"""Hand over the open cases of an agent who is away."""

from dataclasses import dataclass
from datetime import date, datetime

from portal.database import current, transaction
from portal.desk.bulk.changes import BulkChange
from portal.desk.bulk.verbs import NOBODY, Verb
from portal.desk.lists.questions import Question
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.words import CaseView


@dataclass(frozen=True, slots=True)
class Away:
    """An agent who is absent today, with the last day of the absence and the number of their open cases."""

    id: int
    name: str
    until: date
    open_cases: int


_AWAY = """
select a.id, a.name, b.last_day as until,
  (select count(*) from cases c where c.agent_id = a.id and c.status not in ('resolved', 'closed'))::int as open_cases
from agent a join absence b on b.agent_id = a.id and ($1 at time zone a.time_zone)::date between b.first_day and b.last_day
where a.ended_at is null order by folded(a.name), a.id
"""


async def away_now(at: datetime) -> list[Away]:
    """Return the agents who are absent today, each in their own time zone, sorted by name."""
    return [Away(**row) for row in await current().fetch(_AWAY, at)]


async def hand_over(leaving: int, successor: int | None, *, by: AgentReader, at: datetime) -> BulkChange | None:
    """Begin to give each open case of the agent `leaving` to `successor` or, if None, to those whom the rules choose.

    Return the change of these cases, which `portal.desk.bulk.running` carries out: a case that cannot be handed over
    does not stop the others, and a case that was assigned to somebody else meanwhile stays with them. Return None if
    there is no open case. Raise `Invalid` at the field `to` if `successor` is `leaving` or has left.
    """
    if successor == leaving:
        raise Invalid({"to": "Choose a colleague."})
    verb = Verb.DISPATCH if successor is None else Verb.ASSIGN
    question = Question(CaseView.ALL, agents=(leaving,))
    try:
        async with transaction(by):  # A savepoint: without cases, the change is rolled back.
            change = await BulkChange.prepare(verb, question, None, by=by, at=at)
            await change.begin(str(successor or NOBODY), at)
    except Invalid as refusal:
        if "case" in refusal.fields:
            return None
        raise Invalid({"to": refusal.sentence}) from None
    return change
