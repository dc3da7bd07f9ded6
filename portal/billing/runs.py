"""Run billing: turn what is due up to a date into drafts and statements, and record which entries were skipped.

A preview computes the same and stores nothing. A repeated run finds nothing left to bill (D47).
"""

import asyncio
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from piccolo.columns import BigInt, BigSerial, Date, Text, Timestamptz
from piccolo.table import Table

from portal import outbox
from portal.billing import allocations, book, detail, documents, drafts
from portal.billing.book import Book
from portal.billing.bounds import fitting, too_large
from portal.billing.chosen import lock_customers
from portal.billing.engine import Billing, Document, DocumentKind, Entry, Key, bill
from portal.billing.statements import Statement
from portal.contracts.company import Company
from portal.database import current
from portal.database.batches import Report, all_or_report, compute_or_report
from portal.database.rows import insert_all
from portal.errors import Forbidden, Invalid, Refusal
from portal.people.readers import AgentReader
from portal.periods import period_of, today

UNTICKED, TOO_LARGE, FAILED = "customer_unticked", "too_large", "failed"
"""Why a run skipped an entry that the engine would bill: customer not ticked, document too large, or a refusal."""
NOTHING_FITS = "Nothing was billed: all that is due of the customers that you ticked is skipped. The reasons are below."


class BillingRun(Table, tablename="billing_run"):
    """One execution of billing up to the day before `until`."""

    id = BigSerial(primary_key=True)
    until = Date(default=None)
    run_by_id = BigInt(default=None)
    run_at = Timestamptz(default=None)


class SkippedEntry(Table, tablename="skipped_entry"):
    """An entry that a run did not bill, and why. The primary key is the run and the entry.

    `sentence` says why if billing was refused; otherwise it is None.
    """

    run_id = BigInt(primary_key=True, default=None)
    entry_id = BigInt(default=None)
    customer_id = BigInt(default=None)
    reason = Text(default=None)
    sentence = Text(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Run:
    """The ids of a billing run and of the drafts and statements that the run made."""

    id: int
    draft_ids: tuple[int, ...]
    statement_ids: tuple[uuid.UUID, ...]


async def offered(at: datetime) -> date:
    """Return the default date of the billing-run form: the first day of this month in the company's time zone."""
    return today(await _zone(), at).replace(day=1)


async def latest_until(at: datetime) -> date:
    """Return the latest date that a billing run may go up to: tomorrow in the company's time zone."""
    return today(await _zone(), at) + timedelta(days=1)


async def parse_until(text: str, at: datetime) -> date:
    """Return the date that somebody typed as `2026-11-01`, or the default date if the text is empty.

    Raise `Invalid` if the text is not a date or if the date is after tomorrow in the company's time zone.
    """
    if not text:
        return await offered(at)
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise Invalid({"until": "Write the date as 2026-11-01."}) from None
    if until > await latest_until(at):
        raise Invalid({"until": "Billing goes up to tomorrow at most."})
    return until


async def run(until: date, customer_ids: Collection[int], *, by: AgentReader, at: datetime) -> Run | None:
    """Make a draft or a statement for each contract of the ticked customers, for the approved time before `until`.

    Return the ids of the run and its documents, or None if nothing was due; then nothing is stored. A document whose
    amounts the database cannot hold is skipped; so is a customer whose billing is refused. The run records every skipped
    entry with the reason, including the open time of customers that are not ticked. The customers are locked until the
    transaction ends, and the outbox gets a row for each document. Raise `Forbidden` if `by` is not a manager, `Invalid`
    if the date is after tomorrow, if no customer is ticked, or if time is due but no document can be made of it.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may bill.")
    await parse_until(until.isoformat(), at)
    if not customer_ids:
        raise Invalid({"customer": "Tick at least one customer."})
    ticked = set(customer_ids) & set(await waiting_customers(until))
    await lock_customers(ticked)
    books = await load_books(ticked, until)
    billed = await billed_of(books, until)
    if not any(fitting(billing) for billing in billed.done.values()):
        if any(too_large(billing) for billing in billed.done.values()) or any(
            due(books[k], until) for k in billed.refused
        ):
            raise Invalid({"customer": NOTHING_FITS})
        return None
    [billing_run] = await BillingRun.insert(BillingRun(until=until, run_by_id=by.id, run_at=at))
    run_id: int = billing_run["id"]

    async def make(key: BookKey) -> list[int | uuid.UUID]:
        await allocations.write(books[key])
        return [await _make(books[key], document, run_id, by, at) for document in fitting(billed.done[key])]

    made = await all_or_report(billed.done, make, reader=current().reader)
    await _skip(run_id, [(books[key], billing) for key, billing in billed.done.items()])
    await _skip_unticked(run_id, until, ticked)
    for key, why in made.refused.items():
        await _skip_failed(run_id, key, [id for each in fitting(billed.done[key]) for id in each.detail], why)
    for key, why in billed.refused.items():
        await _skip_failed(run_id, key, [entry.id for entry in due(books[key], until)], why)
    ids = [id for documents in made.done.values() for id in documents]
    return Run(
        run_id,
        tuple(id for id in ids if isinstance(id, int)),
        tuple(id for id in ids if isinstance(id, uuid.UUID)),
    )


BookKey = tuple[int, str]
"""The id of a customer, and a currency."""
Skipped = tuple[int, Key, int, str]
"""The columns of a skipped entry: the ids of the run, the entry and the customer, and the reason."""


async def load_books(customer_ids: Collection[int], until: date) -> dict[BookKey, Book]:
    """Return the books of these customers with their open time, by customer and currency.

    Every approved entry is included; of the entries that are not approved, those of days before `until`.
    """
    books = await book.load(customer_ids, unapproved_before=until)
    return {(each.customer_id, each.currency): each for each in books}


async def billed_of(books: Mapping[BookKey, Book], until: date) -> Report[BookKey, Billing]:
    """Return what the engine makes of each book, and the refusal of each book that it cannot bill.

    The engine runs in a worker thread, so that other requests are answered while it computes.
    """
    return await asyncio.to_thread(compute_or_report, books, lambda key: bill(books[key].state, until))


def due(of: Book, until: date) -> list[Entry]:
    """Return the approved entries of the book `of` whose day is before `until`, in the order of the book."""
    return [entry for entry in of.state.entries if entry.id in of.state.approved and entry.date < until]


async def waiting_customers(until: date) -> list[int]:
    """Return the ids of the customers with open billable or no-charge time of days before `until`."""
    return [
        row["customer_id"]
        for row in await current().fetch(
            "select distinct e.customer_id from time_entry e where e.billing <> 'not_billable' and e.work_date < $1"
            " and not exists (select 1 from settled_entry d where d.entry_id = e.id) order by 1",
            until,
        )
    ]


def is_inside_period(of: Book, contract_id: int, until: date) -> bool:
    """Return whether `until` lies inside a billing period of the contract, and so cuts it in two.

    `of` is a book that holds the contract.
    """
    contract = next(contract for contract in of.state.contracts if contract.id == contract_id)
    return period_of(contract.anchor, contract.cycle, until).start != until


async def _zone() -> str:
    company = await Company.find()
    return company.time_zone if company else "UTC"


async def _make(of: Book, document: Document, run_id: int, by: AgentReader, at: datetime) -> int | uuid.UUID:
    """Store a draft or a statement, write its row to the outbox, and return its id."""
    if document.kind is DocumentKind.STATEMENT:
        return await _state(of, document, run_id, by, at)
    draft_id = await drafts.store(of, document, run_id)
    await outbox.tell(
        kind="invoice.drafted", subject_id=draft_id, customer_id=of.customer_id, contact_may_know=False, actor=by, at=at
    )
    return draft_id


async def _state(of: Book, document: Document, run_id: int, by: AgentReader, at: datetime) -> uuid.UUID:
    """Store a statement, which is final at once, and return its id.

    Its time detail is copied and its CSV is made, as for an issued invoice. The outbox row makes open pages of agents and
    contacts update.
    """
    id, (first, last) = uuid.uuid4(), drafts.supply_of(of, document)
    contract = next(contract for contract in of.state.contracts if contract.id == document.contract)
    await Statement.insert(
        Statement(
            id=id, customer_id=of.customer_id, contract_id=document.contract, run_id=run_id, until=document.until,
            supply_from=first, supply_to=last, made_at=at, contract_name=contract.name,
        )
    )  # fmt: skip
    await drafts.settle(of.customer_id, document.detail, statement_id=id)
    rows = await detail.live(statement_id=id)
    await detail.copy(rows, of.customer_id, statement_id=id)
    content = await documents.csv(f"Statement of {contract.name}", rows, of.currency)
    await documents.keep("csv", content, of.customer_id, statement_id=id)
    # The outbox identifies its subject by an integer; a statement's id is a UUID, so the row has the id of the run
    # instead.
    await outbox.tell(
        kind="statement.made", subject_id=run_id, customer_id=of.customer_id, contact_may_know=True, actor=by, at=at
    )
    return id


async def _skip_unticked(run_id: int, until: date, ticked: Collection[int]) -> None:
    """Record the due entries of the customers that are not ticked, also of those that the engine cannot bill."""
    books = await load_books(set(await waiting_customers(until)) - set(ticked), until)
    billed = await billed_of(books, until)
    rows = [
        (run_id, entry_id, books[key].customer_id, UNTICKED)
        for key, billing in billed.done.items()
        for document in billing.documents
        for entry_id in document.detail
    ]
    rows += [
        (run_id, entry.id, books[key].customer_id, UNTICKED)
        for key in billed.refused
        for entry in due(books[key], until)
    ]
    await _store_skipped(
        rows + [row for key, billing in billed.done.items() for row in _left_out(run_id, books[key], billing)]
    )


async def _skip(run_id: int, billed: Iterable[tuple[Book, Billing]]) -> None:
    """Record the entries that the engine left out, and those of documents that are too large."""
    rows = [row for of, billing in billed for row in _left_out(run_id, of, billing)]
    rows += [(run_id, entry_id, of.customer_id, TOO_LARGE) for of, billing in billed for entry_id in too_large(billing)]
    await _store_skipped(rows)


def _left_out(run_id: int, of: Book, billing: Billing) -> list[Skipped]:
    """Return a row for each entry that the engine itself left out, with the engine's reason."""
    return [(run_id, skipped.entry, of.customer_id, skipped.reason.value) for skipped in billing.skipped]


async def _store_skipped(rows: Iterable[Skipped]) -> None:
    await insert_all(
        SkippedEntry,
        [
            {"run_id": run_id, "entry_id": entry_id, "customer_id": customer_id, "reason": reason}
            for run_id, entry_id, customer_id, reason in rows
        ],
    )


async def _skip_failed(run_id: int, key: BookKey, entry_ids: Iterable[Key], why: Refusal) -> None:
    """Record the entries whose billing was refused, with the sentence that says why; the next run tries them again."""
    of = {"run_id": run_id, "customer_id": key[0], "reason": FAILED, "sentence": why.sentence}
    await insert_all(SkippedEntry, [of | {"entry_id": entry_id} for entry_id in entry_ids])
