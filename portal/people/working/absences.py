"""Absences: the days on which an agent is away, and the deputy who approves in place of an absent manager."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Date, Text
from piccolo.table import Table

from portal.database import current
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.errors import Invalid
from portal.fields import LONGEST, Checked, day, identifier, in_range, one_line, optional
from portal.people.agents import Agent
from portal.people.offered import SELECTABLE

LONGEST_DAYS = 366

STANDS_FOR = """
stands_for as (
  select distinct b.agent_id as id from absence b join agent away on away.id = b.agent_id
  join agent deputy on deputy.id = b.deputy_id and deputy.grade = 'manager' and deputy.ended_at is null
  where b.deputy_id = $1 and away.grade = 'manager' and away.ended_at is null and $2::date between b.first_day and b.last_day
)
"""
"""SQL of a common table expression `stands_for`: the ids of the managers whose deputy on the day `$2` is the agent `$1`.

There are none if the deputy is no longer a manager or has left. Managers who have left or changed grade are left out.
"""


class AbsenceFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an absence as typed, not validated yet.

    `deputy_id` is "" if there is no deputy. If `last_day` is "", the absence is one day.
    """

    first_day: str
    last_day: str = ""
    deputy_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ListedAbsence:
    """One absence in a list, with the names of the agent and of the deputy (None without one).

    `note` is "" if the reader may not read the note.
    """

    id: int
    agent_id: int
    agent: str
    first_day: date
    last_day: date
    deputy: str | None
    note: str

    @property
    def days(self) -> int:
        """Return the number of days from the first to the last, weekends included."""
        return (self.last_day - self.first_day).days + 1


class Dispatched(NamedTuple):
    """An agent to whom a case can be assigned.

    `away_until` is the last day of the agent's present absence, or None if the agent is not away.
    """

    id: int
    name: str
    away_until: date | None


class Absence(Table, tablename="absence"):
    """The days, from the first to the last inclusive, on which an agent is away.

    Only a manager has a deputy: another manager, who approves what the absent manager would approve. Only the agent and
    admins may read `note`.
    """

    id = BigSerial(primary_key=True)
    agent_id = BigInt(default=None)
    first_day = Date(default=None)
    last_day = Date(default=None)
    deputy_id = BigInt(null=True, default=None)
    note = Text(default=None)

    @classmethod
    async def find(cls, absence: int, *, agent: int, hold: bool = False) -> "Absence":
        """Return an absence of the agent. With `hold`, lock its row until the transaction ends.

        Raise `NotFound` if that agent has no such absence.
        """
        query = cls.objects().where((cls.id == in_range(absence)) & (cls.agent_id == in_range(agent)))
        return await one(query, hold=hold)

    @classmethod
    async def of_agent(cls, agent_id: int, since: date) -> list[ListedAbsence]:
        """Return the absences of an agent that end on `since` or later, sorted by first day, with their notes."""
        return [ListedAbsence(**row) for row in await current().fetch(_OF_AGENT, agent_id, since)]

    @classmethod
    async def of_others(cls, agent_id: int, since: date) -> list[ListedAbsence]:
        """Return the absences that end on `since` or later of all other agents who have not left, sorted by first day.

        `note` is "" in each: agents may know that a colleague is away, until when, and who is the deputy, but not why.
        """
        return [ListedAbsence(**row) for row in await current().fetch(_OF_OTHERS, agent_id, since)]

    @classmethod
    async def dispatched(cls, day: date) -> list[Dispatched] | None:
        """Return the agents who have not left, sorted by name, each with the last day of an absence on `day`, if any.

        Return None if there are too many agents for a select field.
        """
        rows = await current().fetch(
            "select a.id, a.name, b.last_day from agent a left join absence b on b.agent_id = a.id and $1 between b.first_day and b.last_day"
            " where a.ended_at is null order by folded(a.name), a.id limit $2",
            day,
            SELECTABLE + 1,
        )
        return [Dispatched(*row) for row in rows] if len(rows) <= SELECTABLE else None

    @classmethod
    async def away(cls, day: date, agents: Sequence[int] | None = None) -> list[Dispatched]:
        """Return the agents who have not left and are away on `day`, sorted by name.

        If `agents` is given, return only agents with these ids.
        """
        rows = await current().fetch(
            "select a.id, a.name, b.last_day from absence b join agent a on a.id = b.agent_id"
            " where a.ended_at is null and $1 between b.first_day and b.last_day and ($2::bigint[] is null or a.id = any ($2))"
            " order by folded(a.name), a.id",
            day, agents,
        )  # fmt: skip
        return [Dispatched(*row) for row in rows]

    @classmethod
    async def create(cls, agent: Agent, facts: AbsenceFacts, *, own: bool) -> None:
        """Add an absence of the agent.

        `own` says whether the agent enters their own absence, which decides the wording of error messages. Raise
        `Invalid` for a value that is not valid, for days that overlap another absence, and for a deputy whom the agent
        cannot have.
        """
        values = await _read(agent, facts)
        async with unless_taken("first_day", _overlapping(agent, own=own)):
            await cls.insert(cls(**values, agent_id=agent.id))

    async def change(self, agent: Agent, facts: AbsenceFacts, *, own: bool) -> None:
        """Replace the days, the deputy and the note of the absence.

        `agent` is the agent who is absent. `own` says whether the agent edits their own absence, which decides the
        wording of error messages. Raise `Invalid` in the same cases as `create`.
        """
        values = await _read(agent, facts)
        async with unless_taken("first_day", _overlapping(agent, own=own)):
            await Absence.update(**values).where(Absence.id == self.id)

    async def cancel(self) -> None:
        """Delete the absence. If it was deleted before, do nothing."""
        await Absence.delete().where(Absence.id == self.id)

    @property
    def facts(self) -> AbsenceFacts:
        """Return the stored values of the absence as the fields of the form that edits the absence."""
        return AbsenceFacts(
            first_day=self.first_day.isoformat(),
            last_day=self.last_day.isoformat(),
            deputy_id=str(self.deputy_id or ""),
            note=self.note,
        )


_LISTED = """
select b.id, b.agent_id, a.name as agent, b.first_day, b.last_day, d.name as deputy, {note} as note
from absence b join agent a on a.id = b.agent_id left join agent d on d.id = b.deputy_id
where {condition} and b.last_day >= $2 order by b.first_day, folded(a.name), b.id
"""
_OF_AGENT = _LISTED.format(note="b.note", condition="b.agent_id = $1")
_OF_OTHERS = _LISTED.format(note="''", condition="b.agent_id <> $1 and a.ended_at is null")


def _overlapping(agent: Agent, *, own: bool) -> str:
    who = "You are" if own else f"{agent.name} is"
    return f"{who} away in a part of these days already: change that absence instead."


async def _read(agent: Agent, facts: AbsenceFacts) -> dict[str, Any]:
    checked = Checked()
    first: date | None = checked("first_day", day, facts.first_day)
    last: date | None = checked("last_day", day, facts.last_day) if facts.last_day.strip() else first
    deputy = checked("deputy_id", optional(identifier), facts.deputy_id)
    note = one_line(facts.note)
    if len(note) > LONGEST:
        checked.refuse("note", f"Use at most {LONGEST} characters.")
    if first and last and last < first:
        checked.refuse("last_day", "The last day cannot be before the first.")
    elif first and last and last - first >= timedelta(days=LONGEST_DAYS):
        checked.refuse("last_day", "An absence lasts a year at most: add another one after it.")
    if deputy is not None and agent.grade != "manager":
        checked.refuse("deputy_id", f"Only a manager has a deputy, and {agent.name} approves nothing.")
    checked.done()
    if deputy is not None and (sentence := await _why_no_deputy(agent, deputy, first, last)):
        raise Invalid({"deputy_id": sentence})
    return {"first_day": first, "last_day": last, "deputy_id": deputy, "note": note}


async def _why_no_deputy(agent: Agent, deputy: int, first: date | None, last: date | None) -> str:
    """Return the error message if `deputy` cannot be the deputy of `agent` on these days, or "" if they can."""
    row = await current().fetchrow(
        "select name, grade = 'manager' and ended_at is null as may, exists (select from absence b where b.agent_id = a.id"
        " and b.first_day <= $3 and b.last_day >= $2) as away from agent a where id = $1",
        deputy, first, last,
    )  # fmt: skip
    if row is None or not row["may"] or deputy == agent.id:
        return "Choose another manager who works here."
    return f"{row['name']} is away in a part of these days too: choose somebody else." if row["away"] else ""
