"""Questions about many entries: of a case, of an agent, and their sums. Rows are records of `COLUMNS`; all minutes are integers."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from portal.database import current
from portal.people.readers import AgentReader
from portal.timekeeping.entries import VISIBLE
from portal.timekeeping.rules import State

PAGE = 50
"""Entries on one page of a list."""

# The reason comes from the manager's room; it is read here so that a list stays one query.
COLUMNS = """
e.id, e.version, e.state, e.work_date, e.actual_minutes, e.billing, e.billable_minutes, e.override_reason, e.external_comment, e.description,
e.agent_id, a.name as agent_name, e.created_at, e.window_from, e.service_id, s.name as service_name,
c.number as case_number, c.subject as case_subject, u.name as customer_name,
case when e.state = 'rejected' then (select r.reason from rejection r where r.entry_id = e.id order by r.rejected_at desc limit 1) end as reason
"""

SOURCE = """
from time_entry e join agent a on a.id = e.agent_id
left join service s on s.id = e.service_id
left join cases c on c.id = e.case_id
left join customer u on u.id = e.customer_id
"""


SCOPES = {"case": "e.case_id = $1", "agent": "e.agent_id = $1"}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries a list shows: those of one case or of one agent (`scope`, `id`), perhaps of one state or one agent only.

    `after` is the key of the last row of the page before (keyset, D56).
    """

    scope: Literal["case", "agent"]
    id: int
    state: State | None = None
    agent_id: int | None = None
    after: tuple[date, int] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest day first, and whether there are older ones."""

    rows: list[Any]
    more: bool

    @property
    def last(self) -> str:
        """The key of the last row, for the link to the next page."""
        return f"{self.rows[-1]['work_date'].isoformat()}.{self.rows[-1]['id']}"


def key(text: str) -> tuple[date, int] | None:
    """What `Page.last` wrote; None where it is something else."""
    day, _, entry_id = text.partition(".")
    try:
        return (date.fromisoformat(day), int(entry_id)) if entry_id.isascii() and entry_id.isdigit() else None
    except ValueError:
        return None


async def page(reader: AgentReader, which: Filter, *, size: int = PAGE) -> Page:
    """One page of entries, by keyset on work date and id: its cost does not grow with the number of entries (S1.12)."""
    after = which.after or (date.max, 2**63 - 1)
    rows = await current().fetch(
        f"select {COLUMNS} {SOURCE} where {VISIBLE[reader.database_role]} and {SCOPES[which.scope]} and (e.work_date, e.id) < ($2, $3)"
        " and ($4::text is null or e.state = $4) and ($5::bigint is null or e.agent_id = $5)"
        " order by e.work_date desc, e.id desc limit $6",
        which.id, *after, which.state and which.state.value, which.agent_id, size + 1,
    )  # fmt: skip
    return Page(rows[:size], len(rows) > size)


async def counts(reader: AgentReader, agent_id: int) -> dict[State, int]:
    """How many entries of an agent stand in each state, for the views of the own list."""
    rows = await current().fetch(
        f"select state, count(*) as n from time_entry e where {VISIBLE[reader.database_role]} and agent_id = $1 group by state",  # noqa: S608
        agent_id,
    )
    return {State(row["state"]): row["n"] for row in rows}


@dataclass(frozen=True, slots=True)
class CaseTime:
    """The sums of one case, in minutes: all that was worked, what of it counts (without rejected time), and what waits for whom."""

    entries: int
    worked: int
    counts: int
    draft: int
    submitted: int
    rejected: int


async def sums_of_case(reader: AgentReader, case_id: int) -> CaseTime:
    """By one aggregate over the case's entries (D48, D56)."""
    row = await current().fetchrow(
        f"""select count(*) as entries, coalesce(sum(actual_minutes), 0) as worked,
          coalesce(sum(billable_minutes) filter (where state <> 'rejected'), 0) as counts,
          coalesce(sum(actual_minutes) filter (where state = 'draft'), 0) as draft,
          coalesce(sum(actual_minutes) filter (where state = 'submitted'), 0) as submitted,
          coalesce(sum(actual_minutes) filter (where state = 'rejected'), 0) as rejected
        from time_entry e where {VISIBLE[reader.database_role]} and case_id = $1""",  # noqa: S608
        case_id,
    )
    return CaseTime(**dict(row))


async def on_feed(reader: AgentReader, case_id: int, *, since: Any = None, until: Any = None, newest: int) -> list[Any]:
    """The newest entries of a case by when they were logged, oldest first, within [`since`, `until`) where given."""
    rows = await current().fetch(
        f"select {COLUMNS} {SOURCE} where {VISIBLE[reader.database_role]} and e.case_id = $1"
        " and ($2::timestamptz is null or e.created_at >= $2) and ($3::timestamptz is null or e.created_at < $3)"
        " order by e.created_at desc, e.id desc limit $4",
        case_id, since, until, newest,
    )  # fmt: skip
    return rows[::-1]
