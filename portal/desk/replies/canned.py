"""Canned replies: texts with placeholders that agents insert into what they write, their own or those for everybody."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Text
from piccolo.table import Table

from portal.database import current
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.desk.details import Details
from portal.errors import Forbidden, Invalid, NotFound
from portal.fields import Checked, identifier, in_range, line, optional
from portal.folding import folded
from portal.people.readers import AgentReader
from portal.visible import visible

LONGEST = 10_000
MOST = 20
"""How many replies the composer offers at once; typing finds the others."""
PLACEHOLDERS = {
    "customer": "the customer", "contact": "the contact's name", "first name": "the contact's first name", "agent": "your name",
    "number": "the number of the case", "subject": "its subject", "service": "its service", "company": "our name",
}  # fmt: skip
"""What a text may have in braces, such as `{contact}`, with what stands there afterwards."""
_BRACES = re.compile(r"\{([^{}\n]{1,40})\}")
UNFILLED = re.compile(r"⟦[^⟦⟧\n]{1,40}⟧")
"""A placeholder that could not be filled. No reply is sent with one."""


class CannedFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a canned reply as typed. Without a department or a case type it is offered for all of them."""

    name: str
    text: str
    shared: str = ""
    department_id: str = ""
    case_type_id: str = ""


class CannedReply(Table, tablename="canned_reply"):
    """A canned reply of the agent `agent_id`, or one for everybody if that is None."""

    id: BigSerial = BigSerial(primary_key=True)
    agent_id: Any = BigInt(null=True, default=None)
    name = Text(default=None)
    text = Text(default=None)
    department_id = BigInt(null=True, default=None)
    case_type_id = BigInt(null=True, default=None)

    @classmethod
    async def listed(cls, reader: AgentReader) -> "list[CannedReply]":
        """Return the reader's own replies and those for everybody, sorted by name."""
        seen = cls.agent_id.is_null() | (cls.agent_id == reader.id)
        return sorted(await cls.objects().where(seen), key=lambda reply: (folded(reply.name), reply.id))

    @classmethod
    async def find(cls, reply: int, reader: AgentReader, *, hold: bool = False) -> "CannedReply":
        """Return the reply with this id. Raise `NotFound` for an unknown id or a reply of another agent."""
        found = await one(cls.objects().where(cls.id == in_range(reply)), hold=hold)
        if found.agent_id not in (None, reader.id):
            raise NotFound
        return found

    @classmethod
    async def create(cls, facts: CannedFacts, reader: AgentReader) -> None:
        """Add a reply of the reader's own or, if it is shared, one for everybody.

        Raise `Invalid` for each wrong field, and `Forbidden` if a reader who is no manager shares it.
        """
        reply = cls(**_read(facts, reader))
        async with unless_taken("name", _TAKEN):
            await reply.save()

    async def change(self, facts: CannedFacts, reader: AgentReader) -> None:
        """Save the changed reply. Raise `Forbidden` and `Invalid` as `create` does."""
        self.refuse_change(reader)
        async with unless_taken("name", _TAKEN):
            await CannedReply.update(_read(facts, reader)).where(CannedReply.id == self.id)

    async def discard(self, reader: AgentReader) -> None:
        """Delete the reply. Raise `Forbidden` if it is for everybody and the reader is no manager."""
        self.refuse_change(reader)
        await CannedReply.delete().where(CannedReply.id == self.id)

    def refuse_change(self, reader: AgentReader) -> None:
        """Raise `Forbidden` if the reader may use the reply and not change it."""
        if not (self.agent_id or reader.is_manager):
            raise Forbidden

    @property
    def facts(self) -> CannedFacts:
        """Return the stored values as form fields."""
        return CannedFacts(
            name=self.name, text=self.text, shared="" if self.agent_id else "yes",
            department_id=str(self.department_id or ""), case_type_id=str(self.case_type_id or ""),
        )  # fmt: skip


_TAKEN = "There is a canned reply of this name already."


def _read(facts: CannedFacts, reader: AgentReader) -> dict[Any, Any]:
    """Return the columns of a canned reply from its form fields. Raise `Invalid` and `Forbidden`."""
    if facts.shared and not reader.is_manager:
        raise Forbidden
    checked = Checked()
    columns = {
        "agent_id": None if facts.shared else reader.id, "name": checked("name", line, facts.name), "text": checked("text", _text, facts.text),
        "department_id": checked("department_id", optional(identifier), facts.department_id),
        "case_type_id": checked("case_type_id", optional(identifier), facts.case_type_id),
    }  # fmt: skip
    checked.done()
    return columns


def _text(text: str) -> str:
    read = visible(text).strip()
    if not 0 < len(read) <= LONGEST:
        raise ValueError(f"Write the text, in at most {LONGEST:,} characters.")
    return read


@dataclass(frozen=True, slots=True)
class Filled:
    """A canned reply as it is inserted into a reply on one case: `text` has the values in place of the placeholders."""

    id: int
    name: str
    text: str


async def offered(
    details: Details, reader: AgentReader, company: str, *, search: str = ""
) -> tuple[list[Filled], bool]:
    """Return at most `MOST` replies for a case, sorted by name, and whether there are more.

    They are those for its department and its type, with every word of `search` in their names or texts.
    """
    case = details.case
    rows = await current().fetch(
        _OFFERED, reader.id, case.department_id, case.case_type_id, search.split()[:6], MOST + 1
    )
    values = _values(details, reader, company)
    return [Filled(row["id"], row["name"], filled(row["text"], values)) for row in rows[:MOST]], len(rows) > MOST


async def filled_for(reply: int, details: Details, reader: AgentReader, company: str) -> str:
    """Return the text of the reply with this id for a case. Raise `NotFound` as `CannedReply.find` does."""
    found = await CannedReply.find(reply, reader)
    return filled(found.text, _values(details, reader, company))


_OFFERED = """
select id, name, text from canned_reply where (agent_id is null or agent_id = $1)
  and (department_id is null or department_id = $2 or department_id = (select a.department_id from agent a where a.id = $1))
  and (case_type_id is null or case_type_id = $3)
  and (select bool_and(strpos(folded(name || ' ' || text), folded(word)) > 0) from unnest($4::text[]) as word) is not false
order by folded(name), id limit $5
"""


def _values(details: Details, reader: AgentReader, company: str) -> dict[str, str | None]:
    case, contact = details.case, details.contact_name if details.contact_reads else None
    return {
        "customer": details.customer_name, "contact": contact, "first name": contact and contact.split()[0], "agent": reader.name,
        "number": str(case.number), "subject": case.subject, "service": details.service_name, "company": company,
    }  # fmt: skip


def filled(text: str, values: Mapping[str, str | None]) -> str:
    """Return the text with values in place of the placeholders. What has no value is marked, as in `⟦service⟧`.

    Braces around other words stay as they are.
    """

    def value(found: re.Match[str]) -> str:
        name = " ".join(found[1].casefold().split())
        return found[0] if name not in PLACEHOLDERS else values[name] or f"⟦{name}⟧"

    return _BRACES.sub(value, text)


def refuse_unfilled(text: str) -> None:
    """Raise `Invalid` (`body`) for a text with a placeholder that could not be filled."""
    if left := UNFILLED.search(text):
        raise Invalid({"body": f"Write what {left[0]} stands for, or remove it: this case has no value for it."})
