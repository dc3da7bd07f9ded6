"""Hand over the open cases of an agent who is away."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from portal.database import current, transaction
from portal.desk.bulk.changes import MOST, BulkChange, NoCases
from portal.desk.bulk.verbs import NOBODY, Verb
from portal.desk.cases import Case
from portal.desk.dispatch.dispatching import dispatch
from portal.desk.lists.questions import Question
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.words import CaseView

TOO_MANY = f"These are more than {MOST:,} open cases. Assign some of them in the list of cases first."


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
    """Return the agents who are absent today, the day of `at` in their own time zone, sorted by name."""
    return [Away(**row) for row in await current().fetch(_AWAY, at)]


async def hand_over(leaving: int, successor: int | None, *, by: AgentReader, at: datetime) -> BulkChange | None:
    """Prepare to give each open case of the agent `leaving` to `successor`.

    If `successor` is None, the rules of dispatch choose an agent for each case. Return the bulk change, or None if
    there is no open case. A manager begins the change after seeing who gets each case, and `portal.desk.bulk.running`
    carries it out. A case that cannot be handed over does not stop the others. A case that was assigned to somebody
    else meanwhile stays with that agent. Raise `Invalid` at the field `to` if `successor` is `leaving` or has left, or
    if there are more than `changes.MOST` cases.
    """
    if successor == leaving:
        raise Invalid({"to": "Choose a colleague."})
    verb = Verb.DISPATCH if successor is None else Verb.ASSIGN
    question, value = Question(CaseView.ALL, agents=(leaving,)), str(successor or NOBODY)
    try:
        async with transaction(by):  # A savepoint: without cases, the change is rolled back.
            await verb.rule.check(value)
            change = await BulkChange.prepare(verb, question, None, by=by, at=at, value=value)
    except NoCases:
        return None
    except Invalid as refusal:
        raise Invalid({"to": TOO_MANY if "case" in refusal.fields else refusal.sentence}) from None
    if verb is Verb.DISPATCH:
        await _plan(change, leaving, by, at)
    return change


class _Tried(Exception):
    """Raised to roll back a transaction that was a dry run."""


async def _plan(change: BulkChange, leaving: int, by: AgentReader, at: datetime) -> None:
    """Store whom the rules would choose for each of the first `LISTED` cases.

    Whose turn it is, and who has the fewest cases, depends on the cases that were dispatched before. So the cases are
    really dispatched, one after the other, in a transaction that is rolled back.
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
