"""List approved time that is on no document yet, so that its approval can be withdrawn."""

from dataclasses import dataclass

from portal.billing.book import Row
from portal.contracts.naming import shown_service
from portal.database import current
from portal.people.departments import DESIGNATED
from portal.people.readers import AgentReader

LOOKED_AT = 200
"""How many approvals one page examines, so that its cost does not grow with everything that was ever billed."""


@dataclass(frozen=True, slots=True)
class Approved:
    """Hold one page of approvals that an agent may withdraw, the latest first.

    `next` is the id of the last approval examined, where earlier ones follow.
    """

    rows: list[Row]
    next: int | None


_APPROVED = """
with recursive {designated}, latest as (
  select p.id, p.entry_id, p.approved_by_id, p.approved_at, p.submission_implied from approval p
  where p.withdrawn_at is null and ($3::bigint is null or (p.approved_at, p.id) < (select b.approved_at, b.id from approval b where b.id = $3))
  order by p.approved_at desc, p.id desc limit $4
), edge as (
  select (array_agg(id order by approved_at, id))[1] as next from latest having count(*) = $4
)
select edge.next, e.id, e.work_date, g.name as agent_name, c.number, coalesce(u.name, 'General') as customer_name, e.external_comment,
       e.description, {service} as service_name, e.billable_minutes, m.name as approved_by, p.approved_at, p.submission_implied,
       a.currency, a.amount
from (select 1) as one
left join edge on true
left join (
  latest p
  join time_entry e on e.id = p.entry_id
  join agent g on g.id = e.agent_id and e.agent_id <> $1 and ($2 or g.department_id in (select id from mine))
  join agent m on m.id = p.approved_by_id
  left join customer u on u.id = e.customer_id
  left join cases c on c.id = e.case_id
) on not exists (select 1 from settled_entry d where d.entry_id = e.id)
left join lateral (select min(currency) as currency, sum(amount) as amount from allocation where entry_id = e.id) a on true
order by p.approved_at desc, p.id desc
"""


async def list_approved(by: AgentReader, *, before: int | None = None, looked_at: int = LOOKED_AT) -> Approved:
    """Return a page of the latest approvals that are on no document, of time that `by` may decide on.

    With `before`, the id of an approval, the page begins after that one. `looked_at` bounds how many are examined.
    """
    sql = _APPROVED.format(designated=DESIGNATED, service=shown_service("e.service_id"))
    rows = await current().fetch(sql, by.id, by.is_admin, before, looked_at)
    return Approved([row for row in rows if row["id"] is not None], rows[0]["next"] if rows else None)


async def rates_in_use() -> set[int]:
    """Return the ids of the rates that an approval names as its source; such a rate cannot be deleted (D17)."""
    rows = await current().fetch("select r.id from rate r where exists (select from approval p where p.rate_id = r.id)")
    return {row["id"] for row in rows}
