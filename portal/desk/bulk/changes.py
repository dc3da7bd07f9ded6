"""Prepare a bulk change, begin it, report its result, and undo it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from piccolo.columns import UUID, BigInt, Text, Timestamptz
from piccolo.table import Table

from portal import jobs
from portal.database import current
from portal.database.rows import insert_one, one
from portal.desk.bulk.verbs import Verb, words_of
from portal.desk.lists.questions import Question
from portal.errors import Conflict, Invalid
from portal.numbers import number_in
from portal.people.readers import AgentReader

MOST = 10_000
"""The maximum number of cases of one change."""
LONGEST_QUERY = 4000
"""The maximum length of the query string that a change stores, for the link from the change back to the list.

If the query string is longer, only the view is stored.
"""
REPORTED = 100
"""The number of refused cases on one page of the report."""
LISTED = 100
"""The maximum number of cases in the preview of a handover, which names the agent who will get each case."""
WORKER_AFTER = timedelta(seconds=3)
"""If the request that begins a change has not finished it after this time, the worker continues with it."""
KEPT = timedelta(days=7)
"""For how long a bulk change is stored. During this time, its report can be read, and the change can be undone."""


class BulkMember(Table, tablename="bulk_member"):
    """One case of a bulk change. `member_id` is the id of the case. The primary key consists of both ids.

    `state` is `waiting`, `changed`, `same` (the case had the value already) or `refused`. `former` is the value of the
    case when the change was prepared; in an undo, it is the value that the undone change set. `reason` says why the
    case was refused. In the states `changed` and `same`, `became` is the value that the case has after the change. In
    the state `waiting`, `became` is the value that is planned for this case alone, or None if the case is to get the
    value of the whole change. An undo has a planned value for each case, unless the value is a tag. A handover by the
    rules of dispatch has a planned value for each of its first `LISTED` cases.
    """

    change_id = UUID(primary_key=True, default=None)
    member_id = BigInt(default=None)
    state = Text(default=None)
    former = Text(default=None)
    became = Text(null=True, default=None)
    reason = Text(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Group:
    """A value that cases of a change share, the words that people read for it, and the number of these cases."""

    value: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A case of a prepared handover. `to` is the name of the agent who will get it, or None if it stays where it is."""

    number: int
    subject: str
    to: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A case that was not changed; `reason` is the error message."""

    id: int
    number: int
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How many cases of a change still wait, were changed, had the value already, and were refused."""

    waiting: int
    changed: int
    same: int
    refused: int

    @property
    def all(self) -> int:
        return self.waiting + self.changed + self.same + self.refused


class NoCases(Invalid):
    """Raised if a change of many cases is to be prepared, and no case matches."""


class BulkChange(Table, tablename="bulk_change"):
    """A change of many cases. It is shown only to the agent `agent_id`, who prepared it.

    `verb` is a value of `Verb`. `value` is the new value of every case, or None until it is chosen; for a handover, it
    is chosen when the change is prepared. If `undoes` is set, it is the id of the change that this change undoes. Then
    each case gets its own former value, and `value` is None, unless the change adds or removes a tag. `query` is the
    query string of the list of cases from which the change was prepared.
    """

    id = UUID(primary_key=True, default=None)
    agent_id = BigInt(default=None)
    verb = Text(default=None)
    value = Text(null=True, default=None)
    query = Text(default=None)
    prepared_at = Timestamptz(default=None)
    begun_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    undoes = UUID(null=True, default=None)

    @property
    def does(self) -> Verb:
        """Return the column `verb` as a member of `Verb`."""
        return Verb(self.verb)

    @classmethod
    async def find(cls, change: uuid.UUID, reader: AgentReader, *, hold: bool = False) -> Self:
        """Return the reader's change with this id; with `hold`, lock its row. Raise `NotFound` if there is none."""
        return await one(cls.objects().where(cls.id == change, cls.agent_id == reader.id), hold=hold)

    @classmethod
    async def known(cls, change: uuid.UUID, reader: AgentReader) -> Self | None:
        """Return the reader's change with this id, or None if the reader has no such change or it was deleted."""
        return await cls.objects().where(cls.id == change, cls.agent_id == reader.id).first()

    @classmethod
    async def prepare(
        cls, verb: Verb, question: Question, numbers: Sequence[str] | None, *, by: AgentReader, at: datetime,
        value: str | None = None,
    ) -> Self:  # fmt: skip
        """Store a change of the cases that match `question`, with their present values, and return it.

        No case is changed yet. If `numbers` is given, the stored change has the cases with these numbers instead,
        whether or not they match `question`; merged cases are left out. `value` is the new value, or None if it is not
        chosen yet. Raise `NoCases` if there are no cases, and `Invalid` at the field `case` if there are more than `MOST`.
        """
        condition, values = question.conditions(by)
        if numbers is not None:
            condition = "c.number = any($1) and c.merged_into_id is null"
            values = [[number for text in numbers if (number := number_in(text)) is not None]]
        query = question.address(page=1)
        query = query if len(query) <= LONGEST_QUERY else f"?view={question.view.value}"
        made = await cls._insert(verb, query, by, at, value=value)
        count = await current().execute(_members(verb, condition, len(values)), *values, made)
        if (found := int(count.split()[-1])) == 0:
            raise NoCases({"case": "Tick at least one case."})
        if found > MOST:
            raise Invalid({"case": f"These are more than {MOST:,} cases. Narrow the list with a filter first."})
        return await cls.find(made, by)

    @classmethod
    async def _insert(cls, verb: Verb, query: str, by: AgentReader, at: datetime, **more: Any) -> uuid.UUID:
        row = {"id": uuid.uuid4(), "agent_id": by.id, "verb": verb.value, "query": query, "prepared_at": at, **more}
        made: uuid.UUID = await insert_one(cls, row, returning="id")
        return made

    async def begin(self, value: str, at: datetime) -> None:
        """Begin the change: store that every case gets the value `value`, and enqueue the job that carries this out.

        Do nothing if the change was begun with this value already. The caller has locked the row. Raise `Invalid` at
        the field `value` for a value that no case can get, and `Conflict` if the change was begun with another value.
        """
        await self.does.rule.check(value)
        if self.begun_at:
            if self.value != value:
                raise Conflict("This change was begun already. Look at what became of it.")
            return
        await BulkChange.update({BulkChange.value: value, BulkChange.begun_at: at}).where(BulkChange.id == self.id)
        await _leave_to_worker(self.id)

    async def undo(self, *, by: AgentReader, at: datetime) -> uuid.UUID:
        """Begin a change that restores the former value of each changed case, and return its id.

        If an undo of this change was begun before, only return its id. The caller has locked the row. Raise `Conflict`
        if this change is not finished, or if it undoes another change itself.
        """
        if not self.finished_at or self.undoes:
            raise Conflict("This cannot be undone now. Look at it again.")
        known: uuid.UUID | None = await current().fetchval("select id from bulk_change where undoes = $1", self.id)
        if known:
            return known
        verb = self.does.reverse
        value = {"value": self.value} if verb.is_of_tags else {}
        made = await BulkChange._insert(verb, self.query, by, at, begun_at=at, undoes=self.id, **value)
        await current().execute(_UNDOING, made, self.id, verb.is_of_tags)
        await _leave_to_worker(made)
        return made

    async def groups(self) -> list[Group]:
        """Return the values that the cases had when the change was prepared, with their counts, most frequent first."""
        return await self._grouped(_GROUPS)

    async def outcome(self) -> list[Group]:
        """Return the values that the changed cases got with their counts, most frequent first."""
        return await self._grouped(_OUTCOME)

    async def _grouped(self, sql: str) -> list[Group]:
        rows = await current().fetch(sql, self.id)
        words = await words_of(self.does, [row["value"] for row in rows])
        return [Group(row["value"], words.get(row["value"], ""), row["count"]) for row in rows]

    async def planned(self) -> list[Planned]:
        """Return the first `LISTED` cases of a prepared handover, each with the name of the agent who will get it."""
        return [Planned(**row) for row in await current().fetch(_PLANNED, self.id)]

    async def progress(self) -> Progress:
        """Return how many cases of the change are in each state."""
        return Progress(**await current().fetchrow(_PROGRESS, self.id))

    async def refused(self, after: int = 0) -> tuple[list[Refused], int | None]:
        """Return one page of the refused cases, and the cursor of the next page; None if there is no next page.

        `after` is the cursor of this page, or 0 for the first page.
        """
        rows = await current().fetch(_REFUSED, self.id, after)
        shown = [Refused(**row) for row in rows[:REPORTED]]
        return shown, shown[-1].id if len(rows) > REPORTED else None


def _members(verb: Verb, condition: str, count: int) -> str:
    return f"""
insert into bulk_member (change_id, member_id, state, former)
select ${count + 1}, c.id, 'waiting', {verb.rule.column} from cases c where {condition} order by c.id limit {MOST + 1}
"""  # noqa: S608


async def _leave_to_worker(change_id: uuid.UUID) -> None:
    """Enqueue the job that continues with a change, `WORKER_AFTER` from now."""
    await jobs.enqueue_later("change_cases", WORKER_AFTER, change=str(change_id))


_UNDOING = """
insert into bulk_member (change_id, member_id, state, former, became)
select $1, member_id, 'waiting', became, case when not $3 then former end from bulk_member where change_id = $2 and state = 'changed'
"""
_GROUPS = """
select split_part(former, '/', 1) as value, count(*) as count from bulk_member where change_id = $1 group by 1 order by 2 desc, 1
"""
_OUTCOME = """
select split_part(became, '/', 1) as value, count(*) as count from bulk_member where change_id = $1 and state = 'changed'
group by 1 order by 2 desc, 1
"""
_PLANNED = f"""
select c.number, c.subject, a.name as "to" from bulk_member m join bulk_change b on b.id = m.change_id join cases c on c.id = m.member_id
left join agent a on a.id = nullif(coalesce(m.became, b.value), '')::bigint
where m.change_id = $1 order by m.member_id limit {LISTED}
"""  # noqa: S608
_PROGRESS = """
select count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'changed') as changed,
  count(*) filter (where state = 'same') as same, count(*) filter (where state = 'refused') as refused
from bulk_member where change_id = $1
"""
_REFUSED = f"""
select c.id, c.number, c.subject, m.reason from bulk_member m join cases c on c.id = m.member_id
where m.change_id = $1 and m.state = 'refused' and m.member_id > $2 order by m.member_id limit {REPORTED + 1}
"""  # noqa: S608


async def delete_old(at: datetime) -> None:
    """Delete the changes that were prepared more than `KEPT` before `at`.

    The logs of the cases keep what was changed.
    """
    await BulkChange.delete().where(BulkChange.prepared_at < at - KEPT)
