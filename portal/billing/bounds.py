"""Bound what one document bills: amounts are numeric(15,3), and a sum of many entries could exceed that.

An approval is refused where its contract would have more to bill than one document holds, so that a run can bill all
that is approved. Where a VAT rate that rises later carries a document beyond the bound, the run leaves that document
out, says so, and bills the others.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal

from portal.billing.engine import Billing, Contract, Document, Entry, Key, Price, State
from portal.database import current
from portal.money import LARGEST, hourly_amount, percent_of


def fits(document: Document) -> bool:
    """Return whether the database can hold the amounts of `document`; none of them is larger than its gross amount."""
    return document.gross <= LARGEST


def fitting(billing: Billing) -> list[Document]:
    """Return the documents of a run whose amounts the database can hold."""
    return [document for document in billing.documents if fits(document)]


def too_large(billing: Billing) -> list[Key]:
    """Return the entries of the documents that a run leaves out because their amounts are too large."""
    return [entry for document in billing.documents if not fits(document) for entry in document.detail]


_NETS = """
select s.contract_id, sum(a.amount) as net
from allocation a join time_entry e on e.id = a.entry_id join service s on s.id = e.service_id
where a.customer_id = any($1) and s.settlement = 'time_spent' and a.entry_id <> all($2)
  and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id)
group by s.contract_id
"""


async def nets_beside(customer_ids: Collection[int], entry_ids: Collection[int]) -> dict[Key, Decimal]:
    """Return the net amounts, by contract, of the approved unsettled entries that `book.load_these` leaves out."""
    rows = await current().fetch(_NETS, sorted(customer_ids), sorted(entry_ids))
    return {row["contract_id"]: row["net"] for row in rows}


class Room:
    """Keep account of how much more may be approved for each contract, as if no hour were included or prepaid."""

    def __init__(self, state: State, others: Mapping[Key, Decimal]) -> None:
        """Begin with what the approved entries of `state` cost, and with the net amounts by contract of `others`."""
        self._digits = state.digits
        self._places = state.places()
        self._nets: dict[Key, Decimal] = dict(others)
        entries: Mapping[Key, Entry] = {entry.id: entry for entry in state.entries}
        for id, price in state.approved.items():
            if id in entries:
                self.take(entries[id], price)

    def take(self, entry: Entry, price: Price | None) -> None:
        """Add an approved entry at its price."""
        contract, _ = self._places[entry.service]
        self._nets[contract.id] = self._net_with(entry, price, contract)

    def has(self, entry: Entry, price: Price | None) -> bool:
        """Return whether a document of the contract can hold this entry besides everything approved and not settled."""
        contract, _ = self._places[entry.service]
        net = self._net_with(entry, price, contract)
        highest = max(service.vat.rate for service in contract.services)
        return net + percent_of(net, highest, self._digits) <= LARGEST

    def _net_with(self, entry: Entry, price: Price | None, contract: Contract) -> Decimal:
        amount = hourly_amount(entry.billable_minutes, price.hourly_rate, self._digits) if price else Decimal(0)
        return self._nets.get(contract.id, Decimal(0)) + amount
