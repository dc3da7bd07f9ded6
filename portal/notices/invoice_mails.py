"""Mail issued invoices: who gets a mail, and the outcome of each mail.

A customer chooses how its invoices are delivered (`portal.people.customers.DeliveryFacts`). For a contact who has
chosen mails about new invoices at once, the mail that brings the invoice replaces the mail of the notice. The accounts
mail address of the customer gets a separate mail. Each mail is one row, which never changes once the mail was sent.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from piccolo.columns import UUID, BigInt, BigSerial, Text, Timestamptz
from piccolo.table import Table

from portal import jobs, outbox
from portal.billing import Invoice
from portal.database import current
from portal.errors import Conflict
from portal.notices.choices import Mail, choices_of
from portal.people.readers import AgentReader
from portal.words import MailState

WITHDRAWN = "withdrawn"


class InvoiceMail(Table, tablename="invoice_mail"):
    """One mail that brings an invoice to one recipient.

    The recipient is the contact `contact_id` or, if `contact_id` is None, the accounts address `email`. `state` is a
    `MailState`, or `withdrawn` if the recipient must no longer get the mail. With `credit_note_id`, the mail brings
    that credit note of the invoice. `form_key` and `asked_by_id` are set only if an agent asked for the mail. `reason`
    says why the mail was not sent.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(default=None)
    credit_note_id = BigInt(null=True, default=None)
    contact_id = BigInt(null=True, default=None)
    email = Text(null=True, default=None)
    form_key = UUID(null=True, default=None)
    asked_by_id = BigInt(null=True, default=None)
    asked_at = Timestamptz(default=None)
    due_at = Timestamptz(default=None)
    begun_at = Timestamptz(null=True, default=None)
    state = Text(default="waiting")
    ended_at = Timestamptz(null=True, default=None)
    reason = Text(null=True, default=None)


class ToContact(NamedTuple):
    """A mail that brings an invoice to the contact with this credential. It is due at the instant `due_at`."""

    invoice_id: int
    credential_id: int
    due_at: datetime


async def mailed_to_contacts(invoice_ids: Collection[int]) -> set[int]:
    """Return the ids from `invoice_ids` of the invoices whose customer wants invoices mailed to contacts."""
    rows = await current().fetch(_MAILED, list(invoice_ids)) if invoice_ids else []
    return {row["id"] for row in rows}


_MAILED = (
    "select i.id from invoice i join customer u on u.id = i.customer_id where i.id = any($1) and u.invoices_by_mail"
)


async def mail_to_contacts(mails: Iterable[ToContact], at: datetime) -> None:
    """Queue the mails that bring newly issued invoices to contacts, as rows of `invoice_mail`.

    Skip a contact for whom a mail with the same invoice is queued or sent already.
    """
    if rows := sorted(mails):
        await current().execute(_TO_CONTACTS, *zip(*rows, strict=True), at)


_TO_CONTACTS = """
insert into invoice_mail (customer_id, invoice_id, contact_id, asked_at, due_at)
select c.customer_id, m.invoice_id, c.contact_id, $4, m.due_at
from unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) m (invoice_id, credential_id, due_at) join credential c on c.id = m.credential_id
on conflict do nothing
"""


async def mail_to_accounts(told: Collection[int], at: datetime) -> None:
    """Queue the mails that bring newly issued invoices to the accounts addresses of their customers.

    `told` are the ids of outbox rows of the kind `invoice.issued`. Skip an address if a contact with the same address
    gets the invoice.
    """
    await current().execute(_TO_ACCOUNTS, list(told), at)


_TO_ACCOUNTS = """
insert into invoice_mail (customer_id, invoice_id, email, asked_at, due_at)
select u.id, o.record_id, u.email, $2, $2 from outbox o join customer u on u.id = o.customer_id
where o.id = any($1) and u.email is not null and not exists (
  select from invoice_mail m join credential c on c.contact_id = m.contact_id
  where m.invoice_id = o.record_id and m.credit_note_id is null and c.email = u.email)
order by o.id on conflict do nothing
"""


async def mail_credits(told: Collection[int], at: datetime) -> None:
    """Queue the mails that bring credit notes to the people who get the invoices of the customer.

    `told` are the ids of outbox rows of the kind `invoice.credited`. If the customer wants invoices mailed to contacts,
    the contacts who may see invoices get the mail at once, or after their quiet hours, unless they want no mails about
    invoices. Skip the accounts address if a contact with the same address gets the credit note.
    """
    from portal.notices.kinds import KINDS  # noqa: PLC0415 (kinds reads this package's audiences)

    rows = await current().fetch(_CREDITED, list(told)) if told else []
    choices = await choices_of({row["credential_id"] for row in rows if row["credential_id"]})
    kind, due, reached = KINDS["invoice.issued"], list[tuple[Any, ...]](), set[tuple[int, str]]()
    for row in rows:
        chosen = choices.get(row["credential_id"])
        choice = chosen.of(kind) if chosen else None
        to = (row["credit_note_id"], row["email"])
        if row["credential_id"] is None and to not in reached:
            due.append((row["customer_id"], row["invoice_id"], row["credit_note_id"], None, row["email"], at))
        elif chosen and choice and choice.mail is not Mail.NEVER:
            when = chosen.mail_due(Mail.AT_ONCE, at)
            due.append((row["customer_id"], row["invoice_id"], row["credit_note_id"], row["contact_id"], None, when))
            reached.add(to)
    if due:
        await current().execute(_CREDITS, *zip(*due, strict=True), at)


_CREDITED = """
select u.id as customer_id, o.subject_id as invoice_id, o.record_id as credit_note_id, r.contact_id, r.credential_id, r.email
from outbox o join customer u on u.id = o.customer_id cross join lateral (
  select t.id as contact_id, c.id as credential_id, c.email from contact t join credential c on c.contact_id = t.id
  where t.customer_id = u.id and t.sees_invoices and t.ended_at is null and u.invoices_by_mail
  union all
  select null, null, u.email where u.email is not null
) r where o.id = any($1) and o.record_id is not null order by o.id, r.contact_id nulls last
"""
_CREDITS = """
insert into invoice_mail (customer_id, invoice_id, credit_note_id, contact_id, email, due_at, asked_at)
select m.*, $7 from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[]) m
on conflict do nothing
"""


async def begin(at: datetime) -> None:
    """Enqueue a job for each mail that is due at `at`.

    First withdraw the due mails to contacts who have switched off mails about new invoices in the meantime, except
    mails that an agent asked for. The caller's transaction must run as `SYSTEM`.
    """
    await current().execute(_NOT_WANTED, at)
    for row in await current().fetch(_BEGIN, at):
        await jobs.enqueue("mail_invoice", mail=row["id"])


_IS_STOPPED = """
m.form_key is null and exists (
  select from credential c join notice_choice n on n.credential_id = c.id
  where c.contact_id = m.contact_id and n.choices -> 'invoice.issued' ->> 1 = 'never')
"""
_NOT_WANTED = f"""
update invoice_mail m set state = 'withdrawn', ended_at = $1
where m.state = 'waiting' and m.begun_at is null and m.due_at <= $1 and {_IS_STOPPED}
"""  # noqa: S608
_BEGIN = """
update invoice_mail set begun_at = $1
where id in (select id from invoice_mail where state = 'waiting' and begun_at is null and due_at <= $1 order by id for update skip locked)
returning id
"""


async def find(mail_id: int) -> InvoiceMail | None:
    """Return the mail with this id, or None if there is no such mail or it was withdrawn.

    The caller's transaction must run as `SYSTEM`.
    """
    return await InvoiceMail.objects().where(InvoiceMail.id == mail_id, InvoiceMail.state != WITHDRAWN).first()


async def withdraw_stopped(mail_id: int, at: datetime) -> None:
    """Withdraw a mail if its recipient has switched off mails about new invoices in the meantime.

    A mail that an agent asked for is not withdrawn. The caller's transaction must run as `SYSTEM`.
    """
    sql = f"select exists (select from invoice_mail m where m.id = $1 and {_IS_STOPPED})"  # noqa: S608
    if await current().fetchval(sql, mail_id):
        await end(mail_id, None, at)


async def credential_of(contact_id: int) -> int | None:
    """Return the id of a contact's credential, or None if there is none."""
    found: int | None = await current().fetchval("select id from credential where contact_id = $1", contact_id)
    return found


async def end(mail_id: int, state: MailState | None, at: datetime, reason: str = "") -> None:
    """Record the outcome of a mail, and update the pages of the invoice that agents have open.

    The caller's transaction must run as `SYSTEM`.

    If `state` is None, the mail is withdrawn: its recipient must no longer get it. `reason` says why the mail was not
    sent. A mail that was sent or withdrawn keeps its state.
    """
    row = await current().fetchrow(_END, mail_id, state.value if state else WITHDRAWN, at, reason or None)
    if row:
        await outbox.tell(
            kind="invoice.mailed", subject_id=row["invoice_id"], customer_id=row["customer_id"], contact_may_know=False,
            actor=None, at=at,
        )  # fmt: skip


_END = """
update invoice_mail set state = $2, ended_at = $3, reason = $4 where id = $1 and state not in ('sent', 'withdrawn')
returning invoice_id, customer_id
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A possible recipient of a customer's invoices: a contact with the right to see them, or the accounts address.

    `contact_id` is None for the accounts address. `choice` is what the contact has chosen for mails about new invoices.
    """

    contact_id: int | None
    name: str
    email: str
    choice: Mail = Mail.AT_ONCE


async def receivers(customer_id: int) -> list[Receiver]:
    """Return the possible recipients of a customer's invoices, whether or not the customer wants invoices mailed.

    They are the contacts with access who may see invoices, sorted by name, and then the accounts address, if any.
    """
    from portal.notices.kinds import KINDS  # noqa: PLC0415 (kinds reads this package's audiences)

    rows = await current().fetch(_RECEIVERS, customer_id)
    choices = await choices_of(row["credential_id"] for row in rows if row["credential_id"])
    kind = KINDS["invoice.issued"]
    found = []
    for row in rows:
        chosen = choices[row["credential_id"]].of(kind) if row["credential_id"] in choices else None
        if chosen or row["contact_id"] is None:
            found.append(
                Receiver(row["contact_id"], row["name"], row["email"], chosen.mail if chosen else Mail.AT_ONCE)
            )
    return found


_RECEIVERS = """
select t.id as contact_id, t.name, c.id as credential_id, c.email, folded(t.name) as place from contact t join credential c on c.contact_id = t.id
where t.customer_id = $1 and t.sees_invoices and t.ended_at is null
union all
select null, 'Accounts', null, email, null from customer where id = $1 and email is not null
order by place nulls last, contact_id
"""


async def ask(
    invoice: Invoice, contact_id: int | None, *, form_key: uuid.UUID | None, by: AgentReader, at: datetime
) -> Receiver:
    """Queue a mail that brings an issued invoice again, to a contact or to the accounts address of the customer.

    If `contact_id` is None, the mail is to the accounts address. Nothing is queued if the same form was sent before, or
    if a mail to the recipient is waiting already. Raise `Conflict` if the recipient may not get the customer's invoices
    any more. Return the recipient.
    """
    chosen = next((one for one in await receivers(invoice.customer_id) if one.contact_id == contact_id), None)
    if chosen is None:
        raise Conflict("The invoices of this customer no longer go there. Look at who gets them now.")
    await current().execute("select from invoice where id = $1 for update", invoice.id)
    await current().execute(
        _ASK, invoice.customer_id, invoice.id, contact_id, None if contact_id else chosen.email,
        form_key or uuid.uuid4(), by.id, at,
    )  # fmt: skip
    return chosen


_ASK = """
insert into invoice_mail (customer_id, invoice_id, contact_id, email, form_key, asked_by_id, asked_at, due_at)
select $1, $2, $3, $4, $5, $6, $7, $7
where not exists (select from invoice_mail where invoice_id = $2 and credit_note_id is null
  and contact_id is not distinct from $3::bigint and state = 'waiting')
on conflict do nothing
"""


async def history(invoice: Invoice) -> list[Any]:
    """Return a row for each mail of an invoice, and for each contact who has opened the invoice, in order of time.

    In the row of a mail, `contact_id` and `name` are those of the recipient (for the accounts address, `name` is the
    mail address), and `at` is when the mail was sent, failed or is due. `asked_by` is None if nobody asked for the
    mail. `credit_number` is the number of the credit note that the mail brings, or None. In the row of a contact who
    has opened the invoice, `state` is "seen", `contact_id` and `name` are those of the contact, `at` is when they
    opened it, and `id` is 0. The other columns are `reason`, `asked_at` and `due_at`.
    """
    return await current().fetch(_HISTORY, invoice.id)


_HISTORY = """
select m.state, m.contact_id, coalesce(t.name, m.email) as name, m.reason, a.name as asked_by, m.asked_at, m.due_at,
  coalesce(m.ended_at, m.due_at) as at, m.id, k.number as credit_number
from invoice_mail m left join credit_note k on k.id = m.credit_note_id
left join contact t on t.id = m.contact_id left join agent a on a.id = m.asked_by_id where m.invoice_id = $1
union all
select 'seen', s.contact_id, t.name, null, null, null, null, s.seen_at, 0, null
from invoice_seen s join contact t on t.id = s.contact_id where s.invoice_id = $1
order by at, id
"""
