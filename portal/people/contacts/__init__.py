"""Contacts: the people of a customer who use the portal."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal.database import current
from portal.database.pages import SIZE, Page, page_of
from portal.database.rows import one
from portal.errors import Conflict, Invalid
from portal.fields import Checked, email, in_range, line, optional, phone
from portal.people.access import credentials
from portal.people.access.persons import Person
from portal.people.customers import Customer
from portal.people.offered import SELECTABLE, Offered
from portal.people.readers import SYSTEM, Reader, System
from portal.regions import locale, time_zone


class ContactFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a contact as typed, not validated yet. A contact has a mail address, a telephone number, or both.

    The three rights concern the contact's own customer. With `sees_all_cases`, the contact sees all cases of the
    customer, otherwise only their own cases. With `sees_invoices`, the contact sees the customer's invoices. With
    `manages_contacts`, the contact may add and change contacts of the customer.
    """

    name: str
    email: str = ""
    phone: str = ""
    sees_all_cases: bool = False
    sees_invoices: bool = False
    manages_contacts: bool = False
    locale: str = "en_GB"
    time_zone: str


class Contact(Person, Table, tablename="contact"):
    """One contact of a customer. `ended_at` is the instant at which the contact's access ended, or None.

    `erased_at` is the instant at which an admin erased the contact, or None. The row of an erased contact is kept only
    as the author of the contact's messages. A contact never moves to another customer: for a person who changes
    employer, the new customer gets a new contact.

    A contact without a mail address, such as a caller who is known by telephone number only, has no credential: the
    contact cannot sign in, and gets no mail.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    name = Text(default=None)
    phone = Text(null=True, default=None)
    sees_all_cases = Boolean(default=None)
    sees_invoices = Boolean(default=None)
    manages_contacts = Boolean(default=None)
    locale = Text(default=None)
    time_zone = Text(default=None)
    created_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    erased_at = Timestamptz(null=True, default=None)
    credential_key = "contact_id"

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Contact"]:
        """Return a query of the contacts that the reader may see.

        Agents see all contacts, a contact sees those of their own customer.
        """
        query = cls.objects()
        return query.where(cls.customer_id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(
        cls, contact: int, reader: Reader | System, *, customer: int | None = None, hold: bool = False
    ) -> "Contact":
        """Return the contact with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for a contact that the reader may not see or that was erased. If `customer` is given, raise
        `NotFound` also for a contact of any other customer (R28).
        """
        query = cls.visible_to(reader).where(cls.id == in_range(contact), cls.erased_at.is_null())
        return await one(query if customer is None else query.where(cls.customer_id == customer), hold=hold)

    @classmethod
    async def listed(cls, customer: int, number: int | None = None) -> Page:
        """Return the page `number` of a customer's contacts as rows, sorted by name; those who have left come last.

        Columns: id, name, phone, email (None without one), the three rights, ended_at, accepted_at.
        """
        return await page_of(LISTED, customer, number=number)

    @classmethod
    async def offered(cls, customer: int) -> list[Offered]:
        """Return the contacts of a customer who have not left, sorted by name, as options of a form field.

        The option says so if a contact has no mail address.
        """
        return [Offered(row["id"], row["name"]) for row in await current().fetch(_OFFERED, customer, None)]

    @classmethod
    async def any_signs_in(cls, customer: int) -> bool:
        """Return whether a contact of a customer has a mail address and has not left."""
        return bool(await current().fetchval(_ANY_SIGNS_IN, customer))

    @classmethod
    async def selectable(cls, customer: int) -> list[Offered] | None:
        """Return the contacts as `offered` does, or None if they are too many for a select field."""
        rows = await current().fetch(_OFFERED, customer, SELECTABLE + 1)
        return [Offered(row["id"], row["name"]) for row in rows] if len(rows) <= SELECTABLE else None

    @classmethod
    async def create(
        cls, customer: Customer, facts: ContactFacts, at: datetime, *, by: Reader | System = SYSTEM
    ) -> "Contact":
        """Create a contact. A contact with a mail address sets a password later, through an invitation link.

        Unless `by` is a contact, the customer is locked, so that nobody can end the customer before the transaction
        ends. If `by` is a contact, the customer is not locked, because the database role of contacts may not lock it.
        If the customer then ends at the same moment, the new contact is created but cannot sign in. Raise `Invalid` for
        a field that is not valid or a mail address that somebody else has. If `by` is a contact, raise `Invalid` also
        for a missing mail address. Raise `Conflict` if the customer has ended.
        """
        values, address = _read(facts)
        if by.is_contact and address is None:
            raise Invalid({"email": "Write a mail address, to which the invitation goes."})
        ended = "select ended_at from customer where id = $1"
        if await current().fetchval(ended if by.is_contact else f"{ended} for share", customer.id):
            raise Conflict(f"{customer.name} has ended. Take that back before you add contacts.")
        contact = cls(**values, customer_id=customer.id, created_at=at)
        await contact.save()
        if address:
            await credentials.open_for_contact(customer.id, contact.id, address, at)
        return contact

    async def change(self, facts: ContactFacts, at: datetime) -> None:
        """Replace every field of the contact. New rights take effect with the contact's next request (R33).

        If the mail address changes, the contact's open invitation and reset links end. A contact who gets a first mail
        address can be invited from then on, unless they have left. Raise `Invalid` for a field that is not valid or a
        mail address that somebody else has. Raise `Invalid` also if `facts` would remove the contact's mail address,
        because the contact signs in with this address.
        """
        values, address = _read(facts)
        credential = await self.credential_or_none()
        if credential and address is None:
            raise Invalid({"email": "They sign in with it: it can be changed, and not be removed."})
        await Contact.update(**values).where(Contact.id == self.id)
        if credential and address:
            await credentials.change_email(credential["id"], address, at)
        elif address:
            opened = await credentials.open_for_contact(self.customer_id, self.id, address, at)
            if self.ended_at:
                await credentials.disable(opened, self.ended_at)

    async def refuse_ended(self) -> None:
        """Raise `Conflict` if the contact has left or the customer has ended: then the contact cannot be invited."""
        await super().refuse_ended()
        customer = await Customer.find(self.customer_id, SYSTEM)
        if customer.ended_at:
            raise Conflict(f"{customer.name} has ended. Take that back before you invite them.")

    async def facts(self) -> ContactFacts:
        """Return the stored values of the contact as the fields of the form that edits the contact."""
        credential = await self.credential_or_none()
        return ContactFacts(
            name=self.name,
            email=credential["email"] if credential else "",
            phone=self.phone or "",
            sees_all_cases=self.sees_all_cases,
            sees_invoices=self.sees_invoices,
            manages_contacts=self.manages_contacts,
            locale=self.locale,
            time_zone=self.time_zone,
        )


async def hold_contact(contact_id: int, *, ending: bool = False) -> None:
    """Take an advisory lock on a contact until the transaction ends, so that nobody who has left is given a case.

    A transaction that makes somebody the contact of a case takes a shared lock. A transaction that ends the contact's
    access takes an exclusive lock (`ending=True`), and so waits for all transactions that hold the shared lock. A row
    lock would need the privilege to update contacts, which a contact who opens a case does not have.
    """
    await current().execute(_HOLD_ALONE if ending else _HOLD, contact_id)


_HOLD = "select pg_advisory_xact_lock_shared(hashtextextended('is given cases', $1))"
_HOLD_ALONE = "select pg_advisory_xact_lock(hashtextextended('is given cases', $1))"


LISTED = f"""
select t.id, t.name, t.phone, c.email, t.sees_all_cases, t.sees_invoices, t.manages_contacts, t.ended_at,
       c.accepted_at, count(*) over () as total
from contact t left join credential c on c.contact_id = t.id
where t.customer_id = $1 order by t.ended_at is not null, folded(t.name), t.id limit {SIZE} offset $2
"""  # noqa: S608
_ANY_SIGNS_IN = """
select exists (select from contact t join credential c on c.contact_id = t.id where t.customer_id = $1 and t.ended_at is null)
"""
_OFFERED = """
select t.id, case when c.id is null then t.name || ' (no mail address)' else t.name end as name
from contact t left join credential c on c.contact_id = t.id
where t.customer_id = $1 and t.ended_at is null order by folded(t.name), t.id limit $2
"""


def _read(facts: ContactFacts) -> tuple[dict[str, Any], str | None]:
    """Return the contact's column values, and their mail address or None. Raise `Invalid` for a field that is not valid."""
    checked = Checked()
    values = {
        "name": checked("name", line, facts.name),
        "phone": checked("phone", optional(phone), facts.phone),
        "sees_all_cases": facts.sees_all_cases,
        "sees_invoices": facts.sees_invoices,
        "manages_contacts": facts.manages_contacts,
        "locale": checked("locale", locale, facts.locale),
        "time_zone": checked("time_zone", time_zone, facts.time_zone),
    }
    address = checked("email", optional(email), facts.email)
    checked.done()
    if address is None and values["phone"] is None:
        raise Invalid({"email": "Write a mail address or a telephone number, so that somebody can reach them."})
    return values, address
