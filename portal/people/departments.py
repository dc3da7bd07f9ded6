"""Departments: the tree to which agents belong, and the managers designated to approve a department's time (C10)."""

from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Text
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.database import current
from portal.database.finder import Finder
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.errors import Invalid
from portal.fields import Checked, identifier, in_range, line, optional


class DepartmentFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a department as typed, not validated yet. `parent_id` is "" at the top of the tree."""

    name: str
    parent_id: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A department in the tree. `depth` is 0 at the top.

    `managers` are the names of the managers designated for this department itself who have not left. Managers who are
    designated only for a department above are left out.
    """

    id: int
    name: str
    depth: int
    managers: list[str]


_TREE = """
with recursive tree as (
  select id, name, 0 as depth, array[folded(name)] as path from department where parent_id is null
  union all select d.id, d.name, t.depth + 1, t.path || folded(d.name) from department d join tree t on d.parent_id = t.id
)
select t.id, t.name, t.depth, array(
    select a.name from designation n join agent a on a.id = n.agent_id
    where n.department_id = t.id and a.ended_at is null order by folded(a.name)) as managers
from tree t order by t.path, t.id
"""


class Department(Table, tablename="department"):
    """One department of the company. `parent_id` is None at the top of the tree."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    parent_id = BigInt(null=True, default=None)

    @classmethod
    async def all_by_name(cls) -> list["Department"]:
        """Return all departments, sorted by name."""
        return await cls.objects().order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def choices(cls) -> list[tuple[int, str]]:
        """Return all departments as options of a select field, `(id, name)`, sorted by name."""
        return [(one.id, one.name) for one in await cls.all_by_name()]

    @classmethod
    async def tree(cls) -> list[Branch]:
        """Return all departments as one list in the order of the tree: each department is followed by those below it.

        Departments with the same parent are sorted by name.
        """
        return [Branch(**row) for row in await current().fetch(_TREE)]

    @classmethod
    async def find(cls, department: int, *, hold: bool = False) -> "Department":
        """Return the department with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(department)), hold=hold)

    @classmethod
    async def create(cls, facts: DepartmentFacts) -> "Department":
        """Create a department.

        Raise `Invalid` for a name that is not valid or is taken, `NotFound` for an unknown parent department.
        """
        department = cls(**await _read(facts))
        async with unless_taken("name", f"There is a department “{department.name}” already."):
            await department.save()
        return department

    async def change(self, facts: DepartmentFacts) -> None:
        """Rename the department or move it within the tree. Lock the table until the transaction ends.

        Raise `Invalid` for a name that is not valid or is taken, or if the department would be below itself. Raise
        `NotFound` for an unknown parent department.
        """
        values = await _read(facts)
        # Moves run one after the other: two simultaneous moves could form a cycle that neither of them sees.
        await current().execute("lock table department in share row exclusive mode")
        if values["parent_id"] is not None and await self._holds(values["parent_id"]):
            raise Invalid({"parent_id": "A department cannot lie below itself."})
        async with unless_taken("name", f"There is a department “{values['name']}” already."):
            await Department.update(**values).where(Department.id == self.id)

    @property
    def facts(self) -> DepartmentFacts:
        """Return the stored values of the department as the fields of the form that edits the department."""
        return DepartmentFacts(name=self.name, parent_id=str(self.parent_id or ""))

    async def _holds(self, department: int) -> bool:
        """Return whether the department with the id `department` is this department or lies below this department."""
        held: bool = await current().fetchval(
            "with recursive below as (select $1::bigint as id union select d.id from department d join below b on d.parent_id = b.id)"
            " select exists (select from below where id = $2)",
            self.id,
            department,
        )
        return held


class Designation(Table, tablename="designation"):
    """A manager who approves the time of a department and of those below it. Both columns form the primary key."""

    department_id = BigInt(primary_key=True, default=None)
    agent_id = BigInt(default=None)


DESIGNATED = """
mine as (
  select department_id as id from designation where agent_id = $1
  union select d.id from department d join mine on d.parent_id = mine.id
)
"""
"""SQL of a recursive common table expression `mine`: the ids of the departments that the agent `$1` approves for (C10).

These are the departments of the agent's designations and all departments below them.
"""


WORKS_BELOW = """
e.agent_id in (
  select a.id from agent a where a.department_id in (
    with recursive below as (
      select {}::bigint as id union select d.id from department d join below b on d.parent_id = b.id
    ) select id from below))
"""
"""SQL condition that the agent of the time entry `e` belongs to the department `{}` or to one below it."""


async def designations_of(agent: int) -> list[int]:
    """Return the ids of the departments that the agent is designated for, without the departments below them."""
    mine = Designation.select(Designation.department_id).where(Designation.agent_id == agent)
    return await mine.order_by(Designation.department_id).output(as_list=True)


async def designate(agent: int, departments: list[int]) -> None:
    """Make these departments the only ones for which the agent is designated. Unknown ids are ignored."""
    tx = current()
    await tx.execute(
        "delete from designation where agent_id = $1 and department_id <> all ($2::bigint[])", agent, departments
    )
    await tx.execute(
        "insert into designation (department_id, agent_id) select d.id, $1 from department d where d.id = any ($2::bigint[])"
        " on conflict do nothing",
        agent,
        departments,
    )


async def designated_departments(agent: int) -> list[str]:
    """Return the sorted names of the departments that the agent is designated for, without the departments below them."""
    rows = await current().fetch(
        "select d.name from designation n join department d on d.id = n.department_id where n.agent_id = $1 order by folded(d.name)",
        agent,
    )
    return [row["name"] for row in rows]


async def hand_designations(leaving: int, successor: int) -> None:
    """Move all designations of the agent `leaving` to the agent `successor`.

    Raise `Invalid` at the field `approver` unless the successor is a manager who has not left.
    """
    tx = current()
    if not await tx.fetchval("select grade = 'manager' and ended_at is null from agent where id = $1", successor):
        raise Invalid({"approver": "Choose a manager who works here."})
    await tx.execute(
        "insert into designation (department_id, agent_id) select department_id, $2 from designation where agent_id = $1"
        " on conflict do nothing",
        leaving, successor,
    )  # fmt: skip
    await Designation.delete().where(Designation.agent_id == leaving)


async def _read(facts: DepartmentFacts) -> dict[str, Any]:
    """Validate the fields, and return the department's column values.

    Raise `Invalid` for a field that is not valid, `NotFound` for an unknown parent department.
    """
    checked = Checked()
    name = checked("name", line, facts.name)
    parent_id = checked("parent_id", optional(identifier), facts.parent_id)
    checked.done()
    if parent_id is not None:
        await Department.find(parent_id)
    return {"name": name, "parent_id": parent_id}


DEPARTMENTS = Finder("department", "select id, name, '' as about, false as is_last from department")
"""Type-ahead search of departments."""
