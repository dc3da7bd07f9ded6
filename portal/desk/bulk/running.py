"""Carry out a bulk change, case by case, in the request that began it and then in a job of the worker."""

import uuid
from datetime import datetime, timedelta
from time import monotonic

from portal.database import current, transaction
from portal.database.batches import all_or_report
from portal.desk.bulk.changes import BulkChange
from portal.desk.bulk.verbs import words_of
from portal.desk.cases import Case
from portal.errors import Conflict, Invalid, Refusal, Unavailable
from portal.people.agents import reader_of_agent
from portal.people.readers import SYSTEM, AgentReader, Reader

WITHIN = timedelta(seconds=1)
"""For how long the request that begins a change works on it; the worker changes the other cases."""


async def go_on(change_id: uuid.UUID, *, by: AgentReader, at: datetime, within: timedelta | None = None) -> bool:
    """Change the waiting cases, one after the other, and return whether the change is finished.

    Each case is changed in a transaction of its own, so that nobody waits for more than one case. If `within` is given,
    no further case is begun after that time. Two processes may work on the same change: neither changes a case that the
    other one is changing. If another transaction has locked a case, or the database is not available, the case stays
    waiting; the other cases are changed, and then `Unavailable` is raised. Raise `NotFound` if the agent `by` has no
    such change.
    """
    began, away = monotonic(), None
    async with transaction(by, readonly=True) as tx:
        change = await BulkChange.find(change_id, by)
        waiting = [row["member_id"] for row in await tx.fetch(_WAITING, change_id)]
    for member_id in waiting:
        if within is not None and monotonic() - began > within.total_seconds():
            return False
        away = await _change_one(change, member_id, by, at) or away
    if away:
        raise away
    async with transaction(by) as tx:
        return await tx.fetchval(_FINISH, change_id, at) is not None


_WAITING = "select member_id from bulk_member where change_id = $1 and state = 'waiting' order by member_id"
_FINISH = """
update bulk_change set finished_at = coalesce(finished_at, $2) where id = $1
  and not exists (select from bulk_member where change_id = $1 and state = 'waiting') returning id
"""
_TAKE = """
select m.former, m.became, c.number from bulk_member m join cases c on c.id = m.member_id
where m.change_id = $1 and m.member_id = $2 and m.state = 'waiting' for update of m skip locked
"""
_DONE = "update bulk_member set state = $3, became = $4 where change_id = $1 and member_id = $2"
_REFUSE = "update bulk_member set state = 'refused', reason = $3 where change_id = $1 and member_id = $2 and state = 'waiting'"


async def _change_one(change: BulkChange, member_id: int, by: AgentReader, at: datetime) -> Unavailable | None:
    """Change one case, unless another process is changing it, and store what became of it.

    If the case is refused, store the reason. If the case stays waiting because of an `Unavailable`, return that error.
    """

    async def step(_: int) -> None:
        row = await current().fetchrow(_TAKE, change.id, member_id)
        if row is None:
            return
        value = change.value if row["became"] is None else row["became"]
        state, became = await _write(change, row["number"], row["former"], value or "", by, at)
        await current().execute(_DONE, change.id, member_id, state, became)

    why = (await all_or_report([member_id], step, reader=by)).refused.get(member_id)
    if isinstance(why, Unavailable):
        return why
    if why is not None:
        await _refuse(change.id, member_id, why, by)
    return None


async def _write(
    change: BulkChange, number: int, former: str, value: str, by: AgentReader, at: datetime
) -> tuple[str, str]:
    """Set `value` on the case with this number, and return `changed` or `same`, and the value that the case has then.

    Raise `Conflict` if the value of the case is no longer `former`.
    """
    rule = change.does.rule
    case = await Case.find(number, by, hold=True, itself=True)
    now = rule.value_of(case)
    if now != former:
        words = await words_of(change.does, [now])
        raise Conflict(f"Somebody else has changed this in the meantime. It is now {words.get(now, now)}.")
    if now == value:
        return "same", now
    write = (rule.put_back if change.undoes else None) or rule.write
    if not await write(case, value, by, at):
        return "same", now
    return "changed", rule.value_of(case)


async def _refuse(change_id: uuid.UUID, member_id: int, why: Refusal, reader: Reader) -> None:
    reason = " ".join(why.fields.values()) if isinstance(why, Invalid) else why.sentence
    async with transaction(reader) as tx:
        await tx.execute(_REFUSE, change_id, member_id, reason)


async def carry_out(change_id: uuid.UUID, *, by: AgentReader, at: datetime) -> bool:
    """Work for at most `WITHIN` on a change that was just begun, and return whether it is finished.

    The worker changes the cases that are left, including those that stay waiting because of an `Unavailable`.
    """
    try:
        return await go_on(change_id, by=by, at=at, within=WITHIN)
    except Unavailable:
        return False


async def resume(change_id: uuid.UUID, at: datetime) -> None:
    """Continue with a change, in a job of the worker. Do nothing if it is finished or deleted.

    The present rights of the agent who began the change apply; if the agent has left, the waiting cases are refused.
    Raise `Unavailable` as `go_on` does.
    """
    async with transaction(SYSTEM) as tx:
        agent_id = await tx.fetchval(
            "select agent_id from bulk_change where id = $1 and finished_at is null", change_id
        )
        by = await reader_of_agent(agent_id) if agent_id else None
        if agent_id and by is None:
            await tx.execute(_STOP, change_id)
            await tx.fetchval(_FINISH, change_id, at)
    if by is not None:
        await go_on(change_id, by=by, at=at)


_STOP = """
update bulk_member set state = 'refused', reason = 'Whoever began this has left.' where change_id = $1 and state = 'waiting'
"""
