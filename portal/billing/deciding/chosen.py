"""Lock the time entries that a manager chose to decide on, and tell why a decision on an entry is refused."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.billing.allocating.book import Row
from portal.billing.locks import lock_customers
from portal.billing.sentences import REFUSED
from portal.contracts.approvers import DECIDES, MAY_DECIDE
from portal.database import current
from portal.database.batches import Report
from portal.errors import Conflict, Forbidden, Invalid, Refusal
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping.flags import CUSTOMER


@dataclass(frozen=True, slots=True)
class Choice:
    """A time entry that a manager chose, in the version that the page showed."""

    entry_id: int
    version: int

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """Return the choice from the value of a tick box, `id:version`. Raise `Invalid` for other text."""
        entry_id, version = (number_in(part, digits=9) for part in text.partition(":")[::2])
        if entry_id is None or version is None:
            raise Invalid({"entry": "Tick entries in the list."})
        return cls(entry_id, version)


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """A time entry on which a decision was refused. `sentence` is the error message.

    `status` is the HTTP status for this kind of refusal. `entry` is the entry's row, with which a page describes the
    entry, or None if the entry has been deleted.
    """

    entry_id: int
    sentence: str
    status: int = Conflict.status
    entry: Row | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a batch: the ids of the entries that were decided on (`done`), and the refused entries.

    All approvals, rejections or flags of one call share the id `decision`, by which they can be undone together. For
    other batches, `decision` is None.
    """

    done: tuple[int, ...]
    refused: tuple[RefusedEntry, ...]
    decision: uuid.UUID | None = None

    @classmethod
    def of(cls, report: Report[int, Any], rows: Mapping[int, Row], decision: uuid.UUID | None = None) -> "Outcome":
        """Return the outcome of a batch from its report, whose keys are entry ids.

        `rows` holds the rows of the entries by id. `decision` is the id by which the batch can be undone, or None.
        """
        refused = [
            RefusedEntry(entry_id, reason.sentence, reason.status, rows.get(entry_id))
            for entry_id, reason in sorted(report.refused.items())
        ]
        return cls(tuple(sorted(report.done)), tuple(refused), decision)

    @property
    def status(self) -> int:
        """Return the HTTP status of the whole batch.

        It is 200 if at least one entry was decided on or none was refused. Otherwise it is 409 if any entry was refused
        with 409, else the lowest status of the refused entries.
        """
        statuses = {refused.status for refused in self.refused}
        return 200 if self.done or not statuses else Conflict.status if Conflict.status in statuses else min(statuses)


_CHOSEN = f"""
with recursive {DECIDES}
select e.id, e.version, e.state, e.agent_id, g.name as agent_name, e.customer_id, e.case_id, e.billing, r.name as role_name,
       s.contract_id, {MAY_DECIDE} as designated, a.name as approved_by, f.id as flag_id, coalesce(h.name, '{CUSTOMER}') as flagged_by,
       e.work_date, c.number as case_number, coalesce(u.name, 'General') as customer_name,
       d.entry_id is not null as settled, case when i.state = 'draft' then i.id end as draft_id, i.number as invoice
from time_entry e
join agent g on g.id = e.agent_id
left join role r on r.id = coalesce(e.role_id, g.role_id)
left join service s on s.id = e.service_id
left join customer u on u.id = e.customer_id
left join cases c on c.id = e.case_id
left join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join agent a on a.id = p.approved_by_id
left join lateral (select * from settled_entry x where x.entry_id = e.id order by x.part desc limit 1) d on true
left join invoice i on i.id = d.invoice_id
left join flag f on f.entry_id = e.id and f.lifted_at is null
left join agent h on h.id = f.flagged_by_id
where e.id = any($3) order by e.id for no key update of e
"""  # noqa: S608


async def chosen(ids: Collection[int], by: AgentReader, at: datetime) -> dict[int, Row]:
    """Lock the customers of the chosen entries, then the entries, and return the rows of the entries by id.

    Entries that no longer exist are missing from the result. The column `designated` says whether `by` may decide on
    the entry at `at`, as a designated manager or as the deputy of a designated manager (C10). Raise `Forbidden` if `by`
    is not a manager.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may decide on time.")
    tx, ids = current(), list(ids)
    await lock_customers(
        [
            row["customer_id"]
            for row in await tx.fetch(
                "select distinct customer_id from time_entry where id = any($1) and customer_id is not null", ids
            )
        ]
    )
    return {row["id"]: row for row in await tx.fetch(_CHOSEN, by.id, today(by.time_zone, at), ids)}


def customers_of(rows: Iterable[Row]) -> list[int]:
    """Return the distinct ids of the customers of the entries in `rows`, ascending, without entries of no customer."""
    return sorted({row["customer_id"] for row in rows if row["customer_id"] is not None})


def why_not(row: Row, by: AgentReader, version: int | None = None) -> Refusal | None:
    """Return the refusal if `by` must not decide on the time entry in `row`, or None if `by` may.

    `row` comes from `chosen`. `version` is the version that `by` saw. If `version` is given, an entry that is approved
    or rejected, or has another version now, is refused too.
    """
    if row["agent_id"] == by.id:
        return Forbidden(REFUSED["own"])
    if not (row["designated"] or by.is_admin):
        return Forbidden(REFUSED["not_designated"].format(name=row["agent_name"]))
    if version is None:
        return None
    if row["state"] == "approved":
        return Conflict(REFUSED["approved"].format(name=row["approved_by"] or "somebody else"))
    if row["state"] == "rejected":
        return Conflict(REFUSED["rejected"].format(name=row["agent_name"]))
    return Conflict(REFUSED["changed"]) if row["version"] != version else None
