"""Find what is due up to a date, for which customers, and up to which date a run may bill."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.billing.allocating import book
from portal.billing.allocating.billed import Billed
from portal.billing.allocating.book import Book
from portal.billing.engine import Billing, Document, Entry, bill
from portal.contracts.company import Company
from portal.database import current
from portal.database.batches import Report, compute_or_report
from portal.errors import Invalid
from portal.periods import period_of, today


@dataclass(frozen=True, slots=True)
class UntilDays:
    """Dates up to which a run may bill, in the company's time zone: the date that the form offers, and the latest."""

    offered: date
    latest: date

    def parse(self, text: str) -> date:
        """Return the date in `text`, such as `2026-11-01`, or the offered date if `text` is empty.

        Raise `Invalid` if `text` is not a date or if the date is after the latest date.
        """
        if not text:
            return self.offered
        try:
            until = date.fromisoformat(text)
        except ValueError:
            raise Invalid({"until": "Write the date as 2026-11-01."}) from None
        if until > self.latest:
            raise Invalid({"until": "Billing goes up to tomorrow at most."})
        return until


async def until_days(at: datetime) -> UntilDays:
    """Return the first day of this month as the offered date, and tomorrow as the latest date.

    Both are days in the company's time zone at the instant `at`.
    """
    now = today(await company_zone(), at)
    return UntilDays(now.replace(day=1), now + timedelta(days=1))


async def company_zone() -> str:
    """Return the time zone of the company, or UTC if the company is not set up."""
    company = await Company.find()
    return company.time_zone if company else "UTC"


BookKey = tuple[int, str]
"""The id of a customer, and a currency."""


async def load_books(customer_ids: Collection[int], until: date) -> dict[BookKey, Book]:
    """Return the books of these customers, by customer and currency.

    A book is what the engine needs to bill a customer in one currency: the terms and the open time. Every approved
    entry that no document has settled is included. Entries that are not approved are included only for days before
    `until`.
    """
    books = await book.load(customer_ids, unapproved_before=until)
    return {(each.customer_id, each.currency): each for each in books}


async def billed_of(books: Mapping[BookKey, Book], until: date) -> Report[BookKey, Billing]:
    """Bill each book up to `until` with the engine, and return the results and the refusals by the key of the book.

    Nothing is stored. The engine runs in a worker thread, so that other requests are answered while it computes.
    """
    return await asyncio.to_thread(compute_or_report, books, lambda key: bill(books[key].state, until))


def due(of: Book, until: date) -> list[Entry]:
    """Return the approved entries of the book `of` whose day is before `until`, in the order of the book."""
    return [entry for entry in of.state.entries if entry.id in of.state.approved and entry.date < until]


def name_of(of: Book, document: Document) -> str:
    """Return the name of the contract of `document`, a document that the engine made from the book `of`."""
    return next(contract.name for contract in of.state.contracts if contract.id == document.contract)


def newly_billed(of: Book, billing: Billing) -> Billed:
    """Return the fees and vouchers that `billing` bills and that were not billed before.

    `bool()` of the result is False if there are none.
    """
    return Billed.between(of.state, billing.state)


# Time that is approved for later days is not due, but the engine needs it as well (`load_books`).
_DUE = """
select customer_id, sum(entries)::int as entries from (
select e.customer_id, count(*) as entries, bool_or(e.work_date < $1) as is_due from time_entry e
  where e.billing <> 'not_billable' and (e.state = 'approved' or e.work_date < $1)
  and not exists (select 1 from closed_entry d where d.entry_id = e.id) group by 1
union all
select v.customer_id, 0, true from voucher v where v.sold_on < $1 and not v.sold_elsewhere
  and not exists (select 1 from billed_voucher b where b.voucher_id = v.id)
union all
select s.customer_id, 0, true from service s join contract c on c.id = s.contract_id
where s.settlement = 'subscription' and greatest(s.effective_start, c.start_on) <= $1) d
group by customer_id having bool_or(is_due) order by customer_id
"""


async def customers_due(until: date) -> dict[int, int]:
    """Return the customers for whom a run up to `until` may find something to bill, sorted by id.

    The result maps each id to the number of the customer's entries that `load_books` reads; this number can include
    entries of later days.

    A customer is in the result for any of these reasons:

    - The customer has billable or no-charge time of days before `until` that no document has settled.
    - A voucher was sold before `until`, in the portal and not elsewhere, and is not billed yet.
    - A subscription has begun by `until`. Only the engine finds out whether a fee of the subscription is due.
    """
    return {row["customer_id"]: row["entries"] for row in await current().fetch(_DUE, until)}


def is_inside_period(of: Book, contract_id: int, until: date) -> bool:
    """Return whether `until` lies inside a billing period of the contract, and not at the beginning of a period.

    `of` is a book with the contract.
    """
    contract = next(contract for contract in of.state.contracts if contract.id == contract_id)
    return period_of(contract.anchor, contract.cycle, until).start != until
