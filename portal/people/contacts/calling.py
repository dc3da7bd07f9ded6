"""Create a contact for a caller who is not a contact yet, in the form that opens the caller's case."""

from datetime import datetime

from msgspec import Struct

from portal.database import current
from portal.errors import Invalid
from portal.people.contact_search import BY_TELEPHONE, telephone_digits
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.visible import visible

FIELDS = {"name": "new_name", "email": "new_email", "phone": "new_phone"}
"""The names of the form fields of a new contact, by the names of the fields of `ContactFacts`."""


class NewCaller(Struct, kw_only=True):
    """Form fields of a contact who does not exist yet. With `new_invited`, the portal mails them an invitation."""

    new_name: str = ""
    new_email: str = ""
    new_phone: str = ""
    new_invited: bool = False

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

    async def create(self, customer: int, *, by: AgentReader, at: datetime) -> Contact:
        """Create the contact for the customer with this id. With `new_invited`, also mail the contact an invitation.

        The contact sees only their own cases. Raise `Invalid` for a field that is not valid, and for a mail address or
        a telephone number that another contact of the customer has; the message names the other contact.
        """
        digits, address = telephone_digits(self.new_phone), self.new_email.strip().lower()
        for field, value, sql in (("new_email", address, _SAME_ADDRESS), ("new_phone", digits, _SAME_NUMBER)):
            if value and (name := await current().fetchval(sql, value, customer)):
                raise Invalid({field: f"That is {name}. Choose them as the contact, or write another one here."})
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
select t.name from contact t join credential c on c.contact_id = t.id where c.email = $1 and t.customer_id = $2 and t.ended_at is null
"""
_SAME_NUMBER = f"select name from contact where {BY_TELEPHONE.replace('?', '$1')} and customer_id = $2 and ended_at is null limit 1"  # noqa: S608
