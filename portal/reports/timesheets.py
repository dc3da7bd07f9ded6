"""Read a timesheet page by page: its entries by group, the subtotals of the groups on the page, and the totals.

A page is found by a keyset cursor and an index, so that its cost does not grow with the number of entries (D56). More
than `SUMMED` entries are summed up only on request, so that the sums of a long timesheet do not delay its pages. The
subtotals of days are the exception: they are always computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from portal import billing
from portal.contracts.approvers import DECIDES, MAY_DECIDE
from portal.database import current
from portal.people.readers import AgentReader
from portal.reports.grouping import GROUPINGS, Group, Grouping
from portal.reports.questions import Question
from portal.timekeeping.filters import GroupCursor
from portal.timekeeping.lists import COLUMNS, SOURCE, ListedEntry

PAGE = 50
"""The maximum number of entries on one page."""
SUMMED = 5_000
"""The maximum number of entries that a page sums up. If there are more, the browser fetches the sums afterwards."""
MOST = 20_000
"""The maximum number of entries in one decision. If there are more, the manager decides on the others afterwards."""
NAMELESS = 0
"""The id of the group for entries that belong to no other group, such as general time in a timesheet by customer."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The number of entries (`count`), their actual minutes (`worked`) and their billable minutes (`counts`).

    If `more` is True, there are more than `SUMMED` entries: then `count` is `SUMMED`, and the minutes are 0.
    """

    count: int = 0
    worked: int = 0
    counts: int = 0
    more: bool = False


@dataclass(slots=True)
class Rows:
    """A group on the page: its name or its day, the sums of all its entries, and its entries on the page (`lines`).

    `id` is the id of what the entries are grouped by, such as the customer. In a timesheet by day, `day` is set, `id`
    is 0 and `name` is "".
    """

    id: int
    name: str
    day: date | None = None
    sums: Sums = Sums()
    lines: list[ListedEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timesheet:
    """One page of a timesheet. `next` is the cursor of the next page, or None on the last page.

    `sums` are the sums of all entries of the timesheet, on all pages. `decidable` has the ids of the entries on this
    page that the reader may approve, reject or flag. Approved entries are included as long as they are on no document,
    because they can still be flagged.
    """

    groups: list[Rows]
    sums: Sums
    next: GroupCursor | None
    decidable: frozenset[int]

    @property
    def lines(self) -> list[ListedEntry]:
        """Return all entries on the page."""
        return [line for group in self.groups for line in group.lines]


_SUMS = "count(*)::int as count, coalesce(sum(e.actual_minutes), 0)::int as worked, coalesce(sum(e.billable_minutes), 0)::int as counts"


async def read(
    reader: AgentReader,
    question: Question,
    *,
    day: date,
    group: Group = Group.DAY,
    after: GroupCursor | None = None,
    all_sums: bool = False,
    size: int = PAGE,
) -> Timesheet:
    """Return one page of the timesheet, with the ids of the entries that the reader may approve, reject or flag.

    If a manager is absent on `day`, the present day, the manager's deputy may decide instead. `after` is the cursor; if
    no entry follows it, return the first page. With `all_sums`, the sums include all entries, however many there are.
    `size` is the maximum number of entries.
    """
    found = await _picked(reader, question, group, after, size)
    if not found and after:
        found = await _picked(reader, question, group, None, size)
    shown = found[:size]
    lines = await _lines([row["id"] for row in shown])
    groups: dict[Any, Rows] = {}
    for row in shown:
        key = row["work_date"] if group is Group.DAY else row["group_id"]
        of_day = row["work_date"] if group is Group.DAY else None
        rows = groups.setdefault(key, Rows(row["group_id"], row["group_name"], of_day))
        rows.lines += [lines[row["id"]]] if row["id"] in lines else []
    await _sum_groups(reader, question, group, groups, all_sums)
    open_to_reader = await decidable(reader, question, day, among=[row["id"] for row in shown], approved=True)
    last = shown[-1] if len(found) > size else None
    return Timesheet(
        list(groups.values()),
        await sums(reader, question, all_sums=all_sums),
        GroupCursor(last["group_id"], last["work_date"], last["id"]) if last else None,
        frozenset(choice.entry_id for choice in open_to_reader),
    )


async def decidable(
    reader: AgentReader,
    question: Question,
    day: date,
    *,
    among: Sequence[int] | None = None,
    approved: bool = False,
) -> list[billing.Choice]:
    """Return the entries of the timesheet that the reader may decide on now, the oldest first, at most `MOST`.

    To decide is to approve or reject a draft or submitted entry of another agent. An admin may decide on all of them. A
    manager may decide on an entry as its designated approver, or as the deputy of that approver on `day` (C10, D33).
    With `among`, only entries with these ids are returned. With `approved`, approved entries are returned too if they
    are on no document, because they can be flagged.
    """
    values: list[Any] = [reader.id, day]
    condition = question.conditions(reader, values)
    values += [reader.is_admin, None if among is None else list(among)]
    admin, ids = f"${len(values) - 1}", f"${len(values)}"
    state = f"(e.state in ('draft', 'submitted'){f' or {_FLAGGABLE}' if approved else ''})"
    sql = f"""
with recursive {DECIDES}
select e.id, e.version from time_entry e
where {condition} and {state} and e.agent_id <> $1 and ({admin}::boolean or {MAY_DECIDE})
  and ({ids}::bigint[] is null or e.id = any({ids}::bigint[]))
order by e.work_date, e.id limit {MOST}
"""
    return [billing.Choice(row["id"], row["version"]) for row in await current().fetch(sql, *values)]


_FLAGGABLE = "(e.state = 'approved' and not exists (select from settled_entry d where d.entry_id = e.id))"


async def sums(reader: AgentReader, question: Question, *, all_sums: bool = True) -> Sums:
    """Return the sums of all entries of the timesheet.

    Without `all_sums`, more than `SUMMED` entries are not summed up: `more` is then True, and the minutes are 0.
    """
    values: list[Any] = []
    inner = f"select e.actual_minutes, e.billable_minutes from time_entry e where {question.conditions(reader, values)}"
    limit = "" if all_sums else f" limit {SUMMED + 1}"
    sql = f"select {_SUMS} from ({inner}{limit}) e"
    row = await current().fetchrow(sql, *values)
    return _capped(row, all_sums)


async def has_more_than(reader: AgentReader, question: Question, most: int) -> bool:
    """Return whether the timesheet has more than `most` entries."""
    values: list[Any] = []
    inner = f"select from time_entry e where {question.conditions(reader, values)} limit {int(most) + 1}"
    sql = f"select count(*) > {int(most)} from ({inner}) e"
    found: bool = await current().fetchval(sql, *values)
    return found


def _capped(row: Any, all_sums: bool) -> Sums:
    if not all_sums and row["count"] > SUMMED:
        return Sums(SUMMED, more=True)
    return Sums(row["count"], row["worked"], row["counts"])


async def _lines(ids: Sequence[int]) -> dict[int, ListedEntry]:
    """Return the entries with these ids, by id. Each has its decisions, and the names that lists show beside it."""
    rows = await current().fetch(f"select {COLUMNS} {SOURCE} where e.id = any($1)", ids)
    return {line.id: line for line in await billing.decided([ListedEntry.of_row(row) for row in rows])}


async def _picked(
    reader: AgentReader, question: Question, group: Group, after: GroupCursor | None, size: int
) -> list[Any]:
    """Return the ids of the entries of one page, with their groups, and one more entry if another page follows."""
    values: list[Any] = []
    condition = question.conditions(reader, values)
    if group is Group.DAY:
        where = f"{condition} and (e.work_date, e.id) < (${len(values) + 1}::date, ${len(values) + 2}::bigint)"
        values += [after.work_date, after.entry_id] if after else [date.max, 2**63 - 1]
        sql = (
            f"select 0 as group_id, '' as group_name, e.id, e.work_date from time_entry e where {where}"
            f" order by e.work_date desc, e.id desc limit {int(size) + 1}"
        )
        return list(await current().fetch(sql, *values))
    return list(await current().fetch(*_by_group(GROUPINGS[group], condition, values, after, int(size) + 1)))


def _by_group(
    grouping: Grouping, condition: str, values: list[Any], after: GroupCursor | None, most: int
) -> tuple[Any, ...]:
    """Return the query for a page in the order of the groups' names, and its parameters.

    The query goes through the groups in that order, beginning with the group of the cursor, and reads the latest
    entries of each group from an index. A group without entries costs one index look-up.
    """
    named = f"select x.id, x.name, 0 as place from ({grouping.rows}) x"
    begins, within, without = "true", "true", "true"
    if after:
        values += [after.group_id, after.work_date, after.entry_id]
        at, day, last = (f"${len(values) - back}" for back in (2, 1, 0))
        key = "x.place, folded(x.name), x.id"
        begins = f"({key}) >= (select {key} from groups x where x.id = {at})"
        within = without = f"(g.id <> {at} or (e.work_date, e.id) < ({day}::date, {last}::bigint))"
    pick = "select e.id, e.work_date from time_entry e where {} order by e.work_date desc, e.id desc limit {}"
    branches = " union all ".join(
        f"(select * from ({pick.format(f'{condition} and {where}', most)}) one)"
        for where in (
            f"g.id <> {NAMELESS} and {grouping.within} and {within}",
            f"g.id = {NAMELESS} and {grouping.without} and {without}",
        )
    )
    sql = f"""
with groups as materialized ({named} union all select {NAMELESS}, ${len(values) + 1}, 1)
select g.id as group_id, g.name as group_name, w.id, w.work_date
from (select x.* from groups x where {begins} order by x.place, folded(x.name), x.id) g
cross join lateral ({branches} order by work_date desc, id desc limit {most}) w
order by g.place, folded(g.name), g.id, w.work_date desc, w.id desc limit {most}
"""
    return (sql, *values, grouping.nameless)


async def _sum_groups(
    reader: AgentReader, question: Question, group: Group, groups: dict[Any, Rows], all_sums: bool
) -> None:
    """Set the sums of each group on the page. The sums of a group include its entries on other pages.

    Days are always summed up. Another group with more than `SUMMED` entries is summed up only with `all_sums`.
    """
    values: list[Any] = []
    condition = question.conditions(reader, values)
    values.append(list(groups))
    if group is Group.DAY:
        sql = (
            f"select e.work_date as key, {_SUMS} from time_entry e"
            f" where {condition} and e.work_date = any(${len(values)}::date[]) group by 1"
        )
        for row in await current().fetch(sql, *values):
            groups[row["key"]].sums = _capped(row, True)
        return
    limit = "" if all_sums else f"limit {SUMMED + 1}"
    grouping = GROUPINGS[group]
    pick = f"select e.actual_minutes, e.billable_minutes from time_entry e where {condition}"
    sql = f"""
select g.id as key, w.* from unnest(${len(values)}::bigint[]) as g (id) cross join lateral (
  select {_SUMS} from (
    select * from ({pick} and g.id <> {NAMELESS} and {grouping.within} {limit}) one
    union all select * from ({pick} and g.id = {NAMELESS} and {grouping.without} {limit}) two
  ) e
) w
"""
    for row in await current().fetch(sql, *values):
        groups[row["key"]].sums = _capped(row, all_sums)
