"""Merge cases, with the time that is logged on them and the timers that run for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portal import outbox
from portal.database import current
from portal.desk.appointments import OPEN as IS_OPEN
from portal.desk.cases import Case
from portal.desk.verbs import merging
from portal.desk.verbs.changing import agents_only
from portal.desk.workflow import Status
from portal.desk.workflow.moves import name_sql
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping.moving import entries


async def to_merge(numbers: Sequence[int], into: int, reader: AgentReader) -> tuple[Case, list[Case]]:
    """Return the case with the number `into`, called the target, and a list of the cases to merge into the target.

    The list has the cases of `numbers` that are not part of the target yet; it may be empty. Raise `NotFound` for an
    unknown number, and `Invalid` (`case`) for more than `MOST` numbers. If one of the numbers belongs to a case that
    was merged into another case before, raise `Conflict`. The exception is a repeated request: if every case is part of
    the target already, return an empty list.
    """
    if len({into, *numbers}) > merging.MOST:
        raise Invalid({"case": merging.TOO_MANY})
    found = {number: await Case.find(number, reader) for number in dict.fromkeys([into, *numbers])}
    target = found[into]
    sources = [case for case in found.values() if case.id != target.id]
    for number, case in found.items():
        if case.number != number and (case.id != target.id or sources):
            raise Conflict(f"#{number} is now part of #{case.number}. Look at that case.")
    return target, list({case.id: case for case in sources}.values())


@dataclass(frozen=True, slots=True)
class Mergeable:
    """A case on the page where an agent chooses which cases to merge.

    `contact_sees_all` says whether the contact of the case may see every case of the customer. `project` is the name of
    the project to which the case is connected, or None. `minutes` are the minutes worked. `appointments` is the number
    of appointments that are still planned, and `timers` the number of timers that are neither logged nor discarded.
    """

    number: int
    subject: str
    status: Status
    status_word: str
    customer_id: int
    customer: str
    contact: str
    contact_sees_all: bool
    agent: str | None
    project: str | None
    opened_at: datetime
    messages: int
    files: int
    minutes: int
    appointments: int
    timers: int


async def mergeable(numbers: Sequence[int], reader: AgentReader) -> tuple[list[Mergeable], str]:
    """Return the cases with these numbers, the lowest first, and the reason why they cannot be merged.

    Instead of a case that was merged already, return the case into which it was merged. The reason is "" if the cases
    can be merged, or if there is only one case and no number is unknown.
    """
    rows = await current().fetch(
        _MERGEABLE.format(seen=Case.visible_sql(reader, "c")), list(numbers)[: merging.MOST + 1]
    )
    cases = [Mergeable(**dict(row) | {"status": Status(row["status"])}) for row in rows]
    known = await current().fetch("select number from cases where number = any($1)", list(numbers))
    unknown = sorted(set(numbers) - {row["number"] for row in known})
    if unknown:
        return cases, f"There is no case #{unknown[0]}."
    return cases, merging.why_not_merged(len(cases), {case.customer_id for case in cases}) if len(cases) > 1 else ""


_MERGEABLE = f"""
select c.number, c.subject, c.status, {name_sql("c", for_contact=False)} as status_word, c.customer_id, u.name as customer,
  o.name as contact, o.sees_all_cases as contact_sees_all,
  a.name as agent, (select p.name from project p where p.id = c.project_id) as project, c.opened_at,
  (select count(*)::int from message m where m.case_id = c.id) as messages,
  (select count(*)::int from message m join attachment f on f.message_id = m.id where m.case_id = c.id) as files,
  (select coalesce(sum(t.minutes), 0)::bigint from time_sum t where t.scope = 'case' and t.subject_id = c.id) as minutes,
  (select count(*)::int from appointment p where p.case_id = c.id and {IS_OPEN}) as appointments,
  (select count(*)::int from timer t where t.case_id = c.id and t.ended_at is null) as timers
from cases c join customer u on u.id = c.customer_id join contact o on o.id = c.contact_id left join agent a on a.id = c.agent_id
where {{seen}} and c.id = any (select coalesce(n.merged_into_id, n.id) from cases n where n.number = any($1)) order by c.number
"""  # noqa: S608


async def merge(numbers: Sequence[int], into: int, *, by: AgentReader, at: datetime) -> Case:
    """Merge the cases with these numbers into the case with the number `into`, and return that case.

    If all cases are part of that case already, nothing changes, so a repeated request is harmless. Customers are
    locked before cases, and cases before time entries, as everywhere. Raise `NotFound` and `Conflict` as `to_merge`
    does, and `Invalid` (`case`) for cases that cannot be merged with each other.
    """
    agents_only(by)
    target, sources = await to_merge(numbers, into, by)
    if not sources:
        if len({into, *numbers}) == 1:
            merging.refuse_to_merge([target])
        return target
    await entries.hold_customer(target.customer_id)
    await merging.hold_to_merge(target, sources)
    time = await current().fetch(_TIME, [source.id for source in sources])
    await merging.absorb(target, sources, by=by, at=at)
    await entries.move(time, {source.id: source for source in sources}, target, by, at)
    await _follow([source.id for source in sources], target, by, at)
    return target


_TIME = f"select {entries.COLUMNS} from time_entry e where e.case_id = any($1) order by e.id for no key update"  # noqa: S608


async def _follow(source_ids: Sequence[int], target: Case, by: AgentReader, at: datetime) -> None:
    """Move the timers of the merged cases to `target`.

    Write an outbox row for each agent who has one of these timers still open, so that the agent's pages show the move.
    """
    rows = await current().fetch(
        "update timer set case_id = $1 where case_id = any($2) returning agent_id, ended_at", target.id, source_ids
    )
    for agent_id in sorted({row["agent_id"] for row in rows if row["ended_at"] is None}):
        await outbox.tell(
            kind="timer.changed", subject_id=agent_id, customer_id=None, contact_may_know=False, actor=by, at=at
        )
