"""Correct a statement (time that costs the customer nothing) by making another statement, the correction.

The time that a correction removes from a statement can be billed again, or is written off.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime

from piccolo.columns import UUID, BigInt, Boolean, Integer
from piccolo.table import Table

from portal import outbox
from portal.billing.allocating.allocations import reallocate
from portal.billing.credits.choosing import Chosen, Refusals, chosen_time
from portal.billing.credits.creditable import Left, left_of
from portal.billing.credits.issuing import checked_reason
from portal.billing.credits.questions import end_corrected
from portal.billing.documents import detail, files
from portal.billing.documents.statements import Statement
from portal.billing.locks import lock_customers
from portal.database import current
from portal.database.rows import insert_all
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.readers import AgentReader

NOTHING_CHOSEN = "Choose what is given back: everything, or time."
ALL_BACK = "All time on this statement is given back already."
IS_CORRECTION = "This corrects another statement: correct that one."
CHANGED = "Part of this time was given back in the meantime. Look at what is left."
GIVEN_BACK = Refusals(
    "Only {minutes} are left to give back.",
    "This has a fixed fee, so it is given back as a whole: write {minutes}, or leave it empty.",
    "Some of this time is given back already. Look at it again.",
)


class CorrectedTime(Table, tablename="corrected_time"):
    """The minutes that a correction removes from one row of a statement's time detail.

    The primary key is the correction and the row's position. `statement_id` is the correction, `corrects_id` the
    corrected statement. If `freed`, the minutes can be billed again; if not, they are written off.
    """

    customer_id = BigInt(default=None)
    statement_id = UUID(primary_key=True, default=None)
    corrects_id = UUID(default=None)
    detail_position = Integer(default=None)
    entry_id = BigInt(default=None)
    minutes = Integer(default=None)
    freed = Boolean(default=None)


_BACK = "select detail_position, sum(minutes)::int as minutes, 0::numeric as amount from corrected_time where corrects_id = $1 group by 1"


async def correctable(statement: Statement) -> list[Left]:
    """Return the rows of a statement's time detail with the minutes that can still be corrected.

    Rows that were corrected wholly are left out. A row that never had billable minutes is included, with 0 minutes.
    """
    rows = await detail.copied(statement_id=statement.id)
    back = {row["detail_position"]: row for row in await current().fetch(_BACK, statement.id)}
    return list(left_of(rows, back))


def minutes_of(left: Iterable[Left]) -> int:
    """Return the sum of the minutes that can still be corrected in the rows `left`."""
    return sum(each.minutes for each in left)


async def correct_statement(
    statement: Statement,
    chosen: Chosen,
    *,
    reason: str,
    freed: bool,
    by: AgentReader,
    at: datetime,
    form_key: uuid.UUID | None = None,
    seen: str | None = None,
) -> Statement:
    """Make a correction of `statement`, for a part of its time or for all of it, and return the correction.

    With `freed`, the removed time can be changed again, and the next billing run settles it. Without `freed`, the
    removed time is written off. In both cases, the included and prepaid minutes that the removed time used return to
    their period or voucher. The customer is locked until the transaction ends, and the outbox gets a row. A repeated
    call with the same `form_key` returns the existing correction. `seen` is the number of correctable minutes that the
    page showed, as text, or None if there was no page.

    Raise `Invalid` if the reason is missing or too long, if nothing is chosen, or if more is chosen than is left. Raise
    `Conflict` if the minutes left differ from `seen`, if `statement` is itself a correction, or if `form_key` was used
    for another statement. Raise `Forbidden` if `by` is not a manager.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may correct statements.")
    await lock_customers([statement.customer_id])
    made = await Statement.objects().where(Statement.form_key == form_key).first() if form_key else None
    if made and made.corrects_id != statement.id:
        raise Conflict("This form was sent before, for another statement.")
    if made:
        return made
    if statement.corrects_id:
        raise Conflict(IS_CORRECTION)
    left = await correctable(statement)
    if seen is not None and seen != str(minutes_of(left)):
        raise Conflict(CHANGED)
    reason = checked_reason(reason)
    time = list(chosen_time(left, chosen, 0, GIVEN_BACK))
    if not time:
        raise Invalid({"": NOTHING_CHOSEN if left else ALL_BACK})
    rows = [row._replace(position=place, minutes=minutes) for place, (row, minutes, _) in enumerate(time, 1)]
    days = [row.work_date for row in rows if row.work_date is not None]
    correction = Statement(
        id=uuid.uuid4(), customer_id=statement.customer_id, contract_id=statement.contract_id, until=statement.until,
        supply_from=min(days), supply_to=max(days), made_at=at, contract_name=statement.contract_name, corrects_id=statement.id,
        reason=reason, made_by_id=by.id, form_key=form_key,
    )  # fmt: skip
    await Statement.insert(correction)
    await detail.copy(rows, statement.customer_id, statement_id=correction.id)
    content = await files.csv(f"Correction for {statement.contract_name}", rows, rows[0].currency)
    await files.keep("csv", content, statement.customer_id, statement_id=correction.id)
    of = {
        "customer_id": statement.customer_id,
        "statement_id": correction.id,
        "corrects_id": statement.id,
        "freed": freed,
    }
    await insert_all(
        CorrectedTime,
        [
            of | {"detail_position": row.position, "entry_id": row.entry_id, "minutes": minutes}
            for row, minutes, _ in time
        ],
    )
    entries = sorted({row.entry_id for row in rows if row.entry_id is not None})
    await end_corrected(entries, by=by, at=at, correction_id=correction.id)
    await reallocate([statement.customer_id], entries)
    told_id: int = await current().fetchval("select told_id from statement where id = $1", correction.id)
    await outbox.tell(
        kind="statement.corrected", subject_id=told_id, record_id=told_id, customer_id=statement.customer_id,
        contact_may_know=True, actor=by, at=at,
    )  # fmt: skip
    return correction
