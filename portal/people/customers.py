"""Customers: the organisations that we support."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigSerial, Char, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal.database import current
from portal.database.finder import Finder
from portal.database.uniqueness import unless_taken
from portal.errors import NotFound
from portal.fields import Checked, in_range, line, optional, vat_id
from portal.people import invitations, sessions
from portal.people.offered import Offered, offered
from portal.people.readers import SYSTEM, Reader, System
from portal.regions import country


class CustomerFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A customer as typed. Without a legal name the name is the legal one; the address is where invoices go."""

    name: str
    legal_name: str = ""
    street: str
    postcode: str
    city: str
    country: str
    vat_id: str = ""


class Customer(Table, tablename="customer"):
    """An organisation. It owns everything that its contacts may see."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    legal_name = Text(default=None)
    street = Text(default=None)
    postcode = Text(default=None)
    city = Text(default=None)
    country = Char(length=2, default=None)
    vat_id = Text(null=True, default=None)
    created_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Customer"]:
        """Agents see every customer, a contact their own."""
        query = cls.objects()
        return query.where(cls.id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(cls, customer: int, reader: Reader | System, *, hold: bool = False) -> "Customer":
        """Return the customer; with `hold` nobody else can change it until the transaction ends.

        Raises `NotFound`, also for another customer than the contact's own.
        """
        query = cls.visible_to(reader).where(cls.id == in_range(customer))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def offered(cls) -> list[Offered]:
        """Those that have not ended, by name, for choosing one."""
        return await offered("select id, name from customer where ended_at is null order by folded(name), id")

    @classmethod
    async def listed(cls, search: str = "") -> list[Any]:
        """Rows for the agents' list: id, name, city, country, vat_id, contacts (their number), ended_at; the ended ones last."""
        return await current().fetch(LISTED, f"%{_literal(search)}%")

    @classmethod
    async def create(cls, facts: CustomerFacts, at: datetime) -> "Customer":
        """A new customer. Raises `Invalid` with a sentence for each field that cannot be used."""
        values = _read(facts)
        async with unless_taken("name", f"There is a customer “{values['name']}” already.") as tx:
            customer = await tx.fetchval(
                "insert into customer (name, legal_name, street, postcode, city, country, vat_id, created_at)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
                *values.values(), at,
            )  # fmt: skip
        return await cls.find(customer, SYSTEM)

    async def change(self, facts: CustomerFacts) -> None:
        """Issued invoices keep what they copied."""
        values = _read(facts)
        async with unless_taken("name", f"There is a customer “{values['name']}” already.") as tx:
            await tx.execute(
                "update customer set name = $1, legal_name = $2, street = $3, postcode = $4, city = $5, country = $6, vat_id = $7"
                " where id = $8",
                *values.values(), self.id,
            )  # fmt: skip

    async def end(self, at: datetime) -> None:
        """Its contacts are out at once, everywhere (R12), and it is offered nowhere. Repeating it changes nothing."""
        await current().execute("update customer set ended_at = $2 where id = $1 and ended_at is null", self.id, at)
        for row in await current().fetch("select id from credential where customer_id = $1 order by id", self.id):
            await sessions.end_all(row["id"], at)
            await invitations.end_all(row["id"], at)

    async def resume(self) -> None:
        """Take the end back."""
        await current().execute("update customer set ended_at = null where id = $1", self.id)

    @property
    def facts(self) -> CustomerFacts:
        """As its form shows it."""
        return CustomerFacts(
            name=self.name,
            legal_name=self.legal_name,
            street=self.street,
            postcode=self.postcode,
            city=self.city,
            country=self.country,
            vat_id=self.vat_id or "",
        )


LISTED = """
select u.id, u.name, u.city, u.country, u.vat_id, u.ended_at, count(t.id) as contacts
from customer u left join contact t on t.customer_id = u.id and t.ended_at is null
where u.name ilike $1 or u.legal_name ilike $1 or u.city ilike $1
group by u.id order by u.ended_at is not null, folded(u.name)
"""


def _literal(search: str) -> str:
    """The text for LIKE, in which nothing stands for something else."""
    return search.strip()[:100].replace("\0", "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _read(facts: CustomerFacts) -> dict[str, str | None]:
    checked = Checked()
    values: dict[str, str | None] = {
        "name": checked("name", line, facts.name),
        "legal_name": checked("legal_name", line, facts.legal_name.strip() or facts.name.strip() or "-"),
        "street": checked("street", line, facts.street),
        "postcode": checked("postcode", line, facts.postcode),
        "city": checked("city", line, facts.city),
        "country": checked("country", country, facts.country),
        "vat_id": checked("vat_id", optional(vat_id), facts.vat_id),
    }
    checked.done()
    return values


CUSTOMERS = Finder(
    "customer",
    "select id, name, case when ended_at is null then '' else 'ended' end as about, ended_at is not null as is_last from customer",
)
"""For filters, which know ended ones too: their cases are still there."""
