"""Keep the amounts of one document within the database's numeric(15,3).

An approval is refused if its contract would have more to bill than one document can hold, so a billing run can bill
everything that is approved. The exception is a VAT rate that was raised after the approval. If such a rate makes a
document too large, the billing run leaves this document out, reports it, and bills the others.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal

from portal.billing.engine import Billing, BillingState, ContractTerms, Document, Entry, Key, Price
from portal.database import current
from portal.money import LARGEST, hourly_amount, percent_of


def fits(document: Document) -> bool:
    """Return whether the database can hold the amounts of `document`. The gross amount is the largest of them."""
    return document.gross <= LARGEST


def fitting(billing: Billing) -> list[Document]:
    """Return the documents of a billing run whose amounts the database can hold."""
    return [document for document in billing.documents if fits(document)]


def unfitting(billing: Billing) -> list[Document]:
    """Return the documents that a billing run leaves out because their amounts are too large."""
    return [document for document in billing.documents if not fits(document)]


def too_large(billing: Billing) -> list[Key]:
    """Return the ids of the entries on documents that a billing run leaves out because their amounts are too large."""
    return [entry for document in unfitting(billing) for entry in document.detail]


_NETS = """
select s.contract_id, sum(a.amount) as net
from allocation a join time_entry e on e.id = a.entry_id join service s on s.id = e.service_id
where a.customer_id = any($1) and s.settlement = 'time_spent' and s.rounding_per = 'entry' and a.entry_id <> all($2)
  and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)
group by s.contract_id
"""


async def nets_beside(customer_ids: Collection[int], entry_ids: Collection[int]) -> dict[Key, Decimal]:
    """Return the net amounts, by contract, of the approved open entries that `book.load_these` does not load.

    These are the entries of the customers `customer_ids` under time-spent services that round each entry by itself. The
    entries `entry_ids` are left out, because `book.load_these` loads them. An entry is open until a document settles
    it.
    """
    rows = await current().fetch(_NETS, sorted(customer_ids), sorted(entry_ids))
    return {row["contract_id"]: row["net"] for row in rows}


class RunningTotals:
    """The amounts to bill by contract, added up while entries are approved.

    The totals tell whether one more entry may be approved. Included and prepaid hours are counted as if they were
    charged, so the total is never too low.
    """

    def __init__(self, state: BillingState, others: Mapping[Key, Decimal]) -> None:
        """Start with the total of each contract in `others`, and add the approved entries of `state`.

        `others` maps a contract to the net sum of the contract's approved entries that `state` does not contain.
        """
        self._digits = state.digits
        self._places = state.places()
        self._nets: dict[Key, Decimal] = dict(others)
        entries: Mapping[Key, Entry] = {entry.id: entry for entry in state.entries}
        for id, price in state.approved.items():
            if id in entries:
                self.add(entries[id], price)

    def add(self, entry: Entry, price: Price | None) -> None:
        """Add an entry, approved at `price`, to the total of its contract."""
        contract, _ = self._places[entry.service]
        self._nets[contract.id] = self._net_with(entry, price, contract)

    def can_add(self, entry: Entry, price: Price | None) -> bool:
        """Return whether one document can hold this entry at `price` and everything else that its contract has to bill.

        The tax is computed at the highest VAT rate of the contract's services.
        """
        contract, _ = self._places[entry.service]
        net = self._net_with(entry, price, contract)
        highest = max(service.vat.rate for service in contract.services)
        return net + percent_of(net, highest, self._digits) <= LARGEST

    def _net_with(self, entry: Entry, price: Price | None, contract: ContractTerms) -> Decimal:
        amount = entry.fixed_fee or Decimal(0)
        if price is not None:
            amount = hourly_amount(entry.billable_minutes, price.hourly_rate, self._digits)
        return self._nets.get(contract.id, Decimal(0)) + amount
