"""Record changes in the table `outbox`, in the same transaction as the change: a kind and ids, but no text.

When a row is inserted, a trigger notifies the processes that serve live updates, and these processes update open pages.
The worker makes notices from the rows (`portal.notices.passing`).
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from portal.database import Reader, current

KINDS = frozenset(
    {
        "case.opened", "case.replied", "case.noted", "case.assigned", "case.moved", "case.changed", "case.changed_internally",
        "case.ending", "case.overdue", "case.reminded", "case.shared", "case.hidden",
        "time.logged", "time.changed", "time.deleted", "time.submitted", "time.approved", "time.rejected", "time.flagged", "time.answered",
        "timer.changed", "export.ready", "invoice.drafted", "invoice.issued", "invoice.mailed", "invoice.paid", "invoice.credited", "statement.made",
        "statement.corrected",
        "invoice.asked", "contract.renewed", "voucher.sold",
        "notice.changed",
    }
)  # fmt: skip
"""The kinds of changes. The word before the dot says what `subject_id` refers to.

- `case`: the case. The kind `case.changed_internally` is for changes that only agents see, such as a reply that can
  still be taken back.
- `time`: the case of the time entry, or the time entry if it has no case.
- `timer`, `export`: the agent to whom the timer or export belongs.
- `invoice`, `contract`, `voucher`: the invoice, contract or voucher.
- `statement`: the billing run or, if the statement corrects another one, the `told_id` of the correction.
- `notice`: the credential of the person whose notices have changed.
"""


async def tell(
    *,
    kind: str,
    subject_id: int,
    customer_id: int | None,
    contact_may_know: bool,
    actor: Reader | None,
    at: datetime,
    contact_id: int | None = None,
    record_id: int | None = None,
    agent_id: int | None = None,
) -> None:
    """Record one change in the outbox, so that after the commit the open pages of people who may see it are updated.

    - `subject_id`: the id of what has changed (see `KINDS`).
    - `contact_may_know`: False hides the change from the customer, as for notes and time.
    - `actor`: the person who made the change, or None.
    - `contact_id`: if a case has changed, its contact. The database adds the other participants: watchers of the case,
      and the contacts of cases merged into it. Participants learn of the change and, unless the case is confidential,
      so do contacts with the right to see all cases.
    - `record_id`: the id of the row from which the notice is made. Such a row is a message, an event of a case, an
      invoice, a payment, a question about an invoice, or the renewal of a contract.
    - `agent_id`: the agent to whom a case was assigned.

    Raise `ValueError` for an unknown kind, or for a change to a case without a `contact_id`.
    """
    if kind not in KINDS or (kind.startswith("case.") and contact_id is None):
        raise ValueError(kind)
    await current().execute(
        "insert into outbox (kind, customer_id, contact_id, contact_may_know, subject_id, actor_id, at, record_id, agent_id)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        kind, customer_id, contact_id, contact_may_know, subject_id, actor.credential_id if actor else None, at, record_id, agent_id,
    )  # fmt: skip


async def tell_of(
    subjects: Sequence[tuple[int, int | None]],
    *,
    kind: str,
    actor: Reader | None,
    at: datetime,
    record_id: int | None = None,
    agent_id: int | None = None,
) -> None:
    """Record one change of the same kind for each of several subjects in the outbox, by one statement.

    `subjects` are pairs of `subject_id` and `customer_id`; `customer_id` may be None. The changes are hidden from
    customers. `record_id` is the id of the row from which the notice is made: a rejection, a flag or a version of a
    time entry. `agent_id` is the author of the time entry; the entry may have been deleted. Raise `ValueError` for an
    unknown kind or for changes to cases.
    """
    if kind not in KINDS or kind.startswith("case."):
        raise ValueError(kind)
    await current().execute(
        "insert into outbox (kind, customer_id, contact_may_know, subject_id, actor_id, at, record_id, agent_id)"
        " select $1, customer, false, subject, $4, $5, $6, $7 from unnest($2::bigint[], $3::bigint[]) as many (subject, customer)",
        kind, [subject for subject, _ in subjects], [customer for _, customer in subjects],
        actor.credential_id if actor else None, at, record_id, agent_id,
    )  # fmt: skip


async def told_lately() -> list[Any]:
    """Return a row for each kind of change in the outbox, the kind with the latest change first.

    The columns are the kind, the number of changes of this kind (`count`), and the instant of the latest change
    (`latest`).

    The worker deletes a row of the outbox after seven days, but not before it has made the notices for that row.
    """
    return await current().fetch(
        "select kind, count(*) as count, max(at) as latest from outbox group by kind order by latest desc, kind"
    )


_SNAPSHOT = re.compile(r"[0-9]{1,19}:[0-9]{1,19}:[0-9,]{0,4000}", re.ASCII)
MOST_TOLD = 100
"""The maximum number of changes that a page gets when it opens its event stream.

If there are more, the page fetches everything again.
"""
MOST_TRANSACTIONS = 10_000
"""The maximum age of a snapshot in transactions, so that an old one does not cause a scan of the whole outbox."""

AGE = """
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint - pg_snapshot_xmin($1::text::pg_snapshot)::text::bigint
"""
"""SQL query for how many transactions ago the snapshot `$1` was taken; negative if it lies in the future."""
TOLD_SINCE = """
select kind, customer_id as customer, contact_may_know, subject_id as subject from outbox
where transaction_id >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(transaction_id, $1::text::pg_snapshot)
  -- after a restore into another cluster, rows may carry transaction ids that this cluster has not reached
  and transaction_id < pg_snapshot_xmax(pg_current_snapshot())
  and ($3::bigint is null or split_part(kind, '.', 1) in ('invoice', 'statement') or contact_id = $3
       or $3 = any (participant_ids))
  and ($4 or split_part(kind, '.', 1) not in ('invoice', 'statement'))
group by kind, customer_id, contact_may_know, subject_id order by min(id) limit $2
"""


async def told_since(
    snapshot: str, *, only_cases_of: int | None = None, invoices: bool = True
) -> list[dict[str, Any]] | None:
    """Return the changes since `snapshot`, the text of the `pg_snapshot` from which a page was rendered.

    Each change is a dictionary with the keys kind, customer, contact_may_know and subject. If `invoices` is False,
    changes to invoices and statements are left out. If `only_cases_of` is the id of a contact, only changes to
    invoices, to statements and to cases in which this contact participates (see `tell`) are returned. Transactions of
    the snapshot are compared, not instants, because a transaction that began before the page was rendered may commit
    afterwards. Return None if the page must fetch everything again. This is so if the snapshot is malformed, lies in
    the future (it was taken before a restore) or too far in the past, or if there are more than `MOST_TOLD` changes.
    """
    if not _SNAPSHOT.fullmatch(snapshot):
        return None
    try:  # This query reads the snapshot even if the outbox has no rows to compare with it.
        age = await current().fetchval(AGE, snapshot)
    except asyncpg.InvalidTextRepresentationError:
        return None
    if not 0 <= age <= MOST_TRANSACTIONS:
        return None
    rows = await current().fetch(TOLD_SINCE, snapshot, MOST_TOLD + 1, only_cases_of, invoices)
    return [dict(row) for row in rows] if len(rows) <= MOST_TOLD else None
