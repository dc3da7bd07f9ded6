"""Pass rows of the outbox on: make a notice for each person who is told of what happened.

The column `passed_on` marks the rows that are done. It is set in the transaction that inserts their notices, so a worker
that is killed leaves either both or nothing. A row is found by its mark and not by its id, because transactions commit
in another order than that of their rows' ids. A unique constraint lets each person have one notice of each thing, even
if two workers read it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from portal.database import current
from portal.notices.choices import choices_of
from portal.notices.kinds import KINDS, Kind

BATCH = 500
"""The most rows of the outbox that one transaction passes on."""


class Due(NamedTuple):
    """A notice that one person is to get, unless they have it already."""

    kind: Kind
    credential_id: int
    record_id: int
    subject_id: int
    at: datetime
    amount: int | None = None


async def pass_on(at: datetime, *, mails: bool = True, most: int = BATCH) -> int:
    """Make the notices of at most `most` rows of the outbox, in the caller's transaction, and return how many rows.

    Run as `SYSTEM`. Rows that another worker is passing on are skipped. `at` is the present instant, from which it
    follows when a notice is mailed. `mails=False` makes notices that are never mailed, for the invented past of the
    demo.
    """
    tx = current()
    rows = await tx.fetch(_WAITING, most)
    by_kind: dict[str, list[int]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row["id"])
    due = [
        one
        for kind in KINDS.values()
        for one in await _due(kind, [id for told_as in kind.told_as for id in by_kind.get(told_as, ())])
    ]
    await make(due, at, mails=mails)
    taken = await tx.fetch(_TAKEN, by_kind.get("case.assigned", []))
    await tell_pages([row["credential_id"] for row in taken], at)
    await tx.execute("update outbox set passed_on = true where id = any($1)", [row["id"] for row in rows])
    return len(rows)


_WAITING = "select id, kind from outbox where not passed_on order by id limit $1 for update skip locked"

# Who was told of a new case need not look at it any more once somebody has it.
_TAKEN = """
update notice n set read_at = o.at from outbox o
where o.id = any($1) and o.agent_id is not null and n.kind = 'case.opened' and n.subject_id = o.subject_id and n.read_at is null
  and exists (select from credential c where c.id = n.credential_id and c.agent_id is not null)
returning n.credential_id
"""


async def _due(kind: Kind, told: list[int]) -> list[Due]:
    """Return the notices of this kind that the outbox rows with the ids `told` cause, except to those who did it."""
    if not told:
        return []
    sql = f"with told as (select * from outbox where id = any($1)) {kind.audience}"  # noqa: S608
    return [
        Due(kind, row["credential_id"], row["record_id"], row["subject_id"], row["at"])
        for row in await current().fetch(sql, told)
        if row["credential_id"] != row["actor_id"]
    ]


async def make(due: Sequence[Due], at: datetime, *, mails: bool = True) -> None:
    """Insert these notices, in the caller's transaction, and let the open pages of their receivers know.

    A notice that its person has already is not made again, nor one of a kind that the person has switched off, nor one
    for a person without access. `at` is the present instant. With `mails=False`, none is mailed.
    """
    choices, rows = await choices_of({one.credential_id for one in due}), []
    # In one order, so that two workers that make the same notices wait for each other and do not deadlock.
    for one in sorted(due, key=lambda one: (one.credential_id, one.kind.name, one.record_id)):
        chosen = choices.get(one.credential_id)
        choice = chosen.of(one.kind) if chosen else None
        if chosen and choice and choice.is_told:
            mail_due = chosen.mail_due(choice.mail, at) if mails else None
            mail = choice.mail.value if mail_due else None
            rows.append((one.credential_id, one.kind.name, one.record_id, one.subject_id, one.amount, one.at,
                         choice.in_app, mail, mail_due))  # fmt: skip
    if rows:
        made = await current().fetch(_MAKE, *zip(*rows, strict=True))
        await tell_pages([row["credential_id"] for row in made], at)


_MAKE = """
insert into notice (credential_id, kind, record_id, subject_id, amount, at, in_app, mail, mail_due_at)
select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::int[], $6::timestamptz[], $7::boolean[], $8::text[],
  $9::timestamptz[])
on conflict (credential_id, kind, record_id) do nothing returning credential_id
"""


async def tell_pages(credential_ids: Collection[int], at: datetime) -> None:
    """Write to the outbox that the notices of these people have changed, so that the bells of their open pages update."""
    if credential_ids:
        await current().execute(_TELL, list(set(credential_ids)), at)


_TELL = """
insert into outbox (kind, subject_id, customer_id, contact_id, contact_may_know, at, passed_on)
select 'notice.changed', c.id, c.customer_id, c.contact_id, c.contact_id is not null, $2, true from credential c where c.id = any($1)
"""
