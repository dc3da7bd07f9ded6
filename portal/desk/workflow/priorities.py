"""Store the names of the four priorities, which of them contacts may choose, and which one forms preselect (S3.19)."""

import json
from typing import Any, NamedTuple

from msgspec import Struct
from piccolo.columns import Boolean, SmallInt, Text
from piccolo.table import Table

from portal.database import current
from portal.database.uniqueness import unless_taken
from portal.desk.workflow import Priority
from portal.fields import Checked, line, one_of, yes_or_no

LONGEST = 40
"""The maximum number of characters of a name, so that it fits a line of a case."""
Choices = list[tuple[int, str]]
"""The options of a select field for the priority: number and name, the least urgent first."""


class PriorityFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the priorities as typed: four names, `yes` or `no`, and the number of the preselected priority.

    `yes` means that contacts may choose the priority. Contacts may always choose the normal priority, so there is no
    form field for whether they may.
    """

    name_urgent: str
    name_high: str
    name_normal: str
    name_low: str
    for_contacts_urgent: str = "yes"
    for_contacts_high: str = "yes"
    for_contacts_low: str = "yes"
    preselected: str = "2"


class CasePriority(Table, tablename="case_priority"):
    """What admins set about a priority: its name, whether contacts may choose it, and whether forms preselect it.

    `id` is a number of `Priority`. Rules and deadlines depend on this number, not on the name.
    """

    id = SmallInt(primary_key=True, default=None)
    name = Text(default=None)
    for_contacts = Boolean(default=None)
    is_preselected = Boolean(default=None)

    @property
    def priority(self) -> Priority:
        """Return the column `id` as a member of `Priority`."""
        return Priority(self.id)


class Offered(NamedTuple):
    """The priorities that a form offers. `preselected` is the number of the priority that the form preselects."""

    choices: Choices
    preselected: int


async def listed(*, hold: bool = False) -> list[CasePriority]:
    """Return the four priorities, the least urgent first. With `hold`, lock them until the transaction ends."""
    query = CasePriority.objects().order_by(CasePriority.id)
    return await (query.lock_rows("NO KEY UPDATE") if hold else query)


async def offered(*, to_contact: bool) -> Offered:
    """Return the priorities that a form for a new case offers.

    If contacts may not choose the preselected priority, their form preselects the normal priority, which they may
    always choose.
    """
    found = [one for one in await listed() if one.for_contacts or not to_contact]
    first = next((one.id for one in found if one.is_preselected), Priority.NORMAL.value)
    return Offered([(one.id, one.name) for one in found], first)


async def choices() -> Choices:
    """Return the priorities that an agent may set."""
    return (await offered(to_contact=False)).choices


async def name_of(priority: int) -> str:
    """Return the name of a priority, which is a number of `Priority`."""
    found: str = await current().fetchval("select name from case_priority where id = $1", priority)
    return found


def priority_sql(alias: str) -> str:
    """Return the SQL expression for the name of the priority of the case `alias`."""
    return f"(select w.name from case_priority w where w.id = {alias}.priority)"  # noqa: S608


CHOICES_SQL = "(select json_agg(json_build_array(w.id, w.name) order by w.id) from case_priority w)::text"
"""The SQL expression for `choices`, as JSON for `read_choices`."""


def read_choices(text: str) -> Choices:
    """Parse the JSON that the SQL expression `CHOICES_SQL` yields, and return the priorities."""
    return [(id, name) for id, name in json.loads(text)]


def facts_of(found: list[CasePriority]) -> PriorityFacts:
    """Return the settings of the four priorities as form fields."""
    fields = {f"name_{_key(one.priority)}": one.name for one in found}
    fields |= {f"for_contacts_{_key(one.priority)}": "yes" if one.for_contacts else "no" for one in found}
    del fields[f"for_contacts_{_key(Priority.NORMAL)}"]
    return PriorityFacts(**fields, preselected=next((str(one.id) for one in found if one.is_preselected), ""))


async def change(facts: PriorityFacts) -> None:
    """Store the names of the four priorities, which ones contacts may choose, and which one forms preselect.

    The caller has locked their rows. Log lines keep the names that the priorities had. Raise `Invalid` if a field is
    not valid, or if two priorities have the same name, ignoring case.
    """
    checked, rows, known = Checked(), list[tuple[Any, ...]](), set[str]()
    preselected = checked("preselected", one_of(tuple(str(int(one)) for one in Priority)), facts.preselected)
    for priority in reversed(Priority):
        key = _key(priority)
        name = checked(f"name_{key}", _name, getattr(facts, f"name_{key}"))
        if name and name.lower() in known:
            checked.refuse(f"name_{key}", _taken(name))
        known.add((name or "").lower())
        is_open = priority is Priority.NORMAL or checked(
            f"for_contacts_{key}", yes_or_no, getattr(facts, f"for_contacts_{key}")
        )
        rows.append((int(priority), name, is_open, preselected == str(int(priority))))
    checked.done()
    async with unless_taken("name_urgent", "Two priorities have the same name."):
        await current().execute(_CHANGE, *map(list, zip(*rows, strict=True)))


_CHANGE = """
update case_priority p set name = w.name, for_contacts = w.for_contacts, is_preselected = w.is_preselected
from unnest($1::smallint[], $2::text[], $3::boolean[], $4::boolean[]) as w (id, name, for_contacts, is_preselected)
where p.id = w.id and (p.name, p.for_contacts, p.is_preselected) is distinct from (w.name, w.for_contacts, w.is_preselected)
"""


def _name(text: str) -> str:
    read = line(text)
    if len(read) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters, so that it fits a line.")
    return read


def _taken(name: str) -> str:
    return f"Two priorities cannot both be called “{name}”."


def _key(priority: Priority) -> str:
    return priority.name.lower()
