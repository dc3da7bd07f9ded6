"""Hand over the open cases of an agent who is away."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from portal.database import current, transaction
from portal.desk.bulk.changes import BulkChange
from portal.desk.bulk.verbs import NOBODY, Verb
from portal.desk.cases import Case
from portal.desk.dispatch.dispatching import dispatch
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
    """Prepare to give each open case of the agent `leaving` to `successor` or, if None, to those whom the rules choose.

    Return the change of these cases. It is begun once a manager has seen who gets them, and carried out by
    `portal.desk.bulk.running`: a case that cannot be handed over does not stop the others, and a case that was assigned
    to somebody else meanwhile stays with them. Return None if there is no open case. Raise `Invalid` at the field `to`
    if `successor` is `leaving` or has left.
    """
    if successor == leaving:
        raise Invalid({"to": "Choose a colleague."})
    verb = Verb.DISPATCH if successor is None else Verb.ASSIGN
    question, value = Question(CaseView.ALL, agents=(leaving,)), str(successor or NOBODY)
    try:
        async with transaction(by):  # A savepoint: without cases, the change is rolled back.
            await verb.rule.check(value)
            change = await BulkChange.prepare(verb, question, None, by=by, at=at, value=value)
    except Invalid as refusal:
        if "case" in refusal.fields:
            return None
        raise Invalid({"to": refusal.sentence}) from None
    if verb is Verb.DISPATCH:
        await _plan(change, leaving, by, at)
    return change


class _Tried(Exception):
    """Rolls back what was only tried."""


async def _plan(change: BulkChange, leaving: int, by: AgentReader, at: datetime) -> None:
    """Store whom the rules would choose for each of the first `LISTED` cases, one after the other.

    Whose turn it is, and who has few cases, depends on the cases before. So they are dispatched, and that is rolled back.
    """
    chosen: dict[int, str] = {}
    with suppress(_Tried):
        async with transaction(by):
            for planned in await change.planned():
                case = await Case.find(planned.number, by, itself=True)
                await dispatch(case, by=by, at=at, leaving=leaving)
                chosen[case.id] = NOBODY if case.agent_id in (None, leaving) else str(case.agent_id)
            raise _Tried
    await current().execute(_STORE_PLAN, change.id, list(chosen), list(chosen.values()))


_STORE_PLAN = """
update bulk_member m set became = p.agent from unnest($2::bigint[], $3::text[]) as p (id, agent)
where m.change_id = $1 and m.member_id = p.id
"""
