"""Process the rows of the outbox: make one notice for each person who is to be notified of the event.

The column `passed_on` marks the rows that are done. It is set in the transaction that inserts the notices, so a worker
that is killed leaves both the mark and the notices, or neither. Rows are found by this mark and not by a cursor on
their ids, because transactions do not always commit in the order of these ids. A unique constraint allows each person
one notice of each event, even if two workers process the same row.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from portal.database import current
from portal.database.batches import all_or_report
from portal.errors import Unavailable
from portal.notices import invoice_mails, warnings
from portal.notices.choices import Mail, choices_of
from portal.notices.kinds import KINDS, Due, Kind
from portal.people.readers import SYSTEM

BATCH = 500
"""The maximum number of outbox rows that one transaction processes."""


USING = ("time.approved", "invoice.issued", "invoice.paid", "voucher.sold")
"""The kinds of outbox rows that can change how much of a customer's prepaid hours is used up."""


async def pass_on(at: datetime, *, mails: bool = True, most: int = BATCH) -> int:
    """Make the notices for at most `most` outbox rows, in the caller's transaction, and return the number of rows.

    The caller's transaction must run as `SYSTEM`. Rows that another worker has locked are skipped. Mails with issued
    invoices and credit notes are queued too. If a case was assigned, the agents' notices that the case was opened are
    marked as read. `at` is the present instant, which decides when a notice is mailed. With `mails=False`, no mail is
    queued and the notices are never mailed; the demo uses this for its invented past.
    """
    tx = current()
    rows = await tx.fetch(_WAITING, most)
    by_kind: dict[str, list[int]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row["id"])
    due = [
        one
        for kind in KINDS.values()
        for one in await _due(kind, [id for told_as in kind.told_as for id in by_kind.get(told_as, ())])
    ]
    due += await _of_hours({row["customer_id"] for row in rows if row["kind"] in USING} - {None}, at)
    await make(due, at, mails=mails)
    if mails:
        await invoice_mails.mail_to_accounts(by_kind.get("invoice.issued", ()), at)
        await invoice_mails.mail_credits(by_kind.get("invoice.credited", ()), at)
    taken = await tx.fetch(_TAKEN, by_kind.get("case.assigned", []))
    await tell_pages([row["credential_id"] for row in taken], at)
    await tx.execute("update outbox set passed_on = true where id = any($1)", [row["id"] for row in rows])
    return len(rows)


_WAITING = "select id, kind, customer_id from outbox where not passed_on order by id limit $1 for update skip locked"

# Once a new case is assigned, the agents who were notified of it need not look at it: mark their notices as read.
_TAKEN = """
update notice n set read_at = o.at from outbox o
where o.id = any($1) and o.agent_id is not null and n.kind = 'case.opened' and n.subject_id = o.subject_id and n.read_at is null
  and exists (select from credential c where c.id = n.credential_id and c.agent_id is not null)
returning n.credential_id
"""


async def _due(kind: Kind, told: list[int]) -> list[Due]:
    """Return the notices of one kind for the outbox rows with the ids `told`.

    Nobody gets a notice of a change that they made.
    """
    if not told:
        return []
    sql = f"with told as (select * from outbox where id = any($1)) {kind.audience}"  # noqa: S608
    return [
        Due(kind, row["credential_id"], row["record_id"], row["subject_id"], row["at"])
        for row in await current().fetch(sql, told)
        if row["credential_id"] != row["actor_id"]
    ]


async def _of_hours(customer_ids: Collection[int], at: datetime) -> list[Due]:
    """Record the warnings about prepaid hours of these customers (`warnings.of_hours`), and return their notices.

    If this fails for one customer, log the error and go on with the others. But raise `Unavailable` at the end if any
    failure may be temporary, so that the caller's transaction is rolled back and can be tried again.
    """
    report = await all_or_report(
        sorted(customer_ids), lambda customer_id: warnings.of_hours([customer_id], at), reader=SYSTEM
    )
    for why in report.refused.values():
        if isinstance(why, Unavailable):
            raise why
    return [one for due in report.done.values() for one in due]


async def make(due: Sequence[Due], at: datetime, *, mails: bool = True) -> None:
    """Insert these notices, in the caller's transaction, and update the open pages of their recipients.

    A notice is skipped if it exists already, if its recipient has switched off notices of this kind, or if the
    recipient's access has ended. Some customers have their invoices mailed to contacts. A contact of such a customer
    who wants notices of invoices mailed at once gets the mail with the invoice, and no further mail for the notice.
    `at` is the present instant. With `mails=False`, no notice is mailed.
    """
    choices, rows, letters = await choices_of({one.credential_id for one in due}), [], []
    by_mail = await invoice_mails.mailed_to_contacts(
        {one.record_id for one in due if one.kind.name == "invoice.issued"}
    )
    # All workers insert in the same order, so that two workers that make the same notices cannot deadlock.
    for one in sorted(due, key=lambda one: (one.credential_id, one.kind.name, one.record_id)):
        chosen = choices.get(one.credential_id)
        choice = chosen.of(one.kind) if chosen else None
        if chosen and choice and choice.is_told:
            mail_due = chosen.mail_due(choice.mail, at) if mails else None
            is_invoice = one.kind.name == "invoice.issued" and one.record_id in by_mail
            if mail_due and is_invoice and choice.mail is Mail.AT_ONCE:
                letters.append(invoice_mails.ToContact(one.record_id, one.credential_id, mail_due))
                mail_due = None
            mail = choice.mail.value if mail_due else None
            rows.append((one.credential_id, one.kind.name, one.record_id, one.subject_id, one.amount, one.at,
                         choice.in_app, mail, mail_due))  # fmt: skip
    if rows:
        made = await current().fetch(_MAKE, *zip(*rows, strict=True))
        await tell_pages([row["credential_id"] for row in made], at)
    await invoice_mails.mail_to_contacts(letters, at)


_MAKE = """
insert into notice (credential_id, kind, record_id, subject_id, amount, at, in_app, mail, mail_due_at, decision)
select m.credential_id, m.kind, m.record_id, m.subject_id, m.amount, m.at, m.in_app, m.mail, m.mail_due_at,
  case m.kind when 'time.rejected' then (select r.decision from rejection r where r.id = m.record_id) end
from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::int[], $6::timestamptz[], $7::boolean[], $8::text[],
  $9::timestamptz[]) as m (credential_id, kind, record_id, subject_id, amount, at, in_app, mail, mail_due_at)
-- Whoever is erased at this moment is left out.
join credential c on c.id = m.credential_id order by m.credential_id, m.kind, m.record_id for key share of c
on conflict (credential_id, kind, record_id) do nothing returning credential_id
"""


async def tell_pages(credential_ids: Collection[int], at: datetime) -> None:
    """Add outbox rows that update the number of unread notices on the open pages of these people."""
    if credential_ids:
        await current().execute(_TELL, list(set(credential_ids)), at)


_TELL = """
insert into outbox (kind, subject_id, customer_id, contact_id, contact_may_know, at, passed_on)
select 'notice.changed', c.id, c.customer_id, c.contact_id, c.contact_id is not null, $2, true from credential c where c.id = any($1)
"""
