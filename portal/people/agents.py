"""Agents: the people of the company who work on cases. Managers and admins are agents with a higher grade."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.finder import Finder, choosable
from portal.database.pages import SIZE, Page, page_of
from portal.database.rows import one
from portal.errors import Conflict, Invalid
from portal.fields import Checked, email, identifier, in_range, line, one_of, optional
from portal.people.access import credentials, passwords
from portal.people.access.persons import Person
from portal.people.access.sessions import reader_of
from portal.people.departments import Department, DepartmentFacts, designate, designations_of
from portal.people.offered import Known, Offered, few, known, offered
from portal.people.readers import AgentReader
from portal.people.roles import Role
from portal.regions import locale, time_zone

GRADES = ("agent", "manager", "admin")


class AgentFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an agent as typed, not validated yet.

    `grade` is one of `GRADES`. `approves` holds the ids of the departments whose time entries the agent may approve; it
    is ignored unless the grade is manager.
    """

    name: str
    email: str
    grade: str = "agent"
    role_id: str = ""
    department_id: str
    locale: str = "en_GB"
    time_zone: str
    approves: list[str] = []


class Agent(Person, Table, tablename="agent"):
    """One agent: a person of the company who works on cases and logs time.

    `ended_at` is the instant at which the agent left, or None.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    grade = Text(default=None)
    role_id = BigInt(null=True, default=None)
    department_id = BigInt(default=None)
    locale = Text(default=None)
    time_zone = Text(default=None)
    created_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    credential_key = "agent_id"

    @classmethod
    async def find(cls, agent: int, *, hold: bool = False) -> "Agent":
        """Return the agent with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(agent)), hold=hold)

    @classmethod
    async def offered(cls) -> list[Offered]:
        """Return the options of a form field: all agents who have not left, sorted by name."""
        return await offered(cls.select(cls.id, cls.name).where(cls.ended_at.is_null()))

    @classmethod
    async def selectable(cls) -> list[Offered] | None:
        """Return the agents as `offered` does, or None if they are too many for a select field."""
        return await few(cls.select(cls.id, cls.name).where(cls.ended_at.is_null()))

    @classmethod
    async def managers(cls) -> list[Offered]:
        """Return the options of a form field: all agents with the grade manager who have not left, sorted by name.

        Admins are not included: they may approve the time of every department without being designated.
        """
        return await offered(cls.select(cls.id, cls.name).where(cls.ended_at.is_null(), cls.grade == "manager"))

    @classmethod
    async def selectable_managers(cls) -> list[Offered] | None:
        """Return the managers as `managers` does, or None if they are too many for a select field."""
        return await few(cls.select(cls.id, cls.name).where(cls.ended_at.is_null(), cls.grade == "manager"))

    @classmethod
    async def known(cls) -> list[Known]:
        """Return all agents as options of a filter, sorted by name; agents who have left come after all others."""
        return await known(cls.select(cls.id, cls.name, cls.ended_at))

    @classmethod
    async def listed(cls, number: int | None = None) -> Page:
        """Return the page `number` of the agents as rows, sorted by name; agents who have left come after all others.

        Columns: id, name, email, grade, role (its name, or None), department (its name), ended_at, accepted_at.
        """
        return await page_of(LISTED, number=number)

    @classmethod
    async def create(cls, facts: AgentFacts, at: datetime) -> "Agent":
        """Create an agent with a mail address and no password. The agent sets a password through an invitation link.

        A manager is also designated for the departments in `facts.approves`. Raise `Invalid` for a field that is not
        valid or a mail address that somebody else has, `NotFound` for an unknown role or department.
        """
        values, address, departments = await _read(facts)
        agent = cls(**values, created_at=at)
        await agent.save()
        await credentials.open_for_agent(agent.id, address, at)
        await designate(agent.id, departments)
        return agent

    async def change(self, facts: AgentFacts, at: datetime) -> None:
        """Replace every field of the agent. A new grade takes effect with the agent's next request (R33).

        An agent whose new grade is not manager loses all designations. If the mail address changes, the agent's open
        invitation and reset links end. Raise `Invalid` if a field is not valid, if somebody else has the mail address,
        or if the change would leave no admin who can sign in (R31). Raise `NotFound` for an unknown role or department.
        """
        values, address, departments = await _read(facts)
        if facts.grade != "admin" and await self._is_only_admin():
            raise Invalid({"grade": f"{self.name} is the only admin: make another one first."})
        await Agent.update(**values).where(Agent.id == self.id)
        await credentials.change_email((await self.credential())["id"], address, at)
        await designate(self.id, departments)

    async def end(self, at: datetime) -> None:
        """Record that the agent has left, and end the agent's access, sessions and open links at once (R12).

        The agent's time entries and messages stay. Calling it again has no further effect. Raise `Conflict` for an
        admin if no other admin can sign in (R31).
        """
        if await self._is_only_admin():
            raise Conflict(f"{self.name} is the only admin: make another one first.")
        await super().end(at)

    async def facts(self) -> AgentFacts:
        """Return the stored values of the agent as the fields of the form that edits the agent."""
        return AgentFacts(
            name=self.name,
            email=(await self.credential())["email"],
            grade=self.grade,
            role_id=str(self.role_id or ""),
            department_id=str(self.department_id),
            locale=self.locale,
            time_zone=self.time_zone,
            approves=[str(department) for department in await designations_of(self.id)],
        )

    async def _is_only_admin(self) -> bool:
        """Return whether this agent is an admin, and no other admin can sign in. Lock the rows of all present admins.

        An admin who has not set a password yet cannot sign in.
        """
        # The rows are locked, so that two admins who remove each other at the same time do not both succeed.
        admins = await current().fetch(
            "select a.id, c.accepted_at from agent a join credential c on c.agent_id = a.id"
            " where a.grade = 'admin' and a.ended_at is null order by a.id for update of a"
        )
        others = [row["accepted_at"] for row in admins if row["id"] != self.id]
        return len(others) < len(admins) and not any(others)


LISTED = f"""
select a.id, a.name, c.email, a.grade, r.name as role, d.name as department, a.ended_at, c.accepted_at,
  count(*) over () as total
from agent a join credential c on c.agent_id = a.id join department d on d.id = a.department_id left join role r on r.id = a.role_id
order by a.ended_at is not null, folded(a.name), a.id limit {SIZE} offset $1
"""  # noqa: S608

# A designation for a department also covers the departments below it.
UNAPPROVED = """
with recursive approves as (
  select agent_id, department_id from designation
  union select above.agent_id, d.id from department d join approves above on d.parent_id = above.department_id
)
select a.name from agent a
where a.ended_at is null and a.id <> $1 and not exists (
  select from agent b
  where b.id <> a.id and b.id <> $1 and b.ended_at is null
    and (b.grade = 'admin' or b.grade = 'manager' and exists (
      select from approves d where d.agent_id = b.id and d.department_id = a.department_id)))
order by folded(a.name)
"""


async def reader_of_agent(agent_id: int, *, even_left: bool = False) -> AgentReader | None:
    """Return an agent as a reader with the agent's present rights, so that a job can act in the agent's name.

    Return None for an unknown agent. For an agent who has left, return None unless `even_left`.
    """
    row = await current().fetchrow(_READER, agent_id)
    reader = reader_of(row) if row and (even_left or not row["disabled"]) else None
    return reader if isinstance(reader, AgentReader) else None


_READER = "select p.* from credential c cross join lateral person_of(c.id) p where c.agent_id = $1"


async def without_approver(leaving: int = 0) -> list[str]:
    """Return the names of the agents whose time nobody may approve (C10).

    Nobody may approve their own time: each agent needs another agent who is an admin, or a manager designated for the
    agent's department or for one above it. The agent with the id `leaving` is treated as if they had left, to show the
    effect of their departure; 0 means nobody.
    """
    return [row["name"] for row in await current().fetch(UNAPPROVED, leaving)]


def refuse_wrong_admin(*, name: str, address: str, zone: str) -> None:
    """Check the arguments of `create_admin` other than the password, without reading the database.

    Raise `Invalid` at the fields name, email and time_zone for values that `create_admin` would refuse.
    """
    checked = Checked()
    checked("name", line, name)
    checked("email", email, address)
    checked("time_zone", time_zone, zone)
    checked.done()


async def create_admin(*, name: str, address: str, password: str, zone: str, at: datetime) -> Agent:
    """Create an admin who has a password, and return the admin. Only the command line calls this (R11).

    The admin joins the department whose name sorts first. If there is no department yet, the department Support is
    created; the table `department` is locked until the transaction ends, so that two calls do not create two
    departments. `address` is the mail address, `zone` the name of a time zone. Raise `Invalid` at the fields name,
    email, time_zone or password.
    """
    password_hash = await passwords.chosen(password, [name, address])
    await current().execute("lock table department in share row exclusive mode")
    departments = await Department.all_by_name()
    department = departments[0] if departments else await Department.create(DepartmentFacts(name="Support"))
    agent = await Agent.create(
        AgentFacts(name=name, email=address, grade="admin", department_id=str(department.id), time_zone=zone), at
    )
    await credentials.set_first_password((await agent.credential())["id"], password_hash)
    return agent


async def _read(facts: AgentFacts) -> tuple[dict[str, Any], str, list[int]]:
    """Validate the fields, and return the agent's column values, mail address and designated departments.

    The designated departments are ids, which are not looked up here; there are none unless the grade is manager. Raise
    `Invalid` for a field that is not valid, `NotFound` if the role or the agent's own department is unknown.
    """
    checked = Checked()
    role_id = checked("role_id", optional(identifier), facts.role_id)
    department_id = checked("department_id", identifier, facts.department_id)
    values = {
        "name": checked("name", line, facts.name),
        "grade": checked("grade", one_of(GRADES), facts.grade),
        "role_id": role_id,
        "department_id": department_id,
        "locale": checked("locale", locale, facts.locale),
        "time_zone": checked("time_zone", time_zone, facts.time_zone),
    }
    address = checked("email", email, facts.email)
    approves = [checked("approves", identifier, department) for department in facts.approves]
    checked.done()
    if role_id is not None:
        await Role.find(role_id)
    await Department.find(department_id)
    return values, address, approves if facts.grade == "manager" else []


AGENTS = Finder(
    "agent",
    "select id, name, case when ended_at is null then '' else 'ended' end as about, ended_at is not null as is_last from agent",
)
"""Type-ahead search of agents for filters. It also finds agents who have left, because their work is still there."""

MANAGERS = Finder(
    "manager",
    "select id, name, '' as about, ended_at is not null as is_last from agent where grade = 'manager'",
)
"""Type-ahead search of the agents with the grade manager, for form fields (`people_in` and `settle` in `web.finding`).

It also finds managers who have left, as `people_in` and `settle` require.
"""

COLLEAGUES = choosable(AGENTS)
"""Type-ahead search of the agents who have not left, for assigning cases and for mentioning them in a note."""
