"""Create a contact for a caller who is not a contact yet, in the form that opens the caller's case.

A caller is known by telephone number or by mail address. Forms that create a contact of the same customer are handled
one after the other, so that two agents who take calls of the same person do not create the contact twice.
"""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from portal.database import current
from portal.errors import Invalid
from portal.people.contact_search import mail_part, telephone_digits
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.visible import visible

FIELDS = {"name": "new_name", "email": "new_email", "phone": "new_phone"}
"""The names of the form fields of a new contact, by the names of the fields of `ContactFacts`."""


class Known(NamedTuple):
    """An existing contact with the mail address or telephone number that was typed into the form field `field`."""

    field: str
    id: int
    name: str


class NewCaller(Struct, kw_only=True):
    """Form fields of a contact who does not exist yet.

    If `new_invited`, an invitation is mailed to the contact. If `new_beside`, the new contact may have the telephone
    number of an existing contact, because several people can have a telephone number in common.
    """

    new_name: str = ""
    new_email: str = ""
    new_phone: str = ""
    new_invited: bool = False
    new_beside: bool = False

    @classmethod
    def sought(cls, text: str) -> "NewCaller":
        """Return form fields in which `text` is the new contact's telephone number, mail address or name.

        An agent has searched for `text`, and no contact was found. `text` becomes the telephone number if it looks like
        one, else the mail address if it contains an @, else the name.
        """
        said = visible(" ".join(text.split()))[:200]
        if telephone_digits(said):
            return cls(new_phone=said)
        return cls(new_email=said) if "@" in said else cls(new_name=said)

    @property
    def is_given(self) -> bool:
        """Return whether the name, mail address or telephone number of a new contact was typed."""
        return bool(f"{self.new_name}{self.new_email}{self.new_phone}".strip())

    async def known(self, customer: int) -> Known | None:
        """Return the customer's contact who has the typed mail address, else the one with the typed telephone number.

        Return None if no contact has either of them. Contacts who have left are not considered.
        """
        digits, address = telephone_digits(self.new_phone), mail_part(self.new_email)
        for field, value, sql in (("new_email", address, _SAME_ADDRESS), ("new_phone", digits, _SAME_NUMBER)):
            if value and (row := await current().fetchrow(sql, value, customer)):
                return Known(field, row["id"], row["name"])
        return None

    async def create(self, customer: int, *, by: AgentReader, at: datetime) -> Contact:
        """Create the contact for the customer with this id. With `new_invited`, also mail the contact an invitation.

        The contact sees only their own cases. Raise `Invalid` for a field that is not valid, or for `new_invited`
        without a mail address. Raise `Invalid` also if another contact of the customer has the mail address or, without
        `new_beside`, the telephone number; the message names that contact.
        """
        await current().execute("select pg_advisory_xact_lock(hashtextextended('new callers', $1))", customer)
        known = await self.known(customer)
        if known and not (known.field == "new_phone" and self.new_beside):
            raise Invalid(
                {known.field: f"That is {known.name}. Choose them as the contact, or write another one here."}
            )
        if self.new_invited and not self.new_email.strip():
            raise Invalid({"new_email": "Write the mail address to which the invitation goes."})
        facts = ContactFacts(
            name=self.new_name, email=self.new_email, phone=self.new_phone, time_zone=by.time_zone, locale=by.locale
        )
        try:
            contact = await Contact.create(await Customer.find(customer, by), facts, at)
        except Invalid as refusal:
            raise Invalid({FIELDS.get(name, name): said for name, said in refusal.fields.items()}) from None
        if self.new_invited:
            await contact.mail_link(at)
        return contact


_SAME_ADDRESS = """
select t.id, t.name from contact t join credential c on c.contact_id = t.id
where c.email = $1 and t.customer_id = $2 and t.ended_at is null
"""
# A number may be written without the country code or the area code. So two spellings belong to the same number if the
# longer one ends with the shorter one.
_SAME_NUMBER = r"""
select t.id, t.name from contact t
cross join lateral (select ltrim(regexp_replace(replace(t.phone, '(0)', ''), '\D', '', 'g'), '0') as digits) d
where t.customer_id = $2 and t.ended_at is null and length(d.digits) >= 5
  and (right(d.digits, length($1)) = $1 or right($1, length(d.digits)) = d.digits)
order by t.id limit 1
"""
