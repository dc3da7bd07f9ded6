"""What a bulk change can do with a case: how a value is read and written, and the words that people read for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from portal.database import current
from portal.desk.cases import Case
from portal.desk.dispatch.dispatching import dispatch
from portal.desk.names import WHO_WORKS, works
from portal.desk.tagging.tags import DELETED, Tag, add_tag, remove_tag
from portal.desk.verbs.moving import put_back
from portal.desk.workflow import Priority, Status
from portal.desk.workflow.statuses import CaseStatus
from portal.errors import Conflict, Invalid, NotFound
from portal.numbers import number_in
from portal.people.departments import Department
from portal.people.readers import AgentReader

NOBODY = ""
"""The value of a case that is assigned to nobody."""


class Verb(StrEnum):
    """What a bulk change does with its cases.

    `ASSIGN`, `DEPARTMENT`, `STATUS` and `PRIORITY` set agent, department, status or priority; `TAG` and `UNTAG` add and
    remove a tag. `DISPATCH` assigns each case to another agent, whom the rules of dispatch choose.
    """

    ASSIGN = "assign"
    DISPATCH = "dispatch"
    DEPARTMENT = "department"
    STATUS = "status"
    PRIORITY = "priority"
    TAG = "tag"
    UNTAG = "untag"

    @property
    def done(self) -> str:
        """Return the words that follow the number of cases, such as `assigned` in "12 cases assigned"."""
        return _DONE.get(self, "assigned")

    @property
    def is_of_tags(self) -> bool:
        """Return whether the value is a tag. A case can have several tags."""
        return self in (Verb.TAG, Verb.UNTAG)

    @property
    def reverse(self) -> "Verb":
        """Return the verb that undoes this one."""
        return {Verb.DISPATCH: Verb.ASSIGN, Verb.TAG: Verb.UNTAG, Verb.UNTAG: Verb.TAG}.get(self, self)

    @property
    def rule(self) -> "Rule":
        """Return how the verb reads and writes cases."""
        return RULES[self]


_DONE = {
    Verb.DEPARTMENT: "given to the department",
    Verb.STATUS: "got another status",
    Verb.PRIORITY: "got another priority",
    Verb.TAG: "got the tag",
    Verb.UNTAG: "lost the tag",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one verb reads the value of a case and changes it.

    `column` is the SQL for the present value of the case `c` as text, and `value_of` returns this value for a `Case`.
    `write` sets a value, and returns whether that changed the case. `check` raises `Invalid` at the field `value` for a
    value that no case can get. If there is a `put_back`, a change that undoes another change calls `put_back` instead
    of `write`, because `put_back` also accepts former values that `write` refuses.
    """

    column: str
    value_of: Callable[[Case], str]
    write: Callable[[Case, str, AgentReader, datetime], Awaitable[bool]]
    check: Callable[[str], Awaitable[None]]
    put_back: Callable[[Case, str, AgentReader, datetime], Awaitable[bool]] | None = None


CHOOSE = {"value": "Choose one from the list."}


async def _agent(value: str) -> None:
    if value != NOBODY and not await works(number_in(value) or 0):
        raise Invalid({"value": WHO_WORKS})


async def _accept_any(_: str) -> None:
    """Accept any value, because the rules of dispatch choose the agent."""


async def settable() -> list[CaseStatus]:
    """Return the statuses that a bulk change can set.

    Statuses of the category new are left out, because no case becomes new again.
    """
    return [one for one in await CaseStatus.offered() if one.status is not Status.NEW]


async def _status(value: str) -> None:
    if number_in(value) not in [one.id for one in await settable()]:
        raise Invalid(CHOOSE)


async def _priority(value: str) -> None:
    if number_in(value) not in list(Priority):
        raise Invalid(CHOOSE)


async def _assign(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    await case.assign(int(value) if value else None, by=by, at=at)
    return True


async def _department(value: str) -> None:
    if number_in(value) not in [id for id, _ in await Department.choices()]:
        raise Invalid(CHOOSE)


async def _give(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    former = case.department_id
    await case.give_to_department(int(value), by=by, at=at)
    return case.department_id != former


async def _give_back(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    department, agent = value.split(_AND)
    await case.give_to_department(int(department) if department else None, by=by, at=at, keeps_agent=True)
    await case.assign(int(agent) if agent else None, by=by, at=at)
    return True


async def _dispatch(case: Case, _: str, by: AgentReader, at: datetime) -> bool:
    leaving = case.agent_id
    await dispatch(case, by=by, at=at, leaving=leaving)
    if case.agent_id == leaving:
        raise Conflict("Nobody was chosen, so it stays. Choose a colleague.")
    if case.agent_id is None:
        raise Conflict("The rules find nobody who is there, so it stays. Choose a colleague.")
    return True


async def _move(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    await case.change_status(int(value), by=by, at=at)
    return True


async def _put_back(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    await put_back(case, int(value), by=by, at=at)
    return True


async def _prioritise(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    await case.change_facts(by=by, at=at, priority=int(value))
    return True


async def _tag(value: str) -> None:
    try:
        await Tag.find(number_in(value) or 0)
    except NotFound:
        raise Invalid({"value": "Choose a tag from the list."}) from None


async def _add_tag(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    return await add_tag(case, await _known(value), by=by, at=at)


async def _remove_tag(case: Case, value: str, by: AgentReader, at: datetime) -> bool:
    return await remove_tag(case, await _known(value), by=by, at=at)


async def _known(value: str) -> Tag:
    """Return the tag with the id `value`. Raise `Conflict` if it has been deleted."""
    try:
        return await Tag.find(int(value))
    except NotFound:
        raise Conflict(DELETED) from None


def _department_of(case: Case) -> str:
    return f"{case.department_id or ''}{_AND}{case.agent_id or ''}"


def _agent_of(case: Case) -> str:
    return str(case.agent_id or NOBODY)


_AND = "/"
"""The separator in a value of the verb `DEPARTMENT`: a value consists of the ids of a case's department and agent.

The agent is included because a case may lose its agent when it moves to another department, and undoing restores both.
"""
_DEPARTMENT = f"concat(c.department_id, '{_AND}', c.agent_id)"
_AGENT = "coalesce(c.agent_id::text, '')"
RULES = {
    Verb.ASSIGN: Rule(_AGENT, _agent_of, _assign, _agent),
    Verb.DISPATCH: Rule(_AGENT, _agent_of, _dispatch, _accept_any),
    Verb.DEPARTMENT: Rule(_DEPARTMENT, _department_of, _give, _department, _give_back),
    Verb.STATUS: Rule("c.status_id::text", lambda case: str(case.status_id), _move, _status, _put_back),
    Verb.PRIORITY: Rule("c.priority::text", lambda case: str(case.priority), _prioritise, _priority),
    Verb.TAG: Rule("''", lambda _: "", _add_tag, _tag),
    Verb.UNTAG: Rule("''", lambda _: "", _remove_tag, _tag),
}
"""How each verb reads and writes cases."""


_NAMES = {
    Verb.DEPARTMENT: "select id, name from department where id = any($1)",
    Verb.STATUS: "select id, name from case_status where id = any($1)",
    Verb.PRIORITY: "select id, name from case_priority where id = any($1)",
    Verb.TAG: "select id, name from tag where id = any($1)",
    Verb.UNTAG: "select id, name from tag where id = any($1)",
}
_AGENTS = "select id, name from agent where id = any($1)"


async def words_of(verb: Verb, values: Any) -> Mapping[str, str]:
    """Return the words that people read for these values of the verb, such as the names of agents, by value.

    A case without a department has the word "None", a case without an agent "Nobody". A tag that was deleted has the
    words `DELETED`; any other value that does not exist is left out.
    """
    ids = {value: int(first) for value in values if (first := value.partition(_AND)[0])}
    rows = await current().fetch(_NAMES.get(verb, _AGENTS), list(ids.values()))
    names = {row["id"]: row["name"] for row in rows}
    none = "None" if verb is Verb.DEPARTMENT else "Nobody"
    gone = {value: DELETED for value in ids if verb.is_of_tags}
    return gone | {
        value: names[ids[value]] if value in ids else none for value in values if ids.get(value, 0) in {0, *names}
    }
