"""Check the values of a case that agents change: subject, type, priority, service, project and contact."""

from dataclasses import dataclass
from typing import TypedDict

from portal.contracts.naming import shown_service
from portal.database import current
from portal.desk.workflow import Priority
from portal.desk.workflow.priorities import name_of
from portal.errors import Invalid
from portal.fields import one_line
from portal.people.contacts import hold_contact

LONGEST_SUBJECT = 200
CHOOSE = "Choose one from the list."

_SERVICE = f"select {shown_service('s.id')} from service s where s.id = $1 and s.customer_id = $2"  # noqa: S608

_PROJECT = "select name from project where id = $1 and customer_id = $2"


class Facts(TypedDict, total=False):
    """New values for a case, by field. A field whose key is missing does not change.

    None as `service_id` or `project_id` removes the service or the project from the case.
    """

    subject: str
    case_type_id: int
    priority: int
    service_id: int | None
    project_id: int | None
    contact_id: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A checked new value of a case.

    `kind` is the kind of the event that records the change in the log. `value` is the value of the column. `word` is
    the value as the log shows it, such as the name of the service; None if the value is removed.
    """

    kind: str
    value: object
    word: str | None


async def checked_facts(facts: Facts, customer_id: int) -> dict[str, Fact]:
    """Check new values of a case, and return them by column name.

    A new contact is locked (`hold_contact`), so that nobody can end the contact's access before the transaction ends.
    Raise `Invalid` with a message for each field that is not valid: `subject`, `case_type`, `priority`, `service`,
    `project` and `contact`. The last three must belong to the customer with the id `customer_id` (R29).
    """
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
        checked["priority"] = Fact("priority", facts["priority"], await name_of(facts["priority"]) if known else None)
    for noun, sql in (("service", _SERVICE), ("project", _PROJECT)):
        row_id, name = facts.get(f"{noun}_id"), None
        if row_id is not None:
            name = await tx.fetchval(sql, row_id, customer_id)
            problems |= {} if name else {noun: f"Choose a {noun} of this customer."}
        if f"{noun}_id" in facts:
            checked[f"{noun}_id"] = Fact(noun, row_id, name)
    if "contact_id" in facts:
        await hold_contact(facts["contact_id"])
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
    """Return the subject without line breaks and invisible characters, and a dictionary of error messages.

    If the subject is not valid, the dictionary has an error message under the key `subject`; otherwise it is empty.
    """
    subject = one_line(subject)
    if not subject:
        return subject, {"subject": "Write a few words, so that everybody recognises the case in a list."}
    if len(subject) > LONGEST_SUBJECT:
        return subject, {"subject": f"Use at most {LONGEST_SUBJECT} characters; the rest belongs in the text."}
    return subject, {}
