"""Flags: a manager or the customer asks a question about a time entry, and the entry's author can answer.

The entry is not billed until the flag is lifted, but keeps its state and its allocations (C3). `portal.billing` flags
entries, and checks who may lift a flag. A manager's flag is lifted by a manager who may approve or reject the entry. A
flag that a customer's question has set is lifted by any manager who ends the question. This module stores the author's
answer, lifts flags for `portal.billing`, and reads open flags for lists.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from piccolo.columns import UUID, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import AgentReader
from portal.timekeeping import traces, versions
from portal.timekeeping.versions import Step, Verb
from portal.visible import visible

LONGEST = 1000
"""Maximum number of characters of a question or an answer."""
LIFTED = "Somebody has lifted this flag in the meantime."


class Flag(Table, tablename="flag"):
    """One flag on a time entry. It is open until `lifted_at` is set; an entry has at most one open flag.

    `version` is the version of the entry that was flagged. Entries that a manager flags in one step have the same
    `decision`. A customer's question (`question_id`) flags time too; then `flagged_by_id` is None.
    """

    id: BigSerial = BigSerial(primary_key=True)
    entry_id = BigInt(default=None)
    version = Integer(default=None)
    decision = UUID(default=None)
    flagged_by_id = BigInt(null=True, default=None)
    question_id = BigInt(null=True, default=None)
    flagged_at = Timestamptz(default=None)
    question = Text(default=None)
    answered_by_id = BigInt(null=True, default=None)
    answered_at = Timestamptz(null=True, default=None)
    answer = Text(null=True, default=None)
    lifted_by_id = BigInt(null=True, default=None)
    lifted_at = Timestamptz(null=True, default=None)


@dataclass(frozen=True, slots=True)
class OpenFlag:
    """The open flag of a listed time entry; `answer` is None until the author has answered.

    `by_id` and `by` are the id and the name of the manager who flagged the entry. For a customer's question, `by_id` is
    None and `by` is `CUSTOMER`.
    """

    id: int
    question: str
    by_id: int | None
    by: str
    at: datetime
    answer: str | None
    answered_at: datetime | None

    @classmethod
    def read(cls, text: str | None) -> "OpenFlag | None":
        """Return the flag from the JSON that the SQL `OPEN_FLAG` yields; None for an entry without an open flag."""
        if text is None:
            return None
        row = json.loads(text)
        answered_at = row["answered_at"] and datetime.fromisoformat(row["answered_at"])
        return cls(**row | {"at": datetime.fromisoformat(row["at"]), "answered_at": answered_at})


CUSTOMER = "The customer"
"""The name that pages show for whoever asked a customer's question. It stands at the start of a sentence."""

OPEN_FLAG = f"""
(select json_build_object('id', f.id, 'question', f.question, 'by_id', h.id, 'by', coalesce(h.name, '{CUSTOMER}'), 'at', f.flagged_at,
   'answer', f.answer, 'answered_at', f.answered_at)
 from flag f left join agent h on h.id = f.flagged_by_id where f.entry_id = e.id and f.lifted_at is null)
"""  # noqa: S608
"""SQL expression that returns the open flag of the time entry `e` as JSON, or null; for the raw SQL of lists."""

IS_FLAGGED = "exists (select from flag f where f.entry_id = e.id and f.lifted_at is null)"
"""SQL condition that the time entry `e` has an open flag, for filters and counts."""


async def answer(entry_id: int, text: str, *, by: AgentReader, at: datetime) -> None:
    """Store the author's answer to the question of an entry's open flag. A later answer replaces an earlier one.

    The flag stays open: only a manager lifts it (C3). The answer is recorded as a version of the entry and in the
    outbox, which notifies the manager. Sending the same answer again changes nothing. Raise `NotFound` if there is no
    such entry, `Forbidden` if `by` is not the author of the entry, and `Conflict` if the entry has no open flag. Raise
    `Invalid` (`answer`) if the text is empty or too long.
    """
    row = await current().fetchrow(_HELD, entry_id)
    if row is None:
        raise NotFound
    if row["agent_id"] != by.id:
        raise Forbidden("Only the person who worked this time answers.")
    text = checked("answer", text, "Write an answer.")
    if row["flag_id"] is None:
        raise Conflict(LIFTED)
    if row["answer"] == text:
        return
    await current().execute(
        "update flag set answer = $2, answered_by_id = $3, answered_at = $4 where id = $1",
        row["flag_id"],
        text,
        by.id,
        at,
    )
    step = Step(entry_id, row["version"], row["state"])
    await versions.keep(Verb.ANSWERED, [step], by, at, note=text)
    await traces.notify_all([row], "time.answered", by, at, record_id=row["flag_id"])


_HELD = """
select e.id, e.agent_id, e.case_id, e.customer_id, e.version, e.state, f.id as flag_id, f.answer
from time_entry e left join flag f on f.entry_id = e.id and f.lifted_at is null
where e.id = $1 for no key update of e
"""


async def lift_of(entry_ids: Collection[int], *, by: AgentReader, at: datetime) -> None:
    """Lift the open flags of these entries, and record a version of each entry that had one.

    The caller must have checked that `by` may do that.
    """
    await _lift(_OF_ENTRIES, sorted(entry_ids), by, at)


async def lift_customers(question_id: int, *, by: AgentReader, at: datetime) -> None:
    """Lift the open flag that the customer's question `question_id` set, if any. A flag by a manager stays."""
    await _lift(_OF_QUESTION, question_id, by, at)


_OF_ENTRIES = """
with lifted as (update flag set lifted_at = $2, lifted_by_id = $3 where entry_id = any($1) and lifted_at is null returning entry_id)
select e.id, e.version, e.state from time_entry e join lifted l on l.entry_id = e.id order by e.id
"""
_OF_QUESTION = _OF_ENTRIES.replace("entry_id = any($1)", "question_id = $1")


async def _lift(sql: str, whose: object, by: AgentReader, at: datetime) -> None:
    rows = await current().fetch(sql, whose, at, by.id)
    await versions.keep(Verb.LIFTED, [Step(row["id"], row["version"], row["state"]) for row in rows], by, at)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about time that the agent who worked has not answered yet.

    `by` is the name of the manager who asked, or `CUSTOMER`. `minutes` are the worked minutes of the time entry, and
    `work_date` is the day of the work.
    """

    entry_id: int
    minutes: int
    work_date: date
    by: str
    question: str


async def unanswered(agent_id: int) -> list[Question]:
    """Return the questions about an agent's time that the agent has not answered yet, the latest first."""
    rows = await current().fetch(
        "select e.id as entry_id, e.actual_minutes as minutes, e.work_date, coalesce(h.name, $2) as by, f.question"
        " from flag f join time_entry e on e.id = f.entry_id left join agent h on h.id = f.flagged_by_id"
        " where f.lifted_at is null and f.answer is null and e.agent_id = $1 order by f.flagged_at desc, f.id desc",
        agent_id,
        CUSTOMER,
    )
    return [Question(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a manager's question whose flag is still open, with the minutes and the work date of the entry.

    `agent` is the name of the agent who worked.
    """

    entry_id: int
    minutes: int
    work_date: date
    agent: str
    answer: str


async def answered(manager_id: int) -> list[Answered]:
    """Return the authors' answers to this manager's open flags, the latest answer first."""
    rows = await current().fetch(
        "select e.id as entry_id, e.actual_minutes as minutes, e.work_date, a.name as agent, f.answer"
        " from flag f join time_entry e on e.id = f.entry_id join agent a on a.id = e.agent_id"
        " where f.lifted_at is null and f.answer is not null and f.flagged_by_id = $1 order by f.answered_at desc, f.id desc",
        manager_id,
    )
    return [Answered(**row) for row in rows]


def checked(field: str, text: str, empty: str) -> str:
    """Return a question, an answer or a reason without invisible characters and surrounding blanks.

    Raise `Invalid` at `field` if the text is empty or too long. The error message for an empty text is `empty`.
    """
    text = visible(text).strip()
    if not text:
        raise Invalid({field: empty})
    if len(text) > LONGEST:
        raise Invalid({field: f"Use at most {LONGEST} characters."})
    return text
