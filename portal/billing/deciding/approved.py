"""List the approvals that can still be withdrawn, and add the decisions of managers to listed time entries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from portal.billing.allocating.book import Row
from portal.contracts.approvers import DECIDES, MAY_DECIDE
from portal.contracts.naming import shown_service
from portal.database import current
from portal.desk.feed import Feed
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping import lists
from portal.timekeeping.feed import CaseTime, with_time
from portal.timekeeping.filters import Filter
from portal.timekeeping.lists import ListedEntry

LOOKED_AT = 200
"""The maximum number of approvals that one page examines, so that the page stays quick with many billed entries."""


@dataclass(frozen=True, slots=True)
class Approved:
    """One page of the approvals that an agent may withdraw, the latest first.

    `next` is the cursor of the next page, or None on the last page. The cursor is the id of the last approval that was
    examined, even if `rows` leaves this approval out because it cannot be withdrawn.
    """

    rows: list[Row]
    next: int | None


_APPROVED = """
with recursive {designated}, latest as (
  select p.id, p.entry_id, p.approved_by_id, p.approved_at, p.submission_implied from approval p
  where p.withdrawn_at is null and ($4::bigint is null or (p.approved_at, p.id) < (select b.approved_at, b.id from approval b where b.id = $4))
  order by p.approved_at desc, p.id desc limit $5
), edge as (
  select (array_agg(id order by approved_at, id))[1] as next from latest having count(*) = $5
)
select edge.next, e.id, e.work_date, g.name as agent_name, c.number, coalesce(u.name, 'General') as customer_name, e.external_comment,
       e.description, {service} as service_name, e.billable_minutes, m.name as approved_by, p.approved_at, p.submission_implied,
       a.currency, a.amount
from (select 1) as one
left join edge on true
left join (
  latest p
  join time_entry e on e.id = p.entry_id
  join agent g on g.id = e.agent_id and e.agent_id <> $1 and ($3 or {may_decide})
  join agent m on m.id = p.approved_by_id
  left join customer u on u.id = e.customer_id
  left join cases c on c.id = e.case_id
) on not exists (select 1 from settled_entry d where d.entry_id = e.id)
left join lateral (select min(currency) as currency, sum(amount) as amount from allocation where entry_id = e.id) a on true
order by p.approved_at desc, p.id desc
"""


async def list_approved(
    by: AgentReader, *, at: datetime, before: int | None = None, looked_at: int = LOOKED_AT
) -> Approved:
    """Return one page of the latest approvals that `by` may withdraw at `at`.

    Approvals of entries that a document has settled are left out. `before` is the cursor, the id of an approval: the
    page begins with the next older approval. `looked_at` is the maximum number of approvals to examine; the page can
    have fewer, because approvals that `by` may not withdraw are left out too.
    """
    sql = _APPROVED.format(designated=DECIDES, may_decide=MAY_DECIDE, service=shown_service("e.service_id"))
    rows = await current().fetch(sql, by.id, today(by.time_zone, at), by.is_admin, before, looked_at)
    return Approved([row for row in rows if row["id"] is not None], rows[0]["next"] if rows else None)


async def rates_in_use() -> set[int]:
    """Return the ids of the rates from which an approval took its price; these rates cannot be deleted (D17)."""
    rows = await current().fetch("select r.id from rate r where exists (select from approval p where p.rate_id = r.id)")
    return {row["id"] for row in rows}


_DECIDED = """
select e.id, d.entry_id is not null as settled, case when i.state = 'draft' then i.id end as draft_id, i.number as invoice,
  d.statement_id, p.approved_by_id, m.name as approved_by, coalesce(p.submission_implied, false) as implied,
  case when e.state = 'rejected' then
    (select r.reason from rejection r where r.entry_id = e.id order by r.rejected_at desc limit 1)
  end as reason
from time_entry e
left join lateral (select * from settled_entry x where x.entry_id = e.id order by x.part desc limit 1) d on true
left join invoice i on i.id = d.invoice_id
left join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join agent m on m.id = p.approved_by_id
where e.id = any($1)
"""


async def decided(lines: Sequence[ListedEntry]) -> list[ListedEntry]:
    """Return copies of the listed entries with the decisions on them, read by one query.

    A copy says why the entry was rejected, who approved it, and which document has settled it.
    """
    if not lines:
        return []
    rows = await current().fetch(_DECIDED, [line.id for line in lines])
    found: dict[int, dict[str, Any]] = {row["id"]: dict(row) for row in rows}
    return [replace(line, **found.get(line.id, {})) for line in lines]


async def find_entry(reader: AgentReader, entry_id: int) -> ListedEntry:
    """Return one entry with the decisions of managers on it. Raise `NotFound` if `reader` sees no such entry."""
    (line,) = await decided([await lists.find(reader, entry_id)])
    return line


async def list_entries(reader: AgentReader, which: Filter) -> lists.Page:
    """Return one page of the entries that `which` chooses, with the decisions of managers on each."""
    page = await lists.page(reader, which)
    return replace(page, lines=await decided(page.lines))


async def feed_with_time(feed: Feed, case_id: int, reader: AgentReader, *, before: str = "") -> tuple[Feed, CaseTime]:
    """Return the feed of a case with its time entries and the decisions on them, and the totals of the case's time.

    `before` is the cursor with which `feed` was read.
    """
    feed, sums = await with_time(feed, case_id, reader, before=before)
    lines = {line.id: line for line in await decided([item for item in feed.items if isinstance(item, ListedEntry)])}
    items = [lines[item.id] if isinstance(item, ListedEntry) else item for item in feed.items]
    return replace(feed, items=items), sums
