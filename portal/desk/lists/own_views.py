"""Saved views of the list of cases: a view with filters under a name, private or shared with all agents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.columns.combination import WhereRaw
from piccolo.table import Table

from portal.database import current
from portal.database.counting import Counting, count_all
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.desk.lists.questions import Question
from portal.errors import Invalid, NotFound
from portal.fields import Checked, in_range, line
from portal.people.readers import AgentReader

MOST = 50
"""The maximum number of views of one agent."""
SHOWN = 30
"""How many saved views the navigation shows; the page of saved views shows all."""
LONGEST_NAME, LONGEST_QUERY = 60, 4000
KEPT = timedelta(days=1)
"""For how long a deleted view can be restored."""


class Named(NamedTuple):
    """A saved view as the navigation shows it. `query` is the query string of its URL."""

    id: int
    name: str
    query: str


@dataclass(frozen=True, slots=True)
class ListedView:
    """A saved view as the page of saved views shows it.

    `owner` is the name of the agent who has saved the view, and `is_mine` says whether the reader is this agent.
    """

    id: int
    name: str
    query: str
    is_shared: bool
    owner: str
    is_mine: bool


_LISTED = """
select own_view.id, own_view.name, query, is_shared, a.name as owner, agent_id = $1 as is_mine
from own_view join agent a on a.id = agent_id where {visible} order by agent_id <> $1, folded(own_view.name), own_view.id
"""


class ViewFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a saved view as typed. `query` is the query string of the list, `is_shared` "yes" or ""."""

    name: str
    is_shared: str = ""
    query: str = ""


class OwnView(Table, tablename="own_view"):
    """A saved view of the agent `agent_id`. Other agents can use it only if it is shared.

    `query` is the query string of the list's URL. It has ids instead of names, so a view stays the same when a customer
    or a department is renamed. A deleted view is kept for a day.
    """

    id: BigSerial = BigSerial(primary_key=True)
    agent_id = BigInt(default=None)
    name = Text(default=None)
    query = Text(default=None)
    is_shared = Boolean(default=None)
    created_at = Timestamptz(default=None)
    deleted_at = Timestamptz(null=True, default=None)

    @staticmethod
    def visible_sql(reader: AgentReader) -> str:
        """Return the SQL condition for the views that `reader` may use."""
        return f"own_view.deleted_at is null and (own_view.agent_id = {int(reader.id)} or own_view.is_shared)"

    @classmethod
    async def listed(cls, reader: AgentReader) -> list[ListedView]:
        """Return the views that `reader` may use: first the reader's own, then the shared ones, each sorted by name."""
        rows = await current().fetch(_LISTED.format(visible=cls.visible_sql(reader)), reader.id)
        return [ListedView(**row) for row in rows]

    @classmethod
    async def find(cls, view: int, reader: AgentReader, *, with_deleted: bool = False, hold: bool = False) -> Self:
        """Return the view with this id; with `with_deleted`, also if it was deleted and can still be restored.

        With `hold`, lock its row until the transaction ends. Raise `NotFound` if there is no such view that the reader
        may use.
        """
        visible = cls.visible_sql(reader)
        visible = visible.removeprefix("own_view.deleted_at is null and ") if with_deleted else visible
        return await one(cls.objects().where(WhereRaw(visible), cls.id == in_range(view)), hold=hold)

    @classmethod
    async def save_new(cls, facts: ViewFacts, *, by: AgentReader, at: datetime) -> Self:
        """Save the view in `facts` for the agent `by`, and return it.

        Raise `Invalid` at the field `name` if the name is not valid, if another view of the agent has the name, or if
        the agent has `MOST` views already. Raise `Invalid` also for too many filters.
        """
        columns = _read(facts) | {"query": _query(facts.query), "agent_id": by.id, "created_at": at}
        await cls._refuse_more(by.id)
        view = cls(**columns)
        async with unless_taken("name", _taken(str(columns["name"]))):
            await view.save()
        return view

    async def change(self, facts: ViewFacts, *, by: AgentReader) -> None:
        """Replace the name, the sharing and the query string of the view with the values in `facts`.

        Raise `NotFound` if `by` may not change the view. Raise `Invalid` as `save_new` does, but not because of the
        number of views.
        """
        self._refuse(by)
        columns = _read(facts) | {"query": _query(facts.query)}
        async with unless_taken("name", _taken(str(columns["name"]))):
            await OwnView.update(columns).where(OwnView.id == self.id)

    async def discard(self, *, by: AgentReader, at: datetime) -> None:
        """Delete the view, which can be restored for a day. Idempotent. Raise `NotFound` if `by` may not delete it."""
        self._refuse(by)
        await OwnView.update({OwnView.deleted_at: at}).where(OwnView.id == self.id, OwnView.deleted_at.is_null())

    async def restore(self, *, by: AgentReader) -> None:
        """Restore a saved view that was deleted. Do nothing if it is not deleted.

        Raise `NotFound` if `by` may not change the view. Raise `Invalid` at the field `name` if another view of the
        owner has this name now, or if the owner has `MOST` other views.
        """
        self._refuse(by)
        if self.deleted_at:
            await OwnView._refuse_more(self.agent_id)
        async with unless_taken("name", _taken(self.name)):
            await OwnView.update({OwnView.deleted_at: None}).where(OwnView.id == self.id)

    @classmethod
    async def _refuse_more(cls, agent_id: int) -> None:
        """Raise `Invalid` if the agent has `MOST` views.

        A lock makes simultaneous requests for one agent wait for each other.
        """
        await current().execute("select pg_advisory_xact_lock(hashtextextended('saves a view', $1))", agent_id)
        if await cls.count().where(cls.agent_id == agent_id, cls.deleted_at.is_null()) >= MOST:
            raise Invalid({"name": f"You have {MOST} views. Delete one that you do not need."})

    def may_be_changed(self, by: AgentReader) -> bool:
        """Return whether `by` may change the view: the owner may, and for a shared view managers may too."""
        return bool(self.agent_id == by.id or (self.is_shared and by.is_manager))

    @property
    def facts(self) -> ViewFacts:
        """Return the present values of the view as form fields."""
        return ViewFacts(name=self.name, is_shared="yes" if self.is_shared else "", query=self.query)

    def _refuse(self, by: AgentReader) -> None:
        if not self.may_be_changed(by):
            raise NotFound


def naming(reader: AgentReader) -> Counting:
    """Return the query for the saved views in the navigation. Its result is JSON, which `named` reads.

    The reader's own views come first. The query finds one view more than `SHOWN` if there are more.
    """
    sql = (
        "select coalesce(json_agg(json_build_array(id, name, query)), '[]')::text from (select id, name, query from own_view"  # noqa: S608
        f" where {OwnView.visible_sql(reader)} order by agent_id <> $1, folded(name), id limit {SHOWN + 1}) as v"
    )
    return Counting(sql, (reader.id,))


def named(text: str) -> list[Named]:
    """Parse the JSON that the query of `naming` yields, and return the views.

    More than `SHOWN` views mean that the agent may use more views than the navigation shows.
    """
    return [Named(*row) for row in json.loads(text)]


async def count_own(views: Sequence[Named], reader: AgentReader, at: datetime) -> Mapping[int, int]:
    """Return the number of cases in each of these views, by the id of the view, read with one query.

    1,001 stands for any number above 1,000.
    """
    asked = {str(view.id): question_of(view.query, at).counting(reader) for view in views}
    return {int(id): count for id, count in (await count_all(asked)).items()} if asked else {}


def question_of(query: str, at: datetime) -> Question:
    """Return the view and filters of a saved query string as a `Question` at the instant `at`."""
    return replace(Question.read(parse_qsl(query.removeprefix("?"))), at=at)


async def delete_old(at: datetime) -> None:
    """Delete the rows of views that were deleted more than `KEPT` before `at`."""
    await OwnView.delete().where(OwnView.deleted_at < at - KEPT)


def _read(facts: ViewFacts) -> dict[Any, Any]:
    checked = Checked()
    name = checked("name", line, facts.name)
    if name and len(name) > LONGEST_NAME:
        checked.refuse("name", f"Use at most {LONGEST_NAME} characters.")
    checked.done()
    return {"name": name, "is_shared": facts.is_shared == "yes"}


def _query(typed: str) -> str:
    """Return the query string with only the parameters that a list knows, in the order that `Question.address` writes.

    Raise `Invalid` if the result is too long to be saved.
    """
    query = Question.read(parse_qsl(typed.removeprefix("?"))).address()
    if len(query) > LONGEST_QUERY:
        raise Invalid({"": "These are too many filters for a view. Remove some of them."})
    return query


def _taken(name: str) -> str:
    return f"You have a view “{name}” already."
