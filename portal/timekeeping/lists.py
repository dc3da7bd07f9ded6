"""List time entries, and count and sum them. All minutes are integers."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from portal.contracts.naming import shown_service
from portal.database import current
from portal.database.counting import Counting
from portal.errors import NotFound
from portal.people.readers import AgentReader
from portal.timekeeping.entries import VISIBLE
from portal.timekeeping.filters import CONDITIONS, LEFT, READY, WORDS, Filter
from portal.timekeeping.flags import OPEN_FLAG, OpenFlag
from portal.timekeeping.instants import Span
from portal.timekeeping.policy.switches import FIXING, OFF, USUAL, Rules
from portal.timekeeping.rules import why_fixed, why_settled
from portal.timekeeping.versions import CHANGES, Version
from portal.words import EntryBilling, EntryState

PAGE = 50
"""The maximum number of time entries on one page of a list."""
SUMMED = 10_000
"""The maximum number of entries that a list sums up if the database does not keep their sums (`has_kept_sums`)."""


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """A time entry with the names that lists and feeds show beside it.

    `at` is the instant at which the entry was created; `counts` are its billable minutes; `rules` decide whether the
    entry may be changed; `changes` are the changes by people other than the author; `flag` is the open flag, or None.
    If the entry's case was merged into another case after a document settled the entry, `settled_as` is the number of
    the former case, which the document shows; otherwise it is None. `shape` is the name of the template fragment that
    shows the entry in a feed.

    `portal.billing.decided` fills in the decisions of managers and the documents: `reason` (why a manager rejected it),
    `approved_by`, `implied` (approved as a draft, without having been submitted, C4), and `settled`. A settled entry is
    on the draft invoice `draft_id`, on the issued invoice with the number `invoice`, or on the statement
    `statement_id`.
    """

    id: int
    version: int
    state: EntryState
    work_date: date
    minutes: int
    billing: EntryBilling
    counts: int
    override_reason: str | None
    external_comment: str
    description: str
    agent_id: int
    agent: str
    at: datetime
    window_from: datetime
    service_id: int | None
    service: str | None
    task_id: int | None
    task: str | None
    customer_id: int | None
    project_id: int | None
    project: str | None
    case_number: int | None
    case_subject: str | None
    case_confidential: bool
    settled_as: int | None
    customer: str | None
    kind_id: int | None
    kind: str | None
    role_id: int | None
    role: str | None
    started_at: datetime | None
    ended_at: datetime | None
    stretches: str | None
    time_zone: str | None
    rejected_version: int | None
    changes: tuple[Version, ...]
    flag: OpenFlag | None
    reason: str | None = None
    settled: bool = False
    draft_id: int | None = None
    invoice: str | None = None
    statement_id: uuid.UUID | None = None
    approved_by_id: int | None = None
    approved_by: str | None = None
    implied: bool = False
    rules: Rules = USUAL
    shape: str = "entry"

    @property
    def place(self) -> str:
        """Return a short text for what the time is logged on, such as the case number or the name of the project."""
        if self.case_number:
            return f"#{self.case_number}"
        return self.project or self.service or self.kind or "general time"

    @property
    def span(self) -> Span | None:
        """Return the instants between which the work was done, or None if only the day is known (D10)."""
        if self.started_at is None or self.ended_at is None or self.time_zone is None:
            return None
        return Span(self.started_at, self.ended_at, self.time_zone)

    @property
    def state_word(self) -> str:
        """Return the word for the state; for a settled entry, return "On a draft" or "Billed"."""
        if self.settled:
            return "On a draft" if self.draft_id else "Billed"
        return self.state.word

    def why_fixed(self, by: AgentReader, at: datetime) -> str | None:
        """Return the reason why `by` may not change the entry at the instant `at`, or None if `by` may."""
        if self.settled:
            return why_settled(by, self.draft_id, self.invoice)
        if not self.rules.tracks_time:
            return OFF
        fixed = why_fixed(by, self.agent_id, self.state, self.window_from, at, self.rules.own_edit_hours)
        return fixed or self.rules.why_locked(self.work_date, at) or None

    def own_until(self, by: AgentReader) -> datetime | None:
        """Return until when `by` may change the entry, or None if no limit of time applies to `by`.

        The limit applies only to the author of a draft or rejected entry, and not to managers.
        """
        if by.is_manager or by.id != self.agent_id or not self.is_open:
            return None
        return self.window_from + self.rules.own_window

    def may_be_changed(self, by: AgentReader, at: datetime) -> bool:
        """Return whether `by` may change the entry at `at`. If so, lists link to the form that changes the entry."""
        return self.why_fixed(by, at) is None

    @property
    def is_open(self) -> bool:
        """Return whether the entry is a draft or rejected, so that it can be submitted."""
        return self.state in (EntryState.DRAFT, EntryState.REJECTED)

    @property
    def is_ready(self) -> bool:
        """Return whether "select all" selects the entry: it is a draft, or rejected and changed since then."""
        return self.state is EntryState.DRAFT or (self.is_open and self.rejected_version != self.version)

    @classmethod
    def of_row(cls, row: Any) -> "ListedEntry":
        """Return a `ListedEntry` for a row that has the columns of the SQL `COLUMNS`."""
        read = {
            "state": EntryState(row["state"]),
            "billing": EntryBilling(row["billing"]),
            "changes": Version.read(row["changes"]),
            "flag": OpenFlag.read(row["flag"]),
            "rules": Rules.read(row["rules"]),
        }
        return cls(**dict(row) | read)


COLUMNS = f"""
e.id, e.version, e.state, e.work_date, e.actual_minutes as minutes, e.billing, e.billable_minutes as counts, e.override_reason,
e.external_comment, e.description, e.agent_id, a.name as agent, e.created_at as at, e.window_from, e.service_id,
{shown_service("e.service_id")} as service, e.task_id,
(select t.name from task t where t.id = e.task_id) as task, e.customer_id, e.project_id, j.name as project,
e.general_kind_id as kind_id, (select g.name from general_kind g where g.id = e.general_kind_id) as kind,
e.role_id, (select r.name from role r where r.id = e.role_id) as role, e.started_at, e.ended_at, e.stretches, e.time_zone, e.rejected_version,
c.number as case_number, c.subject as case_subject, coalesce(c.confidential, false) as case_confidential,
(select o.number from cases o where o.id = e.settled_on_id) as settled_as,
u.name as customer,
{CHANGES} as changes, {OPEN_FLAG} as flag, {FIXING} as rules
"""  # noqa: S608

NAMES = """
join agent a on a.id = e.agent_id
left join cases c on c.id = e.case_id
left join project j on j.id = e.project_id
left join customer u on u.id = e.customer_id
"""
"""SQL joins for the names in `COLUMNS`. If only a few of many entries `e` are shown, limit them in a subquery first.

Otherwise PostgreSQL may look up names for rows that it then drops.
"""
SOURCE = f"from time_entry e {NAMES}"


@dataclass(frozen=True, slots=True)
class Sums:
    """A number of time entries, and their actual minutes (`minutes`) and billable minutes (`counts`) in total."""

    entries: int = 0
    minutes: int = 0
    counts: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of the entries that a filter chooses: of all of them, on all pages, and of each day that the page shows.

    `ready` sums up the entries that the reader may submit by the filter: drafts, and entries that were changed since
    their rejection. `newest` is the highest id of any entry, so that a submission by filter does not include entries
    that are added later. If the database does not keep the sums and the filter chooses more than `SUMMED` entries,
    `is_exact` is False, and `all` and `ready` sum up only the latest of these entries.
    """

    all: Sums = Sums()
    ready: Sums = Sums()
    newest: int = 0
    by_day: Mapping[date, Sums] = field(default_factory=dict)
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One page of time entries, newest day first. `more` is True if older entries follow."""

    lines: list[ListedEntry]
    more: bool
    totals: Totals = field(default_factory=Totals)

    @property
    def last(self) -> str:
        """Return the keyset cursor for the link to the next page: work date and id of the last row on this page."""
        return f"{self.lines[-1].work_date.isoformat()}.{self.lines[-1].id}"

    @property
    def days(self) -> list[tuple[date, list[ListedEntry]]]:
        """Return the entries of the page by work date: pairs of a date and its entries."""
        found: dict[date, list[ListedEntry]] = {}
        for line in self.lines:
            found.setdefault(line.work_date, []).append(line)
        return list(found.items())


async def page(reader: AgentReader, which: Filter, *, size: int = PAGE) -> Page:
    """Return one page of the time entries that `which` chooses, with the sums over all pages.

    The page is found by a keyset cursor of work date and id, so that its cost does not grow with the number of entries
    (S1.12). `size` is the maximum number of entries.
    """
    after = which.after or (date.max, 2**63 - 1)
    rows = await current().fetch(
        f"select {COLUMNS} from ("  # noqa: S608
        f"select e.* from time_entry e join agent a on a.id = e.agent_id where {VISIBLE[reader.database_role]}"
        f" and {CONDITIONS[which.scope]} and (e.work_date, e.id) < ($7, $8) order by e.work_date desc, e.id desc limit $9"
        f") e {NAMES} order by e.work_date desc, e.id desc",
        *which.values, *after, size + 1,
    )  # fmt: skip
    lines = [ListedEntry.of_row(row) for row in rows[:size]]
    return Page(lines, len(rows) > size, await totals(reader, which, {line.work_date for line in lines}))


async def totals(reader: AgentReader, which: Filter, days: Collection[date] = ()) -> Totals:
    """Return the sums of the entries that `which` chooses, and of each of `days`, by one query (D56).

    The database keeps the sums of each case, agent, service and so on (`time_sum`). Other sums, such as those of a
    range of days, are computed from the entries. To limit the cost, these sums leave out older entries if there are
    more than `SUMMED`; then `is_exact` is False. The sums of `days` are always complete.
    """
    condition = f"{VISIBLE[reader.database_role]} and {CONDITIONS[which.scope]}"
    parts = _KEPT.format(scope=which.scope) if which.has_kept_sums else _COMPUTED.format(condition=condition)
    rows = await current().fetch(
        _TOTALS.format(parts=parts, condition=condition), *which.values, reader.is_manager, reader.id, sorted(days)
    )
    whole = next(row for row in rows if row["work_date"] is None)
    return Totals(
        all=_sums(whole),
        ready=Sums(whole["ready_entries"], whole["ready_minutes"] or 0, whole["ready_counts"] or 0),
        newest=whole["newest"] or 0,
        by_day={row["work_date"]: _sums(row) for row in rows if row["work_date"]},
        is_exact=which.has_kept_sums or whole["entries"] <= SUMMED,
    )


_KEPT = f"""
select e.entries, e.minutes, e.counts, e.is_ready and ($7 or e.agent_id = $8) as is_ready
from time_sum e where e.scope = '{{scope}}' and e.subject_id = $1 and {WORDS}
"""  # noqa: S608
_COMPUTED = f"""
select 1 as entries, e.actual_minutes as minutes, e.billable_minutes as counts, {READY} and ($7 or e.agent_id = $8) as is_ready
from time_entry e join agent a on a.id = e.agent_id where {{condition}} order by e.work_date desc, e.id desc limit {SUMMED + 1}
"""  # noqa: S608
_TOTALS = """
select null::date as work_date, coalesce(sum(entries), 0)::bigint as entries, sum(minutes)::bigint as minutes, sum(counts)::bigint as counts,
  coalesce(sum(entries) filter (where is_ready), 0)::bigint as ready_entries, sum(minutes) filter (where is_ready)::bigint as ready_minutes,
  sum(counts) filter (where is_ready)::bigint as ready_counts, (select max(id) from time_entry) as newest
from ({parts}) as part
union all
select e.work_date, count(*), sum(e.actual_minutes)::bigint, sum(e.billable_minutes)::bigint, 0, 0, 0, 0
from time_entry e join agent a on a.id = e.agent_id where {condition} and e.work_date = any($9) group by e.work_date
"""


def _sums(row: Any) -> Sums:
    return Sums(row["entries"], row["minutes"] or 0, row["counts"] or 0)


async def find(reader: AgentReader, entry_id: int) -> ListedEntry:
    """Return the time entry with this id and the names that lists show. Raise `NotFound` if there is no such entry."""
    row = await current().fetchrow(
        f"select {COLUMNS} {SOURCE} where {VISIBLE[reader.database_role]} and e.id = $1", entry_id
    )
    if row is None:
        raise NotFound
    return ListedEntry.of_row(row)


async def left_count(reader: AgentReader) -> int:
    """Return the number of draft and rejected entries of agents who have left. The reader's own entries do not count."""
    count: int = await current().fetchval(
        f"select count(*) from time_entry e join agent a on a.id = e.agent_id where {VISIBLE[reader.database_role]} and {LEFT}",  # noqa: S608
        reader.id,
    )
    return count


async def counts(agent_id: int) -> dict[EntryState, int]:
    """Return how many entries the agent has in each state except approved, for the links on the agent's own list.

    States without entries are left out.
    """
    rows = await current().fetch(
        "select state, sum(entries)::bigint as n from time_sum where scope = 'agent' and subject_id = $1 and state <> 'approved'"
        " group by state having sum(entries) > 0",
        agent_id,
    )
    return {EntryState(row["state"]): row["n"] for row in rows}


def counting_overdue(agent_id: int, week: date) -> Counting:
    """Return the query that counts the entries of an agent that need work.

    They are rejected entries, drafts of days before the Monday `week`, and entries whose flag asks a question that the
    agent has not answered. An entry counts once.
    """
    return Counting(_OVERDUE, (agent_id, week))


_OVERDUE = """
select count(*) from (
  select id from time_entry where agent_id = $1 and (state = 'rejected' or (state = 'draft' and work_date < $2))
  union
  select e.id from flag f join time_entry e on e.id = f.entry_id where f.lifted_at is null and f.answer is null and e.agent_id = $1
) as found
"""
