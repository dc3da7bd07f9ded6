"""Hold the replies of agents for a few seconds before they go out, so that their authors can withdraw them.

Until then a reply is a row of `outgoing_reply`, which contacts cannot read: it changes no status and no deadline, and
nobody is notified. A job of the worker turns it into a message (`go_out`); a job that is killed runs again.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from piccolo.columns import UUID, BigInt, BigSerial, Text, Timestamptz
from piccolo.table import Table

from portal import jobs, outbox
from portal.database import current, transaction
from portal.desk.cases import Case
from portal.desk.files import draft_files
from portal.desk.messages import SentBefore, Writing, written_before
from portal.desk.verbs.changing import agents_only, lock
from portal.desk.verbs.moving import wanted
from portal.desk.workflow import Status
from portal.errors import Conflict, Invalid, NotFound, Refusal, Unavailable
from portal.people.agents import reader_of_agent
from portal.people.readers import SYSTEM, AgentReader

HELD_FOR = timedelta(seconds=10)
"""For how long a reply can be withdrawn."""
KEPT_FOR = timedelta(days=1)
"""How long the row of a withdrawn reply is kept, so that the same form cannot send the reply again."""


class OutgoingReply(Table, tablename="outgoing_reply"):
    """A reply that an agent has sent and that has not gone out.

    `case_number` is the number of its case when it was sent; the case may have been merged since. `then_status` is the
    category of the status that the reply sets, if any, and `seen_status` the category of the case's status when the
    reply was sent. `withdrawn_at` is when the reply was withdrawn. `problem` says why the reply cannot go out: it was
    refused, or its author has left.
    """

    id: BigSerial = BigSerial(primary_key=True)
    case_number = BigInt(default=None)
    agent_id = BigInt(default=None)
    text = Text(default=None)
    then_status = Text(null=True, default=None)
    seen_status = Text(default=None)
    form_key = UUID(default=None)
    sent_at = Timestamptz(default=None)
    goes_out_at = Timestamptz(default=None)
    withdrawn_at = Timestamptz(null=True, default=None)
    problem = Text(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A reply that has not gone out, as the page of its case shows it. `agent` is the name of its author.

    `form_key` is the key of the form; the message that is made from the reply has the same key. `goes_out_at` is when
    the reply goes out. If the reply cannot go out, `problem` says why. `has_left` says whether the author no longer
    works here.
    """

    id: int
    agent_id: int
    agent: str
    text: str
    form_key: uuid.UUID
    goes_out_at: datetime
    problem: str | None
    has_left: bool

    def may_be_taken_back(self, by: AgentReader) -> bool:
        """Return whether `by` may withdraw the reply: the author may, and managers may once the author has left."""
        return self.agent_id == by.id or (self.has_left and by.is_manager)

    @staticmethod
    def read(text: str | None) -> "list[Outgoing]":
        """Parse the JSON that the SQL expression `OUTGOING` yields, and return the replies."""
        return msgspec.json.decode(text or "[]", type=list[Outgoing])


OUTGOING = """
(select json_agg(json_build_object('id', g.id, 'agent_id', g.agent_id, 'agent', h.name, 'text', g.text, 'form_key', g.form_key,
   'goes_out_at', g.goes_out_at, 'problem', g.problem, 'has_left', h.ended_at is not null) order by g.id)::text
 from outgoing_reply g join agent h on h.id = g.agent_id
 where g.withdrawn_at is null and g.case_number in (select k.number from cases k where k.id = c.id or k.merged_into_id = c.id))
"""
"""SQL for the replies on the case `c` that have not gone out, as JSON."""
LAST_REPLY = "(select max(m.id) from message m where m.case_id = c.id and m.kind = 'reply')"
"""SQL for the id of the newest reply on the case `c`."""


class Crossed(Invalid):
    """Raised if somebody else has replied, and the page on which the agent wrote did not show that reply."""

    status = Conflict.status


async def send(
    case: Case,
    writing: Writing,
    *,
    by: AgentReader,
    at: datetime,
    then: Status | None = None,
    seen: int | None = None,
    seen_held: Sequence[uuid.UUID] = (),
) -> bool:
    """Hold a reply, which goes out after `HELD_FOR`, and return True; return False if its form was sent before.

    The files of the form move to a key of their own (`_files_key`). `then` is the category of the status that the reply
    sets, or None. `seen` is the id of the newest reply that the page showed, or None to accept any; `seen_held` are the
    form keys of the held replies that the page showed. Raise `Crossed` if a contact or another agent has sent a reply
    that the page did not show. Raise `Invalid` if the text is not valid or the case cannot get the status. Raise
    `SentBefore` if the form was sent with another text, or if its reply was withdrawn.
    """
    agents_only(by)
    writing.check()
    if writing.form_key is None:
        raise ValueError("a reply that can be taken back needs the key of its form")
    if await written_before(writing, by, "reply", case.id) or await _held_before(writing, by):
        return False
    await lock(case, by, follows=True)
    if seen is not None:
        await _refuse_crossing(case, by, seen, seen_held)
    if then and then is not case.stands:
        await wanted(case, then)
    held: int = await current().fetchval(
        _HOLD, case.number, by.id, writing.text, then and then.value, case.status, writing.form_key, at, at + HELD_FOR
    )
    await draft_files.move(writing.form_key, _files_key(writing.form_key), by)
    await jobs.enqueue_later("send_reply", HELD_FOR, reply=held)
    await _tell(case, by, at)
    return True


_HOLD = """
insert into outgoing_reply (case_number, agent_id, text, then_status, seen_status, form_key, sent_at, goes_out_at)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning id
"""


def _files_key(form_key: uuid.UUID) -> uuid.UUID:
    """Return the key of the files of a held reply.

    The key differs from the form's own key, so that the form can no longer change these files.
    """
    return uuid.uuid5(form_key, "held reply")


async def _refuse_crossing(case: Case, by: AgentReader, seen: int, seen_held: Sequence[uuid.UUID]) -> None:
    """Raise `Crossed` if somebody else has sent a reply that the page did not show, even if the reply is still held."""
    row = await current().fetchrow(_CROSSING, case.id, seen, by.id, seen_held)
    then = "then send yours again or change it."
    if row["replied"]:
        raise Crossed({"body": f"{row['replied']} replied while you were writing. Read that above, {then}"})
    if row["sending"]:
        raise Crossed(
            {"body": f"{row['sending']} is sending a reply, which goes out in a moment. Read it above, {then}"}
        )


_CROSSING = """
select (select string_agg(distinct m.author_name, ', ') from message m
  where m.case_id = $1 and m.id > $2 and m.kind = 'reply' and m.agent_id is distinct from $3
    and (m.form_key is null or m.form_key <> all($4::uuid[]))) as replied,
 (select string_agg(distinct h.name, ', ') from outgoing_reply g join agent h on h.id = g.agent_id
  where g.case_number in (select k.number from cases k where $1 in (k.id, k.merged_into_id)) and g.agent_id <> $3
    and g.withdrawn_at is null and g.problem is null and g.form_key <> all($4::uuid[])) as sending
"""


async def _held_before(writing: Writing, by: AgentReader) -> bool:
    """Return whether the agent sent this form before and its reply still waits in `outgoing_reply`.

    The caller holds the lock on the form. Raise `SentBefore` if the reply was withdrawn or has another text.
    """
    row = await current().fetchrow(
        "select text, withdrawn_at from outgoing_reply where form_key = $1 and agent_id = $2", writing.form_key, by.id
    )
    if row and (row["withdrawn_at"] or row["text"] != writing.text):
        raise SentBefore({"body": "You sent this form before. Send it once more if you mean it."})
    return row is not None


@dataclass(frozen=True, slots=True)
class Held:
    """A reply of an agent that has not gone out or was withdrawn. Its files are the uploads with the key `files_key`."""

    id: int
    agent_id: int
    text: str
    files_key: uuid.UUID
    withdrawn: bool


async def held_on(case: Case, form_key: uuid.UUID, *, by: AgentReader, hold: bool = False) -> Held:
    """Return the held reply on the case that was sent with the form `form_key`; with `hold`, lock its row.

    Raise `Conflict` if the reply has gone out. Raise `NotFound` if there is no such reply that `by` may withdraw:
    agents may withdraw their own replies, and managers also those of agents who have left.
    """
    row = await current().fetchrow(
        _HELD + ("for no key update" if hold else ""), case.id, form_key, by.id, by.is_manager
    )
    if row is None and await current().fetchval(_GONE_OUT, case.id, form_key, by.id):
        raise Conflict("The reply has gone out and cannot be taken back.")
    if row is None:
        raise NotFound
    return Held(row["id"], row["agent_id"], row["text"], _files_key(form_key), row["withdrawn_at"] is not None)


_HELD = """
select * from outgoing_reply where form_key = $2
  and (agent_id = $3 or $4 and exists (select from agent a where a.id = agent_id and a.ended_at is not null))
  and case_number in (select k.number from cases k where $1 in (k.id, k.merged_into_id))
"""
_GONE_OUT = "select true from message where case_id = $1 and form_key = $2 and agent_id = $3"


async def take_back(case: Case, held: Held, *, by: AgentReader, at: datetime) -> None:
    """Withdraw a reply that `held_on` has locked in this transaction. Do nothing if it was withdrawn before."""
    if not held.withdrawn:
        await current().execute("update outgoing_reply set withdrawn_at = $2 where id = $1", held.id, at)
        await _tell(case, by, at)


async def go_out(reply_id: int, at: datetime) -> None:
    """Write a held reply on its case, in a job of the worker. Do nothing if it has gone out or was withdrawn.

    The status that the agent chose is set, unless the category of the case's status has changed since the reply was
    sent, or a contact has written since. If the author has left (R12) or the reply is refused, the reply does not go
    out, and its `problem` says why on the page of the case. Raise `Unavailable` if the database is not available.
    """
    async with transaction(SYSTEM) as tx:
        agent_id = await tx.fetchval(
            "select agent_id from outgoing_reply where id = $1 and withdrawn_at is null", reply_id
        )
        by = await reader_of_agent(agent_id) if agent_id else None
        if agent_id and by is None:
            await _keep_back(reply_id, at)
    if by is None:
        return
    try:
        async with transaction(by) as tx:
            if held := await tx.fetchrow(_DUE, reply_id):
                await _write(held, by, at)
    except Unavailable:
        raise
    except Refusal as refusal:
        sentences = refusal.fields.values() if isinstance(refusal, Invalid) else [refusal.sentence]
        async with transaction(by) as tx:
            await tx.execute("update outgoing_reply set problem = $2 where id = $1", reply_id, " ".join(sentences))


async def _keep_back(reply_id: int, at: datetime) -> None:
    """Record, for the page of the case, that a reply does not go out because its author has left."""
    number = await current().fetchval(
        "update outgoing_reply set problem = $2 where id = $1 and withdrawn_at is null returning case_number",
        reply_id,
        LEFT,
    )
    if number:
        await _tell(await Case.find(number, SYSTEM), None, at)


LEFT = "Its author no longer works here, so it does not go out. A manager can take it back, and send it."


async def _write(held: Any, by: AgentReader, at: datetime) -> None:
    case = await Case.find(held["case_number"], by)
    files = await draft_files.of_form(_files_key(held["form_key"]), by)
    await lock(case, by, follows=True)
    moved = case.status != held["seen_status"] or await current().fetchval(_ANSWERED, case.id, held["sent_at"])
    then = Status(held["then_status"]) if held["then_status"] and not moved else None
    await current().execute("delete from outgoing_reply where id = $1", held["id"])
    await case.reply(by=by, text=held["text"], files=files, at=at, then=then, form_key=held["form_key"])


_DUE = "select * from outgoing_reply where id = $1 and withdrawn_at is null for update"
_ANSWERED = "select true from message where case_id = $1 and contact_id is not null and at > $2 limit 1"


async def delete_old(at: datetime) -> None:
    """Delete the rows of replies that were withdrawn more than `KEPT_FOR` ago."""
    await current().execute("delete from outgoing_reply where withdrawn_at < $1", at - KEPT_FOR)


async def _tell(case: Case, by: AgentReader | None, at: datetime) -> None:
    """Make the pages of the case that agents have open reload the held replies. Nobody gets a notice."""
    await outbox.tell(
        kind="case.changed_internally", subject_id=case.id, customer_id=case.customer_id, contact_id=case.contact_id,
        contact_may_know=False, actor=by, at=at,
    )  # fmt: skip
