"""Time that waits for a manager: what the approvals page lists, with what looks odd about it and what it would cost."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from portal.billing import book
from portal.billing.book import Row
from portal.billing.engine import AllocationKind, RefusalReason, allocate, approve
from portal.billing.sentences import COVERED_BY, REFUSED
from portal.database import current
from portal.people.readers import AgentReader

PAGE = 200
"""Entries on one page; the rest follows once these are decided on."""

SATURDAY = 5
MOST_A_DAY = 10 * 60
"""Minutes: more than that on one day looks odd."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to list: days up to `until`, and of whom; drafts too where `drafts` (C4)."""

    until: date | None = None
    agent_id: int | None = None
    customer_id: int | None = None
    drafts: bool = False


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """A row. `amount` is what it would cost; `instead` stands where it costs nothing; `why` are reasons to look twice, or against approving it."""

    id: int
    version: int
    state: str
    work_date: date
    case_number: int | None
    customer_name: str
    service_name: str
    external_comment: str
    actual_minutes: int
    billable_minutes: int
    currency: str
    amount: Decimal | None
    instead: str
    why: tuple[str, ...]

    @property
    def choice(self) -> str:
        """The value of its tick box."""
        return f"{self.id}:{self.version}"

    @property
    def is_odd(self) -> bool:
        """Whether it is not ticked from the start."""
        return bool(self.why)


@dataclass(slots=True)
class Group:
    """The entries of one agent, newest day first."""

    agent_id: int
    agent_name: str
    entries: list[WaitingEntry] = field(default_factory=list)

    @property
    def ticked_count(self) -> int:
        """How many are ticked from the start."""
        return sum(not entry.is_odd for entry in self.entries)

    @property
    def minutes(self) -> int:
        """Minutes that count."""
        return sum(entry.billable_minutes for entry in self.entries)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """What they would cost, by currency."""
        return amounts_of(self.entries)


def amounts_of(entries: Iterable[WaitingEntry]) -> dict[str, Decimal]:
    """Sums of amounts by currency; currencies are never added up."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        if entry.amount is not None:
            sums[entry.currency] += entry.amount
    return dict(sums)


# Only what the reader may decide on: designated departments with all below them, and never one's own (C10, D33).
_MINE = """
with recursive mine as (
  select department_id as id from designation where agent_id = $1
  union select d.id from department d join mine on d.parent_id = mine.id
)
"""
_WAITING = """
select e.id, e.version, e.state, e.agent_id, g.name as agent_name, e.work_date, c.number, u.id as customer_id,
       coalesce(u.name, 'General') as customer_name, coalesce(s.name, '') as service_name, e.external_comment, e.actual_minutes,
       e.billable_minutes, e.billing, coalesce(t.currency, '') as currency,
       (select sum(o.actual_minutes) from time_entry o
        where o.agent_id = e.agent_id and o.work_date = e.work_date and o.state <> 'rejected') as day_minutes,
       (select min(o.work_date) from time_entry o
        where o.agent_id = e.agent_id and o.case_id = e.case_id and o.id < e.id and o.external_comment <> ''
          and o.external_comment = e.external_comment and o.state <> 'rejected') as same_on
from time_entry e
join agent g on g.id = e.agent_id
left join customer u on u.id = e.customer_id
left join service s on s.id = e.service_id
left join contract t on t.id = s.contract_id
left join cases c on c.id = e.case_id
where e.state = any($3) and e.agent_id <> $1 and ($2 or g.department_id in (select id from mine))
  and ($4::date is null or e.work_date <= $4) and ($5::bigint is null or e.agent_id = $5) and ($6::bigint is null or e.customer_id = $6)
order by folded(g.name), g.id, e.work_date desc, e.id desc limit $7
"""


async def list_waiting(by: AgentReader, filters: Filters = Filters()) -> list[Group]:
    """What `by` may decide on, a group per agent; `PAGE` entries at most."""
    states = ["submitted", "draft"] if filters.drafts else ["submitted"]
    rows = await current().fetch(
        _MINE + _WAITING, by.id, by.is_admin, states, filters.until, filters.agent_id, filters.customer_id, PAGE
    )
    costs = await _costs(rows)
    groups: dict[int, Group] = {}
    for row in rows:
        group = groups.setdefault(row["agent_id"], Group(row["agent_id"], row["agent_name"]))
        group.entries.append(_entry(row, costs.get(row["id"], NOT_BILLABLE)))
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount, or the word that stands `instead` of one; `refused` is the sentence that says why it cannot be approved."""

    amount: Decimal | None
    instead: str = ""
    refused: str = ""


NOT_PRICED = {
    RefusalReason.BEFORE_SERVICE_START: "outside of the contract",
    RefusalReason.AFTER_CONTRACT_END: "outside of the contract",
    RefusalReason.NO_RATE: "no rate",
    RefusalReason.NO_ROLE: "no role",
}
"""What stands instead of an amount where the engine refuses to approve."""


async def _costs(rows: Sequence[Row]) -> dict[Any, Cost]:
    """Return what each entry would cost, as the engine would allocate it if all were approved now. What it refuses has no amount."""
    customers = {row["customer_id"] for row in rows if row["customer_id"] is not None}
    costs: dict[Any, Cost] = {}
    ids = [row["id"] for row in rows]
    for of in await book.load(customers, entry_ids=ids):
        wanted = [entry.id for entry in of.state.entries if entry.id not in of.state.approved]
        state, refused = approve(of.state, wanted, of.rates)
        entries, places = {entry.id: entry for entry in of.state.entries}, of.state.places()
        for id, reason in refused:
            contract, service = places[entries[id].service]
            sentence = REFUSED[reason].format(entry=entries[id], contract=contract, service=service)
            costs[id] = Cost(None, NOT_PRICED[reason], sentence)
        for id, pieces in allocate(state).items():
            charged = [piece.amount for piece in pieces if piece.kind is AllocationKind.CHARGED]
            word = COVERED_BY[pieces[0].kind.value] if pieces else COVERED_BY["no_charge"]
            costs.setdefault(id, Cost(sum(charged, Decimal(0))) if charged else Cost(None, word))
    return costs


NOT_BILLABLE = Cost(None, "not billable")


def _entry(row: Row, cost: Cost) -> WaitingEntry:
    return WaitingEntry(
        id=row["id"],
        version=row["version"],
        state=row["state"],
        work_date=row["work_date"],
        case_number=row["number"],
        customer_name=row["customer_name"],
        service_name=row["service_name"],
        external_comment=row["external_comment"],
        actual_minutes=row["actual_minutes"],
        billable_minutes=row["billable_minutes"],
        currency=row["currency"],
        amount=cost.amount,
        instead=cost.instead,
        why=tuple(_odd(row, cost)),
    )


def _odd(row: Row, cost: Cost) -> Iterable[str]:
    """Yield the reasons to look twice, each a sentence; first the one for which approving would refuse it."""
    if cost.refused:
        yield cost.refused
    if not row["external_comment"].strip() and row["billing"] != "not_billable":
        yield f"No external comment. {row['customer_name']} will see an empty row."
    if row["work_date"].weekday() >= SATURDAY:
        yield f"On a {row['work_date']:%A}."
    if row["day_minutes"] > MOST_A_DAY:
        yield f"{row['day_minutes'] // 60} h {row['day_minutes'] % 60} min were logged on that day altogether."
    if row["same_on"] is not None:
        yield f"Same text as an entry of {row['same_on']:%-d %b} on this case."


_COUNT = """
select count(*) from time_entry e join agent g on g.id = e.agent_id
where e.state = 'submitted' and e.agent_id <> $1 and ($2 or g.department_id in (select id from mine))
"""


async def waiting_count(by: AgentReader) -> int:
    """How many submitted entries `by` may decide on, for the rail; 0 for those who may not."""
    if not by.is_manager:
        return 0
    count: int = await current().fetchval(_MINE + _COUNT, by.id, by.is_admin)
    return count


_APPROVED = """
select e.id, e.work_date, g.name as agent_name, c.number, coalesce(u.name, 'General') as customer_name, e.external_comment,
       e.billable_minutes, m.name as approved_by, p.approved_at, a.currency, a.amount
from approval p
join time_entry e on e.id = p.entry_id
join agent g on g.id = e.agent_id
join agent m on m.id = p.approved_by_id
left join customer u on u.id = e.customer_id
left join cases c on c.id = e.case_id
left join lateral (select min(currency) as currency, sum(amount) as amount from allocation where entry_id = e.id) a on true
where p.withdrawn_at is null and e.agent_id <> $1 and ($2 or g.department_id in (select id from mine))
  and not exists (select 1 from settled_entry d where d.entry_id = e.id)
order by p.approved_at desc, e.id desc limit $3
"""


async def list_approved(by: AgentReader, limit: int = 50) -> list[Row]:
    """The latest approvals that no document has settled, of time that `by` may decide on: they can be taken back."""
    return await current().fetch(_MINE + _APPROVED, by.id, by.is_admin, limit)
