"""Read which documents earlier billing runs made, and which entries each run skipped and why (D47)."""

from collections.abc import Mapping
from dataclasses import dataclass

from portal.billing.allocating.book import Row
from portal.billing.documents.invoices import DocumentPage, id_of_cursor
from portal.database import current
from portal.errors import NotFound
from portal.fields import in_range
from portal.people.readers import AgentReader


@dataclass(frozen=True, slots=True)
class PastRun:
    """A billing run, and pages of its documents, its refusals and the entries that it skipped.

    `run` has the numbers of documents, skipped entries and customers. `free` is a column of `run`: the number of fees
    and vouchers that were billed without an invoice, because they cost 0.00. `sums` has a row for each currency, with
    the net sum of invoices and drafts. `documents` does not contain drafts that have been deleted. `refused` has the
    customers for whom the run refused something. `skipped` has the skipped entries with the reasons.
    """

    run: Row
    sums: list[Row]
    documents: DocumentPage
    refused: DocumentPage
    skipped: DocumentPage


_RUNS = """
select r.id, r.until, r.run_at, r.issues, r.scheduled, r.finished_at, a.name as run_by,
       (select count(*) from run_customer c where c.run_id = r.id) as customers,
       (select count(*) from run_customer c where c.run_id = r.id and c.done_at is not null) as done,
       (select count(*) from invoice i where i.run_id = r.id and i.state = 'draft') as drafts,
       (select count(*) from invoice i where i.run_id = r.id and i.state = 'issued') as invoices,
       (select count(*) from statement s where s.run_id = r.id) as statements,
       (select count(*) from skipped_entry s where s.run_id = r.id) as skipped,
       (select count(*) from billed_fee f where f.run_id = r.id and f.invoice_id is null)
         + (select count(*) from billed_voucher v where v.run_id = r.id and v.invoice_id is null) as free
from billing_run r join agent a on a.id = r.run_by_id
"""

_SUMS = """
select currency, sum(net) as net from invoice where run_id = $1 group by currency order by currency
"""

_REFUSED = """
select * from (
select row_number() over (order by folded(u.name), u.id) as position,
  c.customer_id, u.name as customer_name, c.sentence
from run_customer c join customer u on u.id = c.customer_id where c.run_id = $1 and c.sentence is not null) d
where $2::bigint is null or position > $2 order by position limit $3
"""

_DOCUMENTS = """
select * from (
select row_number() over (order by folded(customer_name), folded(contract_name), id, statement_id) as position, d.* from (
select 'invoice' as kind, i.id, i.number, null::uuid as statement_id, u.name as customer_name, t.name as contract_name, i.net, i.currency
from invoice i join customer u on u.id = i.customer_id join contract t on t.id = i.contract_id where i.run_id = $1
union all
select 'statement', null, null, s.id, u.name, s.contract_name, null, null
from statement s join customer u on u.id = s.customer_id where s.run_id = $1) d) p
where $2::bigint is null or position > $2 order by position limit $3
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

    `after` is the cursor: the id of the last run on the previous page, as text. The caller must have checked that the
    reader is a manager.
    """
    sql = f"{_RUNS} where $1::bigint is null or r.id < $1 order by r.id desc limit $2"
    rows = await current().fetch(sql, id_of_cursor(after), limit + 1)
    return DocumentPage.of(rows, "id", limit)


async def find_run(run_id: int, reader: AgentReader, after: Mapping[str, str], limit: int = 50) -> PastRun:
    """Return the billing run with pages of its documents, its refusals and the entries that it skipped.

    `after` maps "documents", "refused" and "skipped" to their cursors: the position of the last row on the previous
    page. `limit` is the length of a page. Raise `NotFound` if there is no such run or if `reader` is not a manager.
    """
    fetch = current().fetch
    row = await current().fetchrow(f"{_RUNS} where r.id = $1", in_range(run_id)) if reader.is_manager else None
    if row is None:
        raise NotFound
    documents = await fetch(_DOCUMENTS, run_id, id_of_cursor(after.get("documents", "")), limit + 1)
    refused = await fetch(_REFUSED, run_id, id_of_cursor(after.get("refused", "")), limit + 1)
    skipped = await fetch(_SKIPPED, run_id, id_of_cursor(after.get("skipped", "")), limit + 1)
    return PastRun(
        run=row,
        sums=await fetch(_SUMS, run_id),
        documents=DocumentPage.of(documents, key="position", limit=limit),
        refused=DocumentPage.of(refused, key="position", limit=limit),
        skipped=DocumentPage.of(skipped, key="position", limit=limit),
    )
