"""Contacts: the people of a customer who sign in."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal.database import current
from portal.errors import Conflict, NotFound
from portal.fields import Checked, email, in_range, line, optional, phone
from portal.people import credentials, invitations
from portal.people.customers import Customer
from portal.people.offered import Offered, offered
from portal.people.readers import SYSTEM, Reader, System
from portal.regions import locale, time_zone


class ContactFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A contact as typed. The rights are given by the customer: all its cases or only own ones, its invoices, its contacts."""

    name: str
    email: str
    phone: str = ""
    sees_all_cases: bool = False
    sees_invoices: bool = False
    manages_contacts: bool = False
    locale: str = "en_GB"
    time_zone: str


class Contact(Table, tablename="contact"):
    """A person of one customer, for good: whoever changes sides gets a new contact there."""

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

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Contact"]:
        """Agents see every contact, a contact their colleagues."""
        query = cls.objects()
        return query.where(cls.customer_id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(
        cls, contact: int, reader: Reader | System, *, customer: int | None = None, hold: bool = False
    ) -> "Contact":
        """Return the contact; with `hold` nobody else can change it until the transaction ends.

        Raises `NotFound`; also where it is not a contact of `customer`, if one is given (R28).
        """
        query = cls.visible_to(reader).where(cls.id == in_range(contact))
        query = query.lock_rows("NO KEY UPDATE") if hold else query
        found = await (query if customer is None else query.where(cls.customer_id == customer)).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def listed(cls, customer: int) -> list[Any]:
        """Rows of a customer's contacts: id, name, phone, email, the three rights, has_password, ended_at; the ended ones last."""
        return await current().fetch(LISTED, customer)

    @classmethod
    async def offered(cls, customer: int) -> list[Offered]:
        """Return the contacts of a customer who have not ended, by name, for choosing one."""
        return await offered(
            "select id, name from contact where customer_id = $1 and ended_at is null order by folded(name)", customer
        )

    @classmethod
    async def create(cls, customer: Customer, facts: ContactFacts, at: datetime) -> "Contact":
        """A new contact, who needs an invitation to sign in. Raises `Invalid`, or `Conflict` where the customer has ended."""
        values, address = _read(facts)
        if await current().fetchval("select ended_at from customer where id = $1 for share", customer.id):
            raise Conflict(f"{customer.name} has ended. Take that back before you add contacts.")
        contact = await current().fetchval(
            "insert into contact (name, phone, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, customer_id, created_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id",
            *values, customer.id, at,
        )  # fmt: skip
        await credentials.open_for_contact(customer.id, contact, address, at)
        return await cls.find(contact, SYSTEM)

    async def change(self, facts: ContactFacts, at: datetime) -> None:
        """Rights hold from the next request on (R33). Raises `Invalid`."""
        values, address = _read(facts)
        await current().execute(
            "update contact set name = $1, phone = $2, sees_all_cases = $3, sees_invoices = $4, manages_contacts = $5, locale = $6,"
            " time_zone = $7 where id = $8",
            *values, self.id,
        )  # fmt: skip
        await credentials.change_email((await self.credential())["id"], address, at)

    async def end(self, at: datetime) -> None:
        """Out at once, everywhere (R12). What they wrote stays. Repeating it changes nothing."""
        await current().execute("update contact set ended_at = $2 where id = $1 and ended_at is null", self.id, at)
        await credentials.disable((await self.credential())["id"], at)

    async def resume(self) -> None:
        """Take the end back: they may sign in with the password of before."""
        await current().execute("update contact set ended_at = null where id = $1", self.id)
        await credentials.enable((await self.credential())["id"])

    async def invite(self, at: datetime) -> str:
        """Return the token of a new invitation. Raises `Conflict` for a contact who has ended, or whose customer has."""
        customer = await Customer.find(self.customer_id, SYSTEM)
        for who in (self, customer):
            if who.ended_at:
                raise Conflict(f"{who.name} has ended. Take that back before you invite them.")
        return await invitations.invite((await self.credential())["id"], at)

    async def credential(self) -> Any:
        """Row with id and email."""
        return await current().fetchrow("select id, email from credential where contact_id = $1", self.id)

    async def facts(self) -> ContactFacts:
        """As its form shows it."""
        return ContactFacts(
            name=self.name,
            email=(await self.credential())["email"],
            phone=self.phone or "",
            sees_all_cases=self.sees_all_cases,
            sees_invoices=self.sees_invoices,
            manages_contacts=self.manages_contacts,
            locale=self.locale,
            time_zone=self.time_zone,
        )


LISTED = """
select t.id, t.name, t.phone, c.email, t.sees_all_cases, t.sees_invoices, t.manages_contacts, t.ended_at,
       c.has_password
from contact t join credential c on c.contact_id = t.id
where t.customer_id = $1 order by t.ended_at is not null, folded(t.name), t.id
"""


def _read(facts: ContactFacts) -> tuple[list[Any], str]:
    checked = Checked()
    values = [
        checked("name", line, facts.name),
        checked("phone", optional(phone), facts.phone),
        facts.sees_all_cases,
        facts.sees_invoices,
        facts.manages_contacts,
        checked("locale", locale, facts.locale),
        checked("time_zone", time_zone, facts.time_zone),
    ]
    address = checked("email", email, facts.email)
    checked.done()
    return values, address
