"""Change the facts of a case: its subject, type, priority, service, project and contact."""

from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from portal.desk.facts import Facts, checked_facts
from portal.desk.names import contact_name
from portal.desk.verbs.changing import LogLine, agents_only, change, lock
from portal.errors import Conflict
from portal.people.readers import AdministratorReader, Reader

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def change_facts(case: "Case", *, by: Reader, at: datetime, **facts: Unpack[Facts]) -> None:
    """Change facts of the case: any of subject, type, priority, service, project and contact.

    Facts that are not given stay. Administrators of the customer may change only the contact. The log gets a line for
    each change. Raise `Conflict` if somebody has changed one of the facts since the case was loaded, and `Invalid` for
    a value that the case cannot have.
    """
    if not (isinstance(by, AdministratorReader) and facts.keys() == {"contact_id"}):
        agents_only(by)
    checked = await checked_facts(facts, case.customer_id)
    seen = {column: getattr(case, column) for column in checked}
    await lock(case, by)
    changed = {column: fact for column, fact in checked.items() if getattr(case, column) != fact.value}
    if any(getattr(case, column) != seen[column] for column in changed):
        raise Conflict
    if not changed:
        return
    contact = {"contact": await contact_name(case.contact_id)} if "contact_id" in changed else {}
    former = {"subject": case.subject} | contact
    lines: list[LogLine] = [
        (fact.kind, ({"from": former[fact.kind]} if fact.kind in former else {}) | {"to": fact.word})
        for fact in changed.values()
    ]
    await change(case, {column: fact.value for column, fact in changed.items()}, lines, by, at)
