"""Customers: the organisations that the company supports."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigSerial, Boolean, Char, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal.database.finder import Finder
from portal.database.pages import SIZE, Page, page_of
from portal.database.rows import Endable, one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, email, in_range, optional, vat_id
from portal.people.access import credentials, invitations, sessions
from portal.people.contact_search import BY_MAIL, BY_NAME, BY_TELEPHONE, PUNCTUATION, mail_part, telephone_digits
from portal.people.offered import Offered, offered
from portal.people.parties import PartyFacts, read_party
from portal.people.readers import Reader, System


class CustomerFacts(PartyFacts, kw_only=True):
    """Form fields of a customer as typed, not validated yet: the fields of `PartyFacts`, and the VAT number."""

    vat_id: str = ""


class DeliveryFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of how the invoices of a customer are mailed, as typed.

    With `invoices_by_mail`, each invoice is mailed to the contacts who may see invoices. `email` is the accounts
    address, to which each invoice is mailed too; nobody signs in with this mail address. With `invoices_with_csv`, a
    CSV file with the time detail is attached to these mails besides the PDF (C7).
    """

    invoices_by_mail: bool = False
    email: str = ""
    invoices_with_csv: bool = False


class Customer(Endable, Table, tablename="customer"):
    """One customer. Every table with rows that contacts may see has a column `customer_id` with the customer's id.

    With `invoices_by_mail`, each invoice is mailed to the contacts who may see invoices. In any case, it is mailed to
    the accounts address `email`, unless that is None. With `invoices_with_csv`, a CSV file with the time detail is
    attached to these mails.
    """

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
    email = Text(null=True, default=None)
    invoices_by_mail = Boolean(default=True)
    invoices_with_csv = Boolean(default=False)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Customer"]:
        """Return a query of the customers that the reader may see: agents see all, a contact only their own."""
        query = cls.objects()
        return query.where(cls.id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(cls, customer: int, reader: Reader | System, *, hold: bool = False) -> "Customer":
        """Return the customer with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for a customer that the reader may not see.
        """
        return await one(cls.visible_to(reader).where(cls.id == in_range(customer)), hold=hold)

    @classmethod
    async def offered(cls) -> list[Offered]:
        """Return the customers that have not ended, sorted by name, as options of a form field."""
        return await offered(cls.select(cls.id, cls.name).where(cls.ended_at.is_null()))

    @classmethod
    async def listed(cls, search: str = "", number: int | None = None) -> Page:
        """Return the page `number` of the customers that `search` finds as rows, sorted by name.

        Each of the first `MOST_WORDS` words has to occur in the name, the legal name or the city of the customer, or in
        the name or mail address of one of its contacts who have not left. If the whole text is a telephone number, the
        customers of contacts whose number contains it are found too. Customers that have ended come last. Columns: id,
        name, city, country, vat_id, ended_at, contacts (the number of contacts who have not left).
        """
        conditions, values = [], list[str]()
        for condition, value in _conditions_of(search[:LONGEST_TEXT].replace("\0", "")):
            values.append(value)
            conditions.append(condition.replace("?", f"${len(values)}"))
        sql = LISTED.format(condition=" and ".join(conditions) or "true", size=SIZE, offset=f"${len(values) + 1}")
        return await page_of(sql, *values, number=number)

    @classmethod
    async def create(cls, facts: CustomerFacts, at: datetime) -> "Customer":
        """Create a customer. Raise `Invalid` if a field is not valid, or if another customer has this name."""
        customer = cls(**_read(facts), created_at=at)
        async with unless_taken("name", f"There is a customer “{customer.name}” already."):
            await customer.save()
        return customer

    async def change(self, facts: CustomerFacts) -> None:
        """Replace every field of the customer. Issued invoices keep the old values.

        Raise `Invalid` as `create` does.
        """
        values = _read(facts)
        async with unless_taken("name", f"There is a customer “{values['name']}” already."):
            await Customer.update(**values).where(Customer.id == self.id)

    async def deliver(self, facts: DeliveryFacts) -> None:
        """Change how the customer's invoices are mailed from now on.

        Raise `Invalid` at the field `email` for text that is not a mail address.
        """
        checked = Checked()
        address = checked("email", optional(email), facts.email)
        checked.done()
        await Customer.update(
            email=address, invoices_by_mail=facts.invoices_by_mail, invoices_with_csv=facts.invoices_with_csv
        ).where(Customer.id == self.id)

    @property
    def delivery(self) -> DeliveryFacts:
        """Return the fields of the form that changes how the customer's invoices are mailed, with the stored values."""
        return DeliveryFacts(
            invoices_by_mail=self.invoices_by_mail, email=self.email or "", invoices_with_csv=self.invoices_with_csv
        )

    async def end(self, at: datetime) -> None:
        """End the customer: forms no longer offer it, and its contacts' sessions and open links end at once (R12).

        Calling it again has no further effect.
        """
        await super().end(at)
        for credential in await credentials.of_customer(self.id):
            await sessions.end_all(credential, at)
            await invitations.end_all(credential, at)

    async def resume(self) -> None:
        """Resume a customer that has ended. Its contacts may sign in again."""
        await super().resume()

    @property
    def facts(self) -> CustomerFacts:
        """Return the stored values of the customer as the fields of the form that edits the customer."""
        return CustomerFacts(**{name: getattr(self, name) or "" for name in CustomerFacts.__struct_fields__})


LISTED = """
select u.id, u.name, u.city, u.country, u.vat_id, u.ended_at, count(t.id) as contacts, count(*) over () as total
from customer u left join contact t on t.customer_id = u.id and t.ended_at is null
where {condition}
group by u.id order by u.ended_at is not null, folded(u.name), u.id limit {size} offset {offset}
"""


_HAS_CONTACT = "u.id in (select customer_id from contact where ended_at is null and ({}))"
_NAMED = " or ".join(
    f"strpos(folded({column}), (select folded(?))) > 0" for column in ("u.name", "u.legal_name", "u.city")
)
LONGEST_TEXT, MOST_WORDS = 200, 6


def _conditions_of(search: str) -> Iterator[tuple[str, str]]:
    """Yield an SQL condition and its parameter for each word of the search text.

    If the whole text is a telephone number, yield a single condition for its digits. Each `?` in a condition stands for
    the parameter.
    """
    if digits := telephone_digits(search.strip()):
        yield f"({_HAS_CONTACT.format(BY_TELEPHONE)} or {_NAMED})", digits
        return
    for word in search.split()[:MOST_WORDS]:
        bare = word.strip(PUNCTUATION) or word
        mail = mail_part(bare)
        yield f"({_HAS_CONTACT.format(BY_MAIL if mail else BY_NAME)} or {_NAMED})", mail or bare


def _read(facts: CustomerFacts) -> dict[str, Any]:
    """Validate the fields, and return the customer's column values. Raise `Invalid` for a field that is not valid."""
    checked = Checked()
    values = {
        **read_party(checked, facts),
        "vat_id": checked("vat_id", optional(vat_id), facts.vat_id),
    }
    checked.done()
    return values


CUSTOMERS = Finder(
    "customer",
    "select id, name, case when ended_at is null then '' else 'ended' end as about, ended_at is not null as is_last from customer",
)
"""Type-ahead search of customers for filters. It also finds customers that have ended, because their cases remain."""
