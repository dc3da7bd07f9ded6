"""Lock the entries that a manager chose to decide on, and say why a decision on one is refused."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.billing.book import Row
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.database.batches import Report
from portal.errors import Conflict, Forbidden, Invalid, Refusal
from portal.numbers import number_in
from portal.people.departments import DESIGNATED
from portal.people.readers import AgentReader


@dataclass(frozen=True, slots=True)
class Choice:
    """Name an entry in the version that somebody saw."""

    entry_id: int
    version: int

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """Return the choice that a tick box sends as `id:version`. Raise `Invalid` for other text."""
        entry_id, version = (number_in(part, digits=9) for part in text.partition(":")[::2])
        if entry_id is None or version is None:
            raise Invalid({"entry": "Tick entries of the list."})
        return cls(entry_id, version)


@dataclass(frozen=True, slots=True)
class Refused:
    """Hold an entry that was refused, with the sentence that says why.

    `status` is the HTTP status of that kind of refusal. `entry` is the row of the entry, so that a page can name it,
    or None where it was deleted.
    """

    entry_id: int
    sentence: str
    status: int = Conflict.status
    entry: Row | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold the result of a batch: the ids of the entries that were decided on, and those that were refused.

    Approvals of one call share `decision`, by which they can be withdrawn together.
    """

    done: tuple[int, ...]
    refused: tuple[Refused, ...]
    decision: uuid.UUID | None = None

    @classmethod
    def of(cls, report: Report[int, Any], rows: Mapping[int, Row], decision: uuid.UUID | None = None) -> "Outcome":
        """Return the outcome for the report of a batch whose members are entries."""
        refused = [
            Refused(entry_id, reason.sentence, reason.status, rows.get(entry_id))
            for entry_id, reason in sorted(report.refused.items())
        ]
        return cls(tuple(sorted(report.done)), tuple(refused), decision)

    @property
    def status(self) -> int:
        """Return the HTTP status of the whole batch.

        It is 200 where anything was done or nothing was refused, else that of a refusal, 409 before others.
        """
        statuses = {refused.status for refused in self.refused}
        return 200 if self.done or not statuses else Conflict.status if Conflict.status in statuses else min(statuses)


_CHOSEN = f"""
with recursive {DESIGNATED}
select e.id, e.version, e.state, e.agent_id, g.name as agent_name, e.customer_id, e.billing, r.name as role_name,
       s.contract_id, g.department_id in (select id from mine) as designated, a.name as approved_by,
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
left join settled_entry d on d.entry_id = e.id
left join invoice i on i.id = d.invoice_id
where e.id = any($2) order by e.id for no key update of e
"""  # noqa: S608


async def chosen(ids: Collection[int], by: AgentReader) -> dict[int, Row]:
    """Lock the chosen entries, after their customers, and return their rows by id.

    Raise `Forbidden` where `by` is no manager.
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
    return {row["id"]: row for row in await tx.fetch(_CHOSEN, by.id, ids)}


async def lock_customers(customer_ids: Collection[int]) -> None:
    """Lock these customers for decisions on their time until the transaction ends, after waiting for other holders.

    The locks are always taken in the order of ids, so that two managers cannot deadlock. Contacts and agents can still
    read and write.
    """
    await current().fetch(
        "select id from customer where id = any($1) order by id for no key update", sorted(set(customer_ids))
    )


def customers_of(rows: Iterable[Row]) -> list[int]:
    """Return the ids of the customers of these entries in ascending order; general time has no customer."""
    return sorted({row["customer_id"] for row in rows if row["customer_id"] is not None})


def why_not(row: Row, by: AgentReader, version: int | None = None) -> Refusal | None:
    """Return why `by` must not decide on this entry, or None. With `version`, refuse it also where it changed since."""
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
