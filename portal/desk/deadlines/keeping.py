"""Update the pauses and deadlines of cases when their status, priority, service or replies change."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from piccolo.columns import BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk.deadlines.business_hours import Calendar
from portal.desk.deadlines.calendars import HOURS, LOCK
from portal.desk.deadlines.reckoning import Deadline, Duty, Known, Pause, deadlines_of, first_due

if TYPE_CHECKING:
    from portal.desk.cases import Case


class StoredDeadline(Table, tablename="deadline"):
    """The deadline of one duty on a case; `reckoning.Deadline` explains the columns.

    The primary key is case and duty.
    """

    case_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    duty = Text(default=None)
    minutes = Integer(default=None)
    due_at = Timestamptz(null=True, default=None)
    met_at = Timestamptz(null=True, default=None)
    soon_at = Timestamptz(null=True, default=None)
    warn_at = Timestamptz(null=True, default=None)
    soon_told = Timestamptz(null=True, default=None)
    late_told = Timestamptz(null=True, default=None)


class StoredPause(Table, tablename="pause"):
    """A stretch in which the clock of a case is paused; `reckoning.Pause` explains the columns."""

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    case_id = BigInt(default=None)
    cause = Text(default=None)
    began_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)


async def keep(case: "Case", at: datetime) -> None:
    """Store the pauses and the deadlines that a case has after a change at `at`.

    Begin or end a pause of the clock as the status of the case requires. Compute the deadlines, and store the first one
    on the case. The caller has locked the row of the case. Values that are stored already are not written again. A
    change of the business hours or the targets waits until this transaction ends.
    """
    await current().execute(LOCK.format("_shared"))
    calendar = await calendar_now()
    (row,) = await current().fetch(_KNOWN, [case.id])
    known = _read(row)
    paused = await _pause(case, case.stands.pause_cause if row["pauses_now"] else None, known.pauses, at)
    ((due_at, soon_at),) = await write(
        [(case.id, case.customer_id, msgspec.structs.replace(known, pauses=paused))], calendar
    )
    if (due_at, soon_at) != (case.due_at, case.soon_at):
        await current().execute("update cases set due_at = $2, soon_at = $3 where id = $1", case.id, due_at, soon_at)
        case.take_over({"due_at": due_at, "soon_at": soon_at})


async def calendar_now() -> Calendar:
    """Return the calendar of the stored business hours."""
    return Calendar.read(await current().fetchval(f"select {HOURS}::text"))


async def known_of(condition_values: Sequence[int]) -> list[tuple[int, int, Known]]:
    """Return the id, the customer id and the `Known` values of the cases with these ids, sorted by case number.

    The caller has locked the rows of the cases.
    """
    rows = await current().fetch(_KNOWN, list(condition_values))
    return [(row["id"], row["customer_id"], _read(row)) for row in rows]


async def _pause(case: "Case", cause: str | None, pauses: Sequence[Pause], at: datetime) -> list[Pause]:
    """Pause the clock for `cause` from `at` on, or end the pause if `cause` is None, and return the resulting pauses.

    If the clock is paused for this cause already, nothing changes. If it is paused for another cause, that pause ends
    at `at`. `pauses` are the pauses that are stored for the case. The result is sorted by the begin of the pauses.
    """
    under_way = next((pause for pause in pauses if pause.ended_at is None), None)
    if cause == (under_way and under_way.cause):
        return list(pauses)
    kept = [pause for pause in pauses if pause is not under_way]
    if under_way:
        ended_at = max(at, under_way.began_at)
        await current().execute(
            "update pause set ended_at = $2 where case_id = $1 and ended_at is null", case.id, ended_at
        )
        kept.append(msgspec.structs.replace(under_way, ended_at=ended_at))
    if cause:
        row = StoredPause(case_id=case.id, customer_id=case.customer_id, cause=cause, began_at=at)
        await StoredPause.insert(row)
        kept.append(Pause(cause=cause, began_at=at))
    return sorted(kept, key=lambda pause: pause.began_at)


async def follow_statuses(case_ids: Sequence[int], at: datetime) -> None:
    """Begin and end the pauses of these open cases as their statuses now require. The caller has locked their rows.

    This is needed after an admin has changed whether a status pauses the clock; `keep` handles all other changes.
    """
    await current().execute(_GO_ON, list(case_ids), at)
    await current().execute(_STAND, list(case_ids), at)


async def write(
    cases: Sequence[tuple[int, int, Known]], calendar: Calendar
) -> list[tuple[datetime | None, datetime | None]]:
    """Compute and store the deadlines of these cases, and return for each case the result of `first_due`.

    A deadline is deleted if nothing is promised for its duty any more. However many cases there are, at most three
    statements are executed.
    """
    added, changed = list[tuple[int, int, Deadline]](), list[tuple[int, int, Deadline]]()
    gone, first = list[tuple[int, Duty]](), []
    for case_id, customer_id, known in cases:
        found = deadlines_of(known, calendar)
        for one in found.values():
            if (before := known.deadlines.get(one.duty)) != one:
                (changed if before else added).append((case_id, customer_id, one))
        gone += [(case_id, duty) for duty in known.deadlines if duty not in found]
        first.append(first_due(found, is_paused=known.is_paused))
    if gone:
        await current().execute(_DELETE, [case_id for case_id, _ in gone], [duty.value for _, duty in gone])
    for sql, rows in ((_CHANGE, changed), (_ADD, added)):
        if rows:
            columns = [[getattr(one, name) for _, _, one in rows] for name in Deadline.__struct_fields__]
            await current().execute(sql, *([row[place] for row in rows] for place in (0, 1)), *columns)
    return first


_KNOWN = """
select c.id, c.customer_id, coalesce(c.clock_from, c.opened_at) as began_at, c.first_replied_at, c.resolved_at,
  (select k.pauses from case_status k where k.id = c.status_id) as pauses_now,
  (select json_build_object('reply', t.reply_minutes, 'solve', t.solve_minutes)::text from deadline_target t
   where t.priority = c.priority and t.service_id is not distinct from
     (select o.service_id from deadline_target o where o.service_id = c.service_id limit 1)) as targets,
  coalesce((select json_object_agg(d.duty, to_json(d)) from deadline d where d.case_id = c.id), '{}')::text as deadlines,
  coalesce((select json_agg(json_build_object('cause', p.cause, 'began_at', p.began_at, 'ended_at', p.ended_at) order by p.began_at, p.id)
            from pause p where p.case_id = c.id), '[]')::text as pauses
from cases c where c.id = any($1) order by c.number
"""
_GO_ON = """
update pause p set ended_at = greatest($2, p.began_at) from cases c join case_status k on k.id = c.status_id
where p.case_id = c.id and c.id = any($1) and p.ended_at is null and not k.pauses
"""
_STAND = """
insert into pause (customer_id, case_id, cause, began_at)
select c.customer_id, c.id, case c.status when 'waiting_for_customer' then 'customer' else 'others' end, $2
from cases c join case_status k on k.id = c.status_id
where c.id = any($1) and k.pauses and not exists (select from pause p where p.case_id = c.id and p.ended_at is null)
"""
_DELETE = """
delete from deadline d using unnest($1::bigint[], $2::text[]) as gone (case_id, duty) where d.case_id = gone.case_id and d.duty = gone.duty
"""
_COLUMNS = "case_id, customer_id, duty, minutes, due_at, met_at, soon_at, warn_at, soon_told, late_told"
_ROWS = """
unnest($1::bigint[], $2::bigint[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[],
  $9::timestamptz[], $10::timestamptz[])
"""
_ADD = f"insert into deadline ({_COLUMNS}) select * from {_ROWS}"  # noqa: S608
_CHANGE = f"""
update deadline d set minutes = n.minutes, due_at = n.due_at, met_at = n.met_at, soon_at = n.soon_at, warn_at = n.warn_at,
  soon_told = n.soon_told, late_told = n.late_told
from {_ROWS} as n ({_COLUMNS}) where d.case_id = n.case_id and d.duty = n.duty
"""  # noqa: S608


def _read(row: Any) -> Known:
    return Known(
        began_at=row["began_at"],
        targets=msgspec.json.decode(row["targets"] or "{}", type=dict[Duty, int | None]),
        done={Duty.REPLY: row["first_replied_at"], Duty.SOLVE: row["resolved_at"]},
        deadlines=msgspec.json.decode(row["deadlines"], type=dict[Duty, Deadline]),
        pauses=msgspec.json.decode(row["pauses"], type=list[Pause]),
    )


async def take_clock(target: "Case", sources: Sequence["Case"]) -> dict[str, Any]:
    """Give `target` the clock that began first. Clocks of cases that are done do not count.

    `sources` are the cases that are being merged into `target`. If the clock of a source began first, the pauses of
    that source replace the pauses of `target`. The deadlines and the other pauses of the sources are deleted. Return
    `clock_from` with the value that the caller has to store on `target`, or {} if `target` keeps its clock. The caller
    has locked the rows of all cases.
    """
    left = [case for case in (target, *sources) if not case.stands.is_done]
    first = min(left, key=lambda case: case.clock_began_at, default=target)
    ids = [case.id for case in sources]
    if first is not target:
        await current().execute("delete from pause where case_id = $1", target.id)
        await current().execute("update pause set case_id = $2 where case_id = $1", first.id, target.id)
    await current().execute("delete from pause where case_id = any($1)", ids)
    await current().execute("delete from deadline where case_id = any($1)", ids)
    return {} if first is target else {"clock_from": first.clock_began_at}


async def copy_clock(case: "Case", made: "Case") -> None:
    """Copy the pauses of `case` to `made`, the case that was split off from it.

    Pauses that ended before the clock of `made` began are left out. A copy begins no earlier than this clock.
    """
    await current().execute(_COPY, case.id, made.id, made.clock_began_at)


_COPY = """
insert into pause (customer_id, case_id, cause, began_at, ended_at)
select customer_id, $2, cause, greatest(began_at, $3), ended_at from pause where case_id = $1 and (ended_at is null or ended_at > $3)
order by began_at, id
"""
