"""Record the entries that a billing run skipped, each with the reason (D32, D47).

Entries that are not billable are never recorded.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from piccolo.columns import BigInt, Text
from piccolo.table import Table

from portal.billing.allocating.book import Book
from portal.billing.bounds import too_large
from portal.billing.engine import Billing, Key
from portal.database import current
from portal.database.rows import insert_all
from portal.errors import Refusal
from portal.timekeeping.flags import IS_FLAGGED

UNTICKED, TOO_LARGE, FAILED = "customer_unticked", "too_large", "failed"
"""Why a run skipped an entry that the engine would bill: customer not ticked, document too large, or a refusal."""


class SkippedEntry(Table, tablename="skipped_entry"):
    """An entry that a run did not bill. The primary key is the run and the entry.

    `reason` is a key of `sentences.SKIPPED`. `sentence` is the error message if billing was refused, or None.
    """

    run_id = BigInt(primary_key=True, default=None)
    entry_id = BigInt(default=None)
    customer_id = BigInt(default=None)
    reason = Text(default=None)
    sentence = Text(null=True, default=None)


async def skip(run_id: int, of: Book, billing: Billing) -> None:
    """Record in a run which entries of a book it skipped, each with its reason.

    These are the entries that the engine skipped, and the entries of documents that are too large.
    """
    rows = [(skipped.entry, skipped.reason.value) for skipped in billing.skipped]
    rows += [(entry_id, TOO_LARGE) for entry_id in too_large(billing)]
    of_run = {"run_id": run_id, "customer_id": of.customer_id}
    await _record(run_id, [of_run | {"entry_id": entry_id, "reason": reason} for entry_id, reason in rows])


async def skip_failed(run_id: int, customer_id: int, entry_ids: Iterable[Key], why: Refusal) -> None:
    """Record in a run that it skipped these entries because billing them was refused. `why` has the error message.

    The next run tries to bill the entries again.
    """
    of = {"run_id": run_id, "customer_id": customer_id, "reason": FAILED, "sentence": why.sentence}
    await _record(run_id, [of | {"entry_id": entry_id} for entry_id in entry_ids])


async def _record(run_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows for skipped entries of one customer, and delete earlier rows of the run for the same entries.

    There are earlier rows if an entry has moved to this customer during the run.
    """
    if not rows:
        return
    entries = [row["entry_id"] for row in rows]
    await current().execute("delete from skipped_entry where run_id = $1 and entry_id = any($2)", run_id, entries)
    await insert_all(SkippedEntry, rows)


_OPEN = "e.billing <> 'not_billable' and e.work_date < $2 and not exists (select 1 from closed_entry d where d.entry_id = e.id)"

# An entry has a row already if the run billed another customer and the entry then moved to this customer.
_ALL_FAILED = f"""
insert into skipped_entry (run_id, entry_id, customer_id, reason, sentence)
select $1, e.id, e.customer_id, '{FAILED}', $4 from time_entry e
where e.customer_id = $3 and e.state = 'approved' and {_OPEN}
on conflict do nothing
"""  # noqa: S608


async def skip_all(run_id: int, until: date, customer_id: int, why: Refusal) -> None:
    """Record in a run that it skipped all open approved entries of a customer on days before `until`.

    `why` is the refusal whose error message is recorded. Call this function if billing the customer failed as a whole.
    """
    await current().execute(_ALL_FAILED, run_id, until, customer_id, why.sentence)


_UNTICKED = f"""
insert into skipped_entry (run_id, entry_id, customer_id, reason)
select $1, e.id, e.customer_id,
       case when {IS_FLAGGED} then 'flagged' when e.state <> 'approved' then 'not_approved'
            when exists (select from allocation a where a.entry_id = e.id and a.kind = 'held') then 'held' else '{UNTICKED}' end
from time_entry e
where e.customer_id is not null and not exists (select from run_customer r where r.run_id = $1 and r.customer_id = e.customer_id)
  and {_OPEN}
on conflict do nothing
"""  # noqa: S608


async def skip_unticked(run_id: int, until: date) -> None:
    """Record in a run that it skipped the open entries of customers who are not part of the run.

    Only entries of days before `until` are recorded, each with the reason.
    """
    await current().execute(_UNTICKED, run_id, until)
