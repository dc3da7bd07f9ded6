"""What others must be told: a row with a kind and ids, never text, written in the transaction of the change itself.

Inserting a row wakes the live updates at once (a trigger notifies); what mails and notifications send is composed from the rows when it is sent.
"""

from datetime import datetime

from portal.database import Reader, current

KINDS = frozenset(
    {
        "case.opened", "case.replied", "case.noted", "case.changed",
        "time.logged", "time.changed", "time.submitted", "time.approved", "time.rejected",
        "invoice.drafted", "invoice.issued", "statement.made",
    }
)  # fmt: skip
"""A word before the dot says what `subject_id` is: a case; for `time` the case, or the entry where there is none; an invoice."""


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
