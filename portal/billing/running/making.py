"""Bill customers of a run: store drafts and statements, and what they bill, in the caller's transaction."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from portal import outbox
from portal.billing.allocating import allocations, rolling
from portal.billing.allocating.allocations import PlaceKey
from portal.billing.allocating.billed import record
from portal.billing.allocating.book import Book
from portal.billing.bounds import fitting, unfitting
from portal.billing.documents import detail, drafts, files, issuing
from portal.billing.documents.statements import Statement
from portal.billing.engine import Billing, Document, DocumentKind, Key
from portal.billing.locks import lock_customers
from portal.billing.running.due import BookKey, billed_of, due, load_books, name_of, newly_billed
from portal.billing.running.skipping import skip, skip_failed
from portal.database import current
from portal.database.batches import Report, all_or_report
from portal.errors import Refusal, Unavailable
from portal.people.readers import AgentReader

TOO_MUCH = "“{contract}” has more due than one document can hold."


@dataclass(frozen=True, slots=True)
class Order:
    """What a run does: bill the days before `until`, and issue the drafts at once if `issues` is set.

    `by` is the agent in whose name the run bills, `at` the present instant.
    """

    run_id: int
    until: date
    issues: bool
    by: AgentReader
    at: datetime


async def bill_together(order: Order, customer_ids: Collection[int]) -> dict[int, list[str]]:
    """Make a draft or a statement for each contract of these customers, for what is due before `order.until`.

    The caller must have locked the customers. One call for many customers costs least, because it needs few SQL
    statements. If anything is refused, raise the refusal; the caller then has to bill each customer alone. Return an
    error message for each document that is too large, by customer. No draft is issued.
    """
    books, billed = await _billed(customer_ids, order.until)
    for why in billed.refused.values():
        raise why
    await _make_all(order, [(books[key], billing) for key, billing in billed.done.items()])
    for key, billing in billed.done.items():
        await skip(order.run_id, books[key], billing)
    return {id: [too_much for key, too_much in _too_much(books, billed) if key[0] == id] for id in customer_ids}


async def bill_customer(order: Order, customer_id: int) -> list[str]:
    """Make a draft or a statement for each contract of a customer, for what is due before `order.until`.

    Lock the customer until the transaction ends. Each currency is billed in a savepoint of its own, so that a refusal
    in one currency does not stop the others. Record the entries that were not billed, and return an error message for
    each refusal. A draft that cannot be issued stays a draft, whatever the reason, so that the run does not try this
    customer again and again. Raise `Unavailable` if, while drafts were made, the database could not be reached or
    another transaction held a lock.
    """
    await lock_customers([customer_id])
    books, billed = await _billed([customer_id], order.until)

    async def make(key: BookKey) -> list[int]:
        return await _make_all(order, [(books[key], billed.done[key])])

    made = await all_or_report(billed.done, make, reader=current().reader)
    for key, billing in billed.done.items():
        if why := made.refused.get(key):
            await skip_failed(order.run_id, customer_id, [id for each in fitting(billing) for id in each.detail], why)
        await skip(order.run_id, books[key], billing)
    failed = {key: due(books[key], order.until) for key in billed.refused}
    for key, entries in failed.items():
        await skip_failed(order.run_id, customer_id, [entry.id for entry in entries], billed.refused[key])
    refused = [*made.refused.values(), *(billed.refused[key] for key, entries in failed.items() if entries)]
    if away := next((why for why in refused if isinstance(why, Unavailable)), None):
        raise away
    if order.issues:
        refused += await _issue(order, [id for ids in made.done.values() for id in ids])
    return [why.sentence for why in refused] + [too_much for _, too_much in _too_much(books, billed)]


async def _billed(customer_ids: Collection[int], until: date) -> tuple[dict[BookKey, Book], Report[BookKey, Billing]]:
    """Return the books of locked customers, and what the engine bills for them. Nothing is stored.

    Until the transaction ends, PostgreSQL avoids sequential scans.
    """
    # A long run fills tables that were nearly empty when the plans of its queries and foreign keys were made. Without
    # this setting, such a plan reads the whole table for each row, until the statistics of the table are renewed.
    await current().execute("set local enable_seqscan = off")
    books = await load_books(customer_ids, until)
    return books, await billed_of(books, until)


def _too_much(books: Mapping[BookKey, Book], billed: Report[BookKey, Billing]) -> Iterator[tuple[BookKey, str]]:
    """Yield an error message for each document that is too large, with the key of its book."""
    for key, billing in billed.done.items():
        for document in unfitting(billing):
            yield key, TOO_MUCH.format(contract=name_of(books[key], document))


async def _issue(order: Order, draft_ids: list[int]) -> list[Refusal]:
    """Issue these drafts, each in a savepoint, and return the refusals."""

    async def issue_one(draft_id: int) -> None:
        await issuing.issue(draft_id, by=order.by, at=order.at)

    return list((await all_or_report(draft_ids, issue_one, reader=current().reader)).refused.values())


async def _make_all(order: Order, billings: Sequence[tuple[Book, Billing]]) -> list[int]:
    """Store the documents of these books and everything that they bill, and return the ids of the drafts.

    The allocations of the books, the fees and vouchers that are billed now, and the minutes that roll over are stored.
    Documents that are too large are left out.
    """
    allocated = {id: pieces for _, billing in billings for id, pieces in billing.allocations.items()}
    known = await allocations.write([of for of, _ in billings], allocated)
    documents = [(of, document) for of, billing in billings for document in fitting(billing)]
    made = await _make(order, documents, known)
    for of, billing in billings:
        left_out = {document.contract for document in unfitting(billing)}
        billed_now = {
            contract.id: made.get(contract.id) for contract in of.state.contracts if contract.id not in left_out
        }
        newly = newly_billed(of, billing)
        await record(order.run_id, of.customer_id, of.state, newly, billed_now)
        if newly or any(billed_now.values()):  # Otherwise the run made nothing, and is removed again.
            await rolling.record(order.run_id, of.customer_id, of.state, billing.state, billed_now)
    return [id for id in made.values() if isinstance(id, int)]


async def _make(
    order: Order, documents: Sequence[tuple[Book, Document]], known: Mapping[PlaceKey, int]
) -> dict[Key, int | uuid.UUID]:
    """Store drafts and statements, write them to the outbox, and return their ids by contract.

    `known` has ids of stored allocations; `drafts.store` looks up missing ids.
    """
    invoices = [(of, document) for of, document in documents if document.kind is DocumentKind.INVOICE]
    stored = await drafts.store(invoices, order.run_id, known)
    for of, document in invoices:
        await outbox.tell(
            kind="invoice.drafted", subject_id=stored[document.contract], customer_id=of.customer_id, contact_may_know=False,
            actor=order.by, at=order.at,
        )  # fmt: skip
    statements = [(of, document) for of, document in documents if document.kind is DocumentKind.STATEMENT]
    return stored | {document.contract: await _make_statement(order, of, document) for of, document in statements}


async def _make_statement(order: Order, of: Book, document: Document) -> uuid.UUID:
    """Store a statement, which is final at once, and return its id.

    Copy the time detail of the statement, and make its CSV. Write an outbox row, so that the pages that agents and
    contacts have open refresh themselves.
    """
    id, (first, last) = uuid.uuid4(), drafts.supply_of(of, document)
    contract = next(contract for contract in of.state.contracts if contract.id == document.contract)
    await Statement.insert(
        Statement(
            id=id, customer_id=of.customer_id, contract_id=document.contract, run_id=order.run_id, until=document.until,
            supply_from=first, supply_to=last, made_at=order.at, contract_name=contract.name,
        )
    )  # fmt: skip
    await drafts.settle([(of.customer_id, document.detail, id)], "statement_id")
    rows = await detail.live(statement_id=id)
    await detail.copy(rows, of.customer_id, statement_id=id)
    content = await files.csv(f"Statement of {contract.name}", rows, of.currency)
    await files.keep("csv", content, of.customer_id, statement_id=id)
    # The outbox identifies its subject by an integer; a statement's id is a UUID, so the row has the id of the run
    # instead.
    await outbox.tell(
        kind="statement.made", subject_id=order.run_id, customer_id=of.customer_id, contact_may_know=True, actor=order.by, at=order.at
    )  # fmt: skip
    return id
