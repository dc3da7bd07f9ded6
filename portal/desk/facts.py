"""What is said about a case beside its dialogue: subject, type, priority, service; what it is checked against and what it follows from."""

from dataclasses import dataclass
from typing import TypedDict

from portal.contracts.naming import shown_service
from portal.database import current
from portal.desk.workflow import Priority
from portal.errors import Invalid, NotFound
from portal.fields import one_line

LONGEST_SUBJECT = 200
CHOOSE = "Choose one of the list."

_SERVICE = f"select {shown_service('s.id')} from service s where s.id = $1 and s.customer_id = $2"  # noqa: S608


class Facts(TypedDict, total=False):
    """What an agent changes at once; what is left out stays as it is. `service_id` None takes the service off."""

    subject: str
    case_type_id: int
    priority: int
    service_id: int | None
    contact_id: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One checked value: its kind of event, and how people call it."""

    kind: str
    value: object
    word: str | None


async def checked_facts(facts: Facts, customer_id: int) -> dict[str, Fact]:
    """Return the facts by column. Raises `Invalid` by field: `subject`, `case_type`, `priority`, `service` and `contact` (only the
    customer's own, R29)."""
    tx, checked, problems = current(), dict[str, Fact](), dict[str, str]()
    if "subject" in facts:
        subject, problems = checked_subject(facts["subject"])
        checked["subject"] = Fact("subject", subject, subject)
    if "case_type_id" in facts:
        name = await tx.fetchval("select name from case_type where id = $1 and ended_at is null", facts["case_type_id"])
        problems |= {} if name else {"case_type": CHOOSE}
        checked["case_type_id"] = Fact("type", facts["case_type_id"], name)
    if "priority" in facts:
        known = facts["priority"] in list(Priority)
        problems |= {} if known else {"priority": CHOOSE}
        checked["priority"] = Fact("priority", facts["priority"], Priority(facts["priority"]).word if known else None)
    if "service_id" in facts:
        service_id, name = facts["service_id"], None
        if service_id is not None:
            name = await tx.fetchval(_SERVICE, service_id, customer_id)
            problems |= {} if name else {"service": "Choose a service of this customer."}
        checked["service_id"] = Fact("service", service_id, name)
    if "contact_id" in facts:
        name = await tx.fetchval(
            "select name from contact where id = $1 and customer_id = $2 and ended_at is null",
            facts["contact_id"], customer_id,
        )  # fmt: skip
        problems |= {} if name else {"contact": "Choose a contact of this customer."}
        checked["contact_id"] = Fact("contact", facts["contact_id"], name)
    if problems:
        raise Invalid(problems)
    return checked


def checked_subject(subject: str) -> tuple[str, dict[str, str]]:
    """The subject on one line and without invisible letters, and what is wrong with it."""
    subject = one_line(subject)
    if not subject:
        return subject, {"subject": "Write a few words, so that everybody recognises the case in a list."}
    if len(subject) > LONGEST_SUBJECT:
        return subject, {"subject": f"Use at most {LONGEST_SUBJECT} characters; the rest belongs into the text."}
    return subject, {}


@dataclass(frozen=True, slots=True)
class Ground:
    """What a new case follows from; `problems` by field where it cannot be opened."""

    customer_id: int | None
    contact_id: int | None
    service_id: int | None
    problems: dict[str, str]


async def ground_of(contact_id: int | None, case_type_id: int, customer_id: int | None = None) -> Ground:
    """Look up the contact's customer and the service: the customer's default for the type, else the customer's default, else none."""
    # Under a contact's reader the database shows the own customer only, so nobody else's contact is found (R29).
    row = await current().fetchrow(
        """select o.customer_id, t.id is not null as type_is_offered,
             (select d.service_id from default_service d where d.customer_id = o.customer_id and (d.case_type_id = $2 or d.case_type_id is null)
              order by d.case_type_id nulls last limit 1) as service_id
        from (select 1) as one left join contact o on o.id = $1 and o.ended_at is null and o.customer_id = coalesce($3, o.customer_id)
          and not exists (select from customer u where u.id = o.customer_id and u.ended_at is not null)
        left join case_type t on t.id = $2 and t.ended_at is null""",
        contact_id, case_type_id, customer_id,
    )  # fmt: skip
    problems = {} if row["type_is_offered"] else {"case_type": CHOOSE}
    if row["customer_id"] is None:
        problems["contact"] = "Choose who asks."
    return Ground(row["customer_id"], contact_id, row["service_id"], problems)


def number_of(number: str | int) -> int:
    """A case number as people quote it in an address; `NotFound` where it can be none."""
    text = str(number)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    return int(text)


async def contact_name(contact_id: int) -> str:
    """Return a contact's name."""
    name: str = await current().fetchval("select name from contact where id = $1", contact_id)
    return name


async def agent_name(agent_id: int, *, who_works: bool = False) -> str:
    """An agent's name; with `who_works` raises `Invalid` (`agent`) for one who is none or has left."""
    row = await current().fetchrow("select name, ended_at is null as works from agent where id = $1", agent_id)
    if row is None or (who_works and not row["works"]):
        raise Invalid({"agent": "Choose an agent who works here."})
    name: str = row["name"]
    return name


async def works(agent_id: int) -> bool:
    """Return whether an agent has not ended."""
    return bool(await current().fetchval("select ended_at is null from agent where id = $1", agent_id))
