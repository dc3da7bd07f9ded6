"""What others must be told: a row with a kind and ids, never text, written in the transaction of the change itself.

Inserting a row wakes the live updates at once (a trigger notifies); what mails and notifications send is composed from the rows when it is sent.
"""

import re
from datetime import datetime
from typing import Any

import asyncpg

from portal.database import Reader, current

KINDS = frozenset(
    {
        "case.opened", "case.replied", "case.noted", "case.changed",
        "time.logged", "time.changed", "time.submitted", "time.approved", "time.rejected",
        "invoice.drafted", "invoice.issued", "statement.made",
    }
)  # fmt: skip
"""The word before the dot names what `subject_id` is: a case; for `time` its case, else the entry; an invoice."""


async def tell(
    *, kind: str, subject_id: int, customer_id: int | None, contact_may_know: bool, actor: Reader | None, at: datetime
) -> None:
    """Tell of one change. `contact_may_know`: False keeps it from the customer's live updates and mails (notes, time)."""
    if kind not in KINDS:
        raise ValueError(kind)
    await current().execute(
        "insert into outbox (kind, customer_id, contact_may_know, subject_id, actor_id, at) values ($1, $2, $3, $4, $5, $6)",
        kind, customer_id, contact_may_know, subject_id, actor.credential_id if actor else None, at,
    )  # fmt: skip


async def told_lately() -> list[Any]:
    """Rows of kind, count and latest instant of what is kept, which the worker cuts after seven days."""
    return await current().fetch(
        "select kind, count(*) as count, max(at) as latest from outbox group by kind order by latest desc, kind"
    )


_SNAPSHOT = re.compile(r"[0-9]{1,19}:[0-9]{1,19}:[0-9,]{0,4000}", re.ASCII)
MOST_TOLD = 100
"""Notices that a page is told one by one when it opens its stream."""
MOST_TRANSACTIONS = 10_000
"""How far back a snapshot may lie, so that one of long ago does not cost a walk through all that was ever told."""

TOLD_SINCE = """
select kind, customer_id as customer, contact_may_know, subject_id as subject from outbox
where transaction_id >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(transaction_id, $1::text::pg_snapshot)
  -- after a restore into another cluster there are transactions from its future
  and transaction_id < pg_snapshot_xmax(pg_current_snapshot())
  and ($3 or split_part(kind, '.', 1) in ('invoice', 'statement') or exists (select from cases c where c.id = subject_id and c.contact_id = $4))
  and ($5 or split_part(kind, '.', 1) not in ('invoice', 'statement'))
group by kind, customer_id, contact_may_know, subject_id order by min(id) limit $2
"""


async def told_since(
    snapshot: str, *, only_cases_of: int | None = None, invoices: bool = True
) -> list[dict[str, Any]] | None:
    """What was told that a page rendered from `snapshot` (text of a `pg_snapshot`) cannot have shown, as the live updates notify it.

    `only_cases_of`: a contact who may know of their own cases alone; `invoices`: whether of invoices. What they may not know is not counted either.
    By transactions, not by time: one that began before the page may commit after it. None: the snapshot cannot be read, lies in the future
    (of before a restore) or too far back, or there is more than `MOST_TOLD`, so that everything has to be fetched again.
    """
    if not _SNAPSHOT.fullmatch(snapshot):
        return None
    latest = int(await current().fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text"))
    if not 0 <= latest - int(snapshot.partition(":")[0]) <= MOST_TRANSACTIONS:
        return None
    try:
        rows = await current().fetch(
            TOLD_SINCE, snapshot, MOST_TOLD + 1, only_cases_of is None, only_cases_of, invoices
        )
    except asyncpg.InvalidTextRepresentationError:
        return None
    return [dict(row) for row in rows] if len(rows) <= MOST_TOLD else None
