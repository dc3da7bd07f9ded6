"""Canned replies: texts with placeholders that agents insert into replies. They are private or for all agents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Text
from piccolo.table import Table

from portal.database import current
from portal.database.pages import SIZE, Page, page_of
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.desk.details import Details
from portal.errors import Forbidden, Invalid, NotFound
from portal.fields import Checked, identifier, in_range, line, optional
from portal.people.readers import AgentReader
from portal.visible import visible

LONGEST = 10_000
MOST = 20
"""How many canned replies are offered at once; typing finds the others."""
PLACEHOLDERS = {
    "customer": "the customer", "contact": "the contact's name", "first name": "the contact's first name", "agent": "your name",
    "number": "the number of the case", "subject": "its subject", "service": "its service", "company": "our name",
}  # fmt: skip
"""The placeholders that a text may have in braces, such as `{contact}`, each with a description of its value."""
_BRACES = re.compile(r"\{([^{}\n]{1,40})\}")
UNFILLED = re.compile(r"⟦[^⟦⟧\n]{1,40}⟧")
"""A placeholder without a value, such as `⟦service⟧`. A reply that contains one is refused."""


class CannedFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a canned reply as typed. `shared` is "yes" for a reply for all agents.

    Without `department_id`, the reply is offered for all departments; without `case_type_id`, for all case types.
    """

    name: str
    text: str
    shared: str = ""
    department_id: str = ""
    case_type_id: str = ""


class CannedReply(Table, tablename="canned_reply"):
    """A canned reply of the agent `agent_id`, or one for all agents if `agent_id` is None.

    `department_id` and `case_type_id` limit the cases for which the reply is offered.
    """

    id: BigSerial = BigSerial(primary_key=True)
    agent_id: Any = BigInt(null=True, default=None)
    name = Text(default=None)
    text = Text(default=None)
    department_id = BigInt(null=True, default=None)
    case_type_id = BigInt(null=True, default=None)

    @classmethod
    async def listed(cls, reader: AgentReader, search: str = "", number: int | None = None) -> Page:
        """Return the page `number` of the canned replies that are the reader's own or for all agents, sorted by name.

        Only replies that have each of the first six words of `search` in their name or text are listed. Columns of the
        rows: id, agent_id, name, and the beginning of the text.
        """
        return await page_of(_LISTED, reader.id, search.split()[:6], number=number)

    @classmethod
    async def find(cls, reply: int, reader: AgentReader, *, hold: bool = False) -> "CannedReply":
        """Return the canned reply with this id; with `hold`, lock its row.

        Raise `NotFound` for an unknown id, and for a private reply of another agent.
        """
        found = await one(cls.objects().where(cls.id == in_range(reply)), hold=hold)
        if found.agent_id not in (None, reader.id):
            raise NotFound
        return found

    @classmethod
    async def create(cls, facts: CannedFacts, reader: AgentReader) -> None:
        """Create a canned reply: a private one of the reader or, if `facts.shared`, one for all agents.

        Raise `Invalid` with a message for each field that is not valid, and `Forbidden` if the reader shares the reply
        without being a manager.
        """
        reply = cls(**_read(facts, reader))
        async with unless_taken("name", _TAKEN):
            await reply.save()

    async def change(self, facts: CannedFacts, reader: AgentReader) -> None:
        """Replace all values of the canned reply with the values in `facts`.

        Raise `Forbidden` as `refuse_change` and `create` do, and `Invalid` as `create` does.
        """
        self.refuse_change(reader)
        async with unless_taken("name", _TAKEN):
            await CannedReply.update(_read(facts, reader)).where(CannedReply.id == self.id)

    async def discard(self, reader: AgentReader) -> None:
        """Delete the canned reply. Raise `Forbidden` as `refuse_change` does."""
        self.refuse_change(reader)
        await CannedReply.delete().where(CannedReply.id == self.id)

    def refuse_change(self, reader: AgentReader) -> None:
        """Raise `Forbidden` if the canned reply is for all agents and the reader is not a manager."""
        if not (self.agent_id or reader.is_manager):
            raise Forbidden

    @property
    def facts(self) -> CannedFacts:
        """Return the present values of the canned reply as form fields."""
        return CannedFacts(
            name=self.name, text=self.text, shared="" if self.agent_id else "yes",
            department_id=str(self.department_id or ""), case_type_id=str(self.case_type_id or ""),
        )  # fmt: skip


_TAKEN = "There is a canned reply of this name already."


def _read(facts: CannedFacts, reader: AgentReader) -> dict[Any, Any]:
    """Return the columns of a canned reply from its form fields. Raise `Invalid` and `Forbidden` as `create` does."""
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
    """A canned reply for one case: `text` has values in place of the placeholders."""

    id: int
    name: str
    text: str


async def offered(
    details: Details, reader: AgentReader, company: str, *, search: str = ""
) -> tuple[list[Filled], bool]:
    """Return at most `MOST` canned replies for a case, sorted by name, and whether there are more.

    A reply for one case type is offered only for cases of this type. A reply for one department is offered only if the
    case or the reader belongs to this department. Only replies that have each of the first six words of `search` in
    their name or text are offered.
    """
    case = details.case
    rows = await current().fetch(
        _OFFERED, reader.id, case.department_id, case.case_type_id, search.split()[:6], MOST + 1
    )
    values = _values(details, reader, company)
    return [Filled(row["id"], row["name"], filled(row["text"], values)) for row in rows[:MOST]], len(rows) > MOST


async def filled_for(reply: int, details: Details, reader: AgentReader, company: str) -> str:
    """Return the text of the canned reply with this id for a case. Raise `NotFound` as `CannedReply.find` does."""
    found = await CannedReply.find(reply, reader)
    return filled(found.text, _values(details, reader, company))


_LISTED = f"""
select id, agent_id, name, left(text, 200) as text, count(*) over () as total from canned_reply where (agent_id is null or agent_id = $1)
  and (select bool_and(strpos(folded(name || ' ' || text), folded(word)) > 0) from unnest($2::text[]) as word) is not false
order by folded(name), id limit {SIZE} offset $3
"""  # noqa: S608
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
    """Return the text with values in place of the placeholders.

    A placeholder without a value is marked, as in `⟦service⟧`. Other words in braces stay as they are.
    """

    def value(found: re.Match[str]) -> str:
        name = " ".join(found[1].casefold().split())
        return found[0] if name not in PLACEHOLDERS else values[name] or f"⟦{name}⟧"

    return _BRACES.sub(value, text)


def refuse_unfilled(text: str) -> None:
    """Raise `Invalid` at the field `body` if a placeholder without a value, such as `⟦service⟧`, is in the text."""
    if left := UNFILLED.search(text):
        raise Invalid({"body": f"Write what {left[0]} stands for, or remove it: this case has no value for it."})
