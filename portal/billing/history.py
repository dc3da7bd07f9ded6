"""Read which documents earlier billing runs made, and which entries each run skipped and why (D47)."""

from dataclasses import dataclass

from portal.billing.book import Row
from portal.billing.invoices import DocumentPage, id_of_cursor
from portal.database import current
from portal.errors import NotFound
from portal.people.readers import AgentReader


@dataclass(frozen=True, slots=True)
class PastRun:
    """A billing run (`run`), the documents that it made, and a page of the entries that it skipped, with the reasons.

    Drafts that were deleted since are missing from `documents`.
    """

    run: Row
    documents: list[Row]
    skipped: DocumentPage


_RUNS = """
select r.id, r.until, r.run_at, a.name as run_by,
       (select count(*) from invoice i where i.run_id = r.id and i.state = 'draft') as drafts,
       (select count(*) from invoice i where i.run_id = r.id and i.state = 'issued') as invoices,
       (select count(*) from statement s where s.run_id = r.id) as statements,
       (select count(*) from skipped_entry s where s.run_id = r.id) as skipped
from billing_run r join agent a on a.id = r.run_by_id
"""

_DOCUMENTS = """
select * from (
select 'invoice' as kind, i.id, i.number, null::uuid as statement_id, u.name as customer_name, t.name as contract_name, i.net, i.currency
from invoice i join customer u on u.id = i.customer_id join contract t on t.id = i.contract_id where i.run_id = $1
union all
select 'statement', null, null, s.id, u.name, s.contract_name, null, null
from statement s join customer u on u.id = s.customer_id where s.run_id = $1) d
order by folded(customer_name), folded(contract_name)
"""

_SKIPPED = """
select * from (
select row_number() over (order by s.reason, folded(u.name), e.work_date, e.id) as position,
       s.reason, s.sentence, e.id, e.work_date, e.billable_minutes, e.external_comment, g.name as agent_name, u.name as customer_name, c.number
from skipped_entry s join time_entry e on e.id = s.entry_id join agent g on g.id = e.agent_id join customer u on u.id = s.customer_id
left join cases c on c.id = e.case_id where s.run_id = $1) d
where $2::bigint is null or position > $2 order by position limit $3
"""


async def past_runs(after: str = "", limit: int = 12) -> DocumentPage:
    """Return a page of billing runs, the latest first, with the numbers of documents made and entries skipped.

    `after` is the cursor, the id of the last run on the page before, as text. The caller must have checked that the
    reader is a manager.
    """
    sql = f"{_RUNS} where $1::bigint is null or r.id < $1 order by r.id desc limit $2"
    rows = await current().fetch(sql, id_of_cursor(after), limit + 1)
    return DocumentPage.of(rows, "id", limit)


async def find_run(run_id: int, reader: AgentReader, after: str = "", limit: int = 50) -> PastRun:
    """Return the billing run with its documents and a page of the entries that it skipped.

    `after` is the cursor, the position of the last entry on the page before, and `limit` the length of a page. Raise
    `NotFound` if there is no such run or if `reader` is not a manager.
    """
    row = await current().fetchrow(f"{_RUNS} where r.id = $1", run_id) if reader.is_manager else None
    if row is None:
        raise NotFound
    skipped = await current().fetch(_SKIPPED, run_id, id_of_cursor(after), limit + 1)
    return PastRun(
        row, await current().fetch(_DOCUMENTS, run_id), DocumentPage.of(skipped, key="position", limit=limit)
    )
