"""Departments: a tree of them, its agents, and the managers who are designated to approve their time (C10)."""

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Text
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.database import current
from portal.database.uniqueness import unless_taken
from portal.errors import Invalid, NotFound
from portal.fields import Checked, identifier, in_range, line, optional


class DepartmentFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A department as typed; `parent_id` is empty at the top of the tree."""

    name: str
    parent_id: str = ""


class Department(Table, tablename="department"):
    """A part of us."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    parent_id = BigInt(null=True, default=None)

    @classmethod
    async def all_by_name(cls) -> list["Department"]:
        """Every department."""
        return await cls.objects().order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def find(cls, department: int, *, hold: bool = False) -> "Department":
        """Return the department; with `hold` nobody else can change it until the transaction ends. Raises `NotFound`."""
        query = cls.objects().where(cls.id == in_range(department))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def create(cls, facts: DepartmentFacts) -> "Department":
        """A new department. Raises `Invalid` for a name that is used or a parent that is not there."""
        name, parent_id = await _read(facts)
        async with unless_taken("name", f"There is a department “{name}” already.") as tx:
            department = await tx.fetchval(
                "insert into department (name, parent_id) values ($1, $2) returning id", name, parent_id
            )
        return await cls.find(department)

    async def change(self, facts: DepartmentFacts) -> None:
        """Rename or move it. Raises `Invalid` where it would come below itself."""
        name, parent_id = await _read(facts)
        # One at a time: two moves at once could tie a knot that neither of them sees.
        await current().execute("lock table department in share row exclusive mode")
        if parent_id is not None and await self._holds(parent_id):
            raise Invalid({"parent_id": "A department cannot lie below itself."})
        async with unless_taken("name", f"There is a department “{name}” already.") as tx:
            await tx.execute("update department set name = $2, parent_id = $3 where id = $1", self.id, name, parent_id)

    @property
    def facts(self) -> DepartmentFacts:
        """As its form shows it."""
        return DepartmentFacts(name=self.name, parent_id=str(self.parent_id or ""))

    async def _holds(self, department: int) -> bool:
        held: bool = await current().fetchval(
            "with recursive below as (select $1::bigint as id union select d.id from department d join below b on d.parent_id = b.id)"
            " select exists (select from below where id = $2)",
            self.id,
            department,
        )
        return held


DESIGNATED = """
mine as (
  select department_id as id from designation where agent_id = $1
  union select d.id from department d join mine on d.parent_id = mine.id
)
"""
"""A recursive SQL table `mine`: the departments that the agent `$1` is designated for, with all below them (C10)."""


async def designations_of(agent: int) -> list[int]:
    """Ids of the departments whose time the agent may approve as their designated manager."""
    rows = await current().fetch("select department_id from designation where agent_id = $1 order by 1", agent)
    return [row["department_id"] for row in rows]


async def designate(agent: int, departments: list[int]) -> None:
    """Make the agent the designated manager of exactly these departments."""
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
    """Return the names of the departments that an agent is designated for."""
    rows = await current().fetch(
        "select d.name from designation n join department d on d.id = n.department_id where n.agent_id = $1 order by folded(d.name)",
        agent,
    )
    return [row["name"] for row in rows]


async def hand_designations(leaving: int, successor: int) -> None:
    """Designate a manager for the departments of one who leaves. Raises `Invalid` (`approver`) for anybody but a manager who works here."""
    tx = current()
    if not await tx.fetchval("select grade = 'manager' and ended_at is null from agent where id = $1", successor):
        raise Invalid({"approver": "Choose a manager who works here."})
    await tx.execute(
        "insert into designation (department_id, agent_id) select department_id, $2 from designation where agent_id = $1"
        " on conflict do nothing",
        leaving, successor,
    )  # fmt: skip
    await tx.execute("delete from designation where agent_id = $1", leaving)


async def _read(facts: DepartmentFacts) -> tuple[str, int | None]:
    checked = Checked()
    name = checked("name", line, facts.name)
    parent_id = checked("parent_id", optional(identifier), facts.parent_id)
    checked.done()
    if parent_id is not None:
        await Department.find(parent_id)
    return name, parent_id
