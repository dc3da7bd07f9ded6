"""Describe what each recorded mail is about, for the list that admins read, without composing the mails."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from portal.database import current
from portal.mail.outgoing import Outgoing
from portal.notices.inbox import SUBJECT
from portal.notices.kinds import KINDS
from portal.render.formats import plural


class About(NamedTuple):
    """What a mail is about.

    If all notices of a mail are about the same case or invoice, `subject` names this case or invoice. If no notice is
    about a case or invoice, `subject` is "". Otherwise it is the number of notices, such as `3 notices`. `kinds` are
    the labels of the kinds of the notices, separated by semicolons. For a mail without notices, `subject` is the
    document that the mail brings, or "", and `kinds` is the name of the kind of mail.
    """

    subject: str
    kinds: str


async def subjects_of(mails: Iterable[Outgoing]) -> dict[int, About]:
    """Return what each of these mails is about, by the id of its record.

    The caller's transaction must run as `SYSTEM`.

    The rights of the recipients do not matter, because admins read this, and all agents see all cases and invoices.
    """
    found = list(mails)
    told = await _told([int(mail.ids["batch"]) for mail in found if "batch" in mail.ids])
    invoices = await _invoices([int(mail.ids["mail"]) for mail in found if "mail" in mail.ids])
    return {
        mail.id: told.get(int(mail.ids.get("batch", 0)))
        or About(invoices.get(int(mail.ids.get("mail", 0)), ""), mail.word)
        for mail in found
    }


async def _told(batches: list[int]) -> dict[int, About]:
    """Return what the mails of these batches of notices are about. The keys are the batches."""
    rows = await current().fetch(_TOLD, batches) if batches else []
    return {batch: _about(list(of_batch)) for batch, of_batch in groupby(rows, key=lambda row: row["batch"])}


def _about(rows: list[Any]) -> About:
    """Return what a mail is about, from the rows of its notices."""
    kinds = {row["kind"]: KINDS[row["kind"]].side(of_contact=row["of_contact"]) for row in rows}
    count = sum(row["count"] for row in rows)
    subjects = {_subject(row) for row in rows}
    subject = subjects.pop() if len(subjects) == 1 else plural(count, "notice")
    return About(subject, "; ".join(side.word for side in kinds.values() if side))


def _subject(row: Any) -> str:
    if row["number"] is not None:
        return f"#{row['number']} {row['subject']}"
    return f"Invoice {row['invoice']}" if row["invoice"] else ""


_TOLD = f"""
select n.mail_batch as batch, n.kind, c.contact_id is not null as of_contact, k.number, k.subject, i.number as invoice, count(*) as count
from notice n join credential c on c.id = n.credential_id
left join cases k on n.kind like 'case.%' and k.id = {SUBJECT}
left join invoice i on n.kind like 'invoice.%' and i.id = n.subject_id
where n.mail_batch = any($1) group by 1, 2, 3, 4, 5, 6 order by 1, min(n.at), 2
"""  # noqa: S608


async def _invoices(mail_ids: list[int]) -> dict[int, str]:
    """Return "Invoice" or "Credit note" with the number of the document that each of these mails brings, by mail id."""
    rows = await current().fetch(_INVOICES, mail_ids) if mail_ids else []
    return {row["id"]: row["subject"] for row in rows}


_INVOICES = """
select m.id, case when k.id is null then 'Invoice ' || i.number else 'Credit note ' || k.number end as subject
from invoice_mail m join invoice i on i.id = m.invoice_id left join credit_note k on k.id = m.credit_note_id where m.id = any($1)
"""
