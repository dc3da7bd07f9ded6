"""Let contacts of customers ask about a time entry that they can see.

The text of a question is a message on a case. An explanation or a correction ends the question.
"""

import contextlib
import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from piccolo.columns import UUID, BigInt, BigSerial, Integer, Timestamptz
from piccolo.table import Table

from portal import outbox
from portal.billing.allocating.book import Row
from portal.billing.credits.asked import AskedTime
from portal.billing.documents.invoices import Invoice
from portal.billing.documents.statements import Statement
from portal.contracts.case_types import CaseType
from portal.database import current
from portal.database.rows import insert_one
from portal.desk import Case
from portal.durations import spoken
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.fields import in_range
from portal.people.readers import AgentReader, ContactReader
from portal.timekeeping import flags
from portal.visible import visible

ASKED = "There is an open question about this time already, in case #{number}."


class EntryQuestion(Table, tablename="entry_question"):
    """A customer's question about a time entry. The text of the question is a message on the case `case_number`.

    If the question was asked on an invoice, `invoice_id` and `detail_position` identify the row of the time detail;
    otherwise both are None. The question is open until `ended_at` is set. `credit_note_id` or `correction_id` is the
    credit note or the statement that ended the question; both are None if an explanation ended it. An entry has at
    most one open question. While a question is open, its entry is flagged unless a document has settled the entry.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    entry_id = BigInt(default=None)
    invoice_id = BigInt(null=True, default=None)
    detail_position = Integer(null=True, default=None)
    case_number = BigInt(default=None)
    asked_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    ended_by_id = BigInt(null=True, default=None)
    form_key = UUID(null=True, default=None)
    credit_note_id = BigInt(null=True, default=None)
    correction_id = UUID(null=True, default=None)


async def ask(
    about: AskedTime, text: str, *, by: ContactReader, at: datetime, form_key: uuid.UUID | None = None
) -> int:
    """Store a question about time, notify managers, and return the number of the case with the question.

    The customer is locked. The text is written as a message on the case on which the time was logged. If there is no
    such case, or `by` may not see the case, a new case is opened. Time that no document has settled is flagged, so that
    no run bills it. The caller has checked that `by` may see the time. If an earlier question has the same `form_key`,
    store nothing, and return the case of the earlier question. Raise `Invalid` (`body`) if the text is empty or no case
    can be opened, `Conflict` if there is an open question about the entry, and `TooMany` as `Case.open` does.
    """
    if form_key and (known := await EntryQuestion.objects().where(EntryQuestion.form_key == form_key).first()):
        return int(known.case_number)
    if not visible(text).strip():
        raise Invalid({"body": "Write your question."})
    await current().execute("select lock_own_customer()")  # The customer is locked before the case, as everywhere.
    found = await EntryQuestion.objects().where(_is_open([about.entry_id])).first()
    if found:
        raise Conflict(ASKED.format(number=found.case_number))
    case = await _case(about, _words(about, text), by, at)
    question = {
        "customer_id": about.customer_id, "entry_id": about.entry_id, "invoice_id": about.invoice_id, "detail_position": about.position,
        "case_number": case, "form_key": form_key, "asked_at": at,
    }  # fmt: skip
    question_id = await insert_one(EntryQuestion, question, returning="id")
    # Without an invoice, the notice leads to the case.
    await outbox.tell(
        kind="invoice.asked", subject_id=about.invoice_id or 0, record_id=question_id, customer_id=about.customer_id,
        contact_may_know=False, actor=by, at=at,
    )  # fmt: skip
    return case


def _words(about: AskedTime, text: str) -> str:
    """Return the text of the message: a line that identifies the work in question, and below it the question itself."""
    comment = f": “{' '.join(about.external_comment.split())}”" if about.external_comment.strip() else ""
    place = f" on {about.place}" if about.place else f" under “{about.service_name}”"
    return f"About {spoken(about.minutes)} of {about.work_date:%-d %b %Y}{place}{comment}\n\n{text}"


async def _case(about: AskedTime, text: str, by: ContactReader, at: datetime) -> int:
    """Write `text` as a message on a case, and return the number of the case.

    If the time was logged on a case that `by` may see, write on this case. If this case was closed too long ago, write
    on a new case that follows it (`Case.answer`). If there is no such case, open a new case. Raise `Invalid` (`body`)
    if no case can be opened because there is no case type.
    """
    if about.case_number is not None:
        with contextlib.suppress(NotFound):
            case = await Case.find(about.case_number, by)
            return int((await case.answer(by=by, text=text, at=at)).number)
    types = await CaseType.offered_to_contacts()
    if not types:
        raise Invalid({"body": "No new case can be opened at the moment. Write to us by mail."})
    subject = f"Question about {about.place or f'work of {about.work_date:%-d %b %Y}'}"
    case = await Case.open(by=by, subject=subject, text=text, case_type_id=types[0].id, at=at)
    return int(case.number)


def _is_open(entry_ids: Collection[int]) -> Any:
    return EntryQuestion.entry_id.is_in(list(entry_ids)) & EntryQuestion.ended_at.is_null()


async def open_questions(entry_ids: Collection[int]) -> dict[int, int]:
    """Return, by entry id, the number of the case with the open question about the entry, if there is one."""
    found = await EntryQuestion.objects().where(_is_open(entry_ids)) if entry_ids else []
    return {question.entry_id: int(question.case_number) for question in found}


_QUESTIONS = """
select distinct on (q.ended_at is not null, q.id) q.id, q.entry_id, q.case_number, q.asked_at, q.ended_at, q.correction_id, n.number as credit_number,
  r.work_date, r.minutes, r.external_comment, r.service_name
from entry_question q join {rows} r on r.entry_id = q.entry_id and r.{document} = $1
  and (q.invoice_id is null or (q.invoice_id, q.detail_position) = (r.invoice_id, r.position))
left join credit_note n on n.id = q.credit_note_id order by q.ended_at is not null, q.id desc, r.position
"""
_ON_DRAFTS = """
(select d.invoice_id, null::uuid as statement_id, 1 as position, t.id as entry_id, t.work_date, t.minutes, t.external_comment, t.service_name
 from settled_entry d join approved_time t on t.id = d.entry_id)
"""
"""SQL for the entries on drafts, used instead of the table `detail_row`, because that table has no rows for drafts."""


async def questions_of(document: Invoice | Statement) -> list[Row]:
    """Return a row for each question about the time on a draft, an invoice or a statement, open questions first.

    A question that was asked on an invoice is returned only for that invoice. A question that was asked elsewhere is
    returned for every document that contains the entry in question.
    """
    is_draft = isinstance(document, Invoice) and not document.is_issued
    column = "statement_id" if isinstance(document, Statement) else "invoice_id"
    return await current().fetch(
        _QUESTIONS.format(rows=_ON_DRAFTS if is_draft else "detail_row", document=column), document.id
    )


async def explain(question_id: int, *, by: AgentReader, at: datetime) -> None:
    """End a customer's question without a correction, and lift the flag that the question set on the entry.

    The explanation is a message on the case, which this function neither writes nor checks. Calling this for a question
    that has ended already has no further effect. Raise `NotFound` if there is no such question, `Forbidden` if `by` is
    not a manager.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may end questions about time.")
    question = await EntryQuestion.objects().where(EntryQuestion.id == in_range(question_id)).first()
    if question is None:
        raise NotFound
    await flags.lift_customers(question.id, by=by, at=at)
    await EntryQuestion.update(ended_at=at, ended_by_id=by.id).where(
        (EntryQuestion.id == question.id) & EntryQuestion.ended_at.is_null()
    )


async def end_corrected(
    entry_ids: Collection[int],
    *,
    by: AgentReader,
    at: datetime,
    credit_note_id: int | None = None,
    correction_id: uuid.UUID | None = None,
) -> None:
    """End the open questions about these entries, because a credit note or a correcting statement corrects their time.

    Pass exactly one of `credit_note_id` and `correction_id`.
    """
    if entry_ids:
        await EntryQuestion.update(
            ended_at=at, ended_by_id=by.id, credit_note_id=credit_note_id, correction_id=correction_id
        ).where(_is_open(entry_ids))
