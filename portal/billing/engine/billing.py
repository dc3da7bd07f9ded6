"""Bill up to a date: settle what is approved and make one document for each contract.

A repeated run makes no document, because the first run settled the entries and recorded the fees and vouchers as
billed (D47).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from portal.billing.engine.allocation import allocate
from portal.billing.engine.rollups import ROLLUPS, Work
from portal.billing.engine.settlements import SETTLEMENTS
from portal.billing.engine.values import (
    Allocation,
    Billing,
    BillingState,
    ContractTerms,
    Document,
    Key,
    Line,
    PoolKey,
    ServiceTerms,
    Skipped,
    Voucher,
)
from portal.billing.engine.vat import vat_groups
from portal.billing.engine.words import AllocationKind, DocumentKind, LineKind, SkipReason
from portal.money import round_half_up, total


def bill(state: BillingState, until: date) -> Billing:
    """Bill all approved time of days before `until` that is neither held nor flagged, and the fees and vouchers that are due.

    Return the documents, the skipped entries and the new state; `state` itself does not change. The skipped entries are
    those of days before `until` that stay open because they are flagged, held or not approved. Entries that are not
    billable are ignored.
    """
    settled = _settled_now(state, until)
    by_service: dict[Key, list[Work]] = defaultdict(list)
    for work in settled.values():
        by_service[work.entry.service].append(work)
    documents: list[Document] = []
    fees, vouchers = set(state.billed_fees), set(state.billed_vouchers)
    for contract in state.contracts:
        lines = list(_lines(state, contract, by_service, until))
        fees |= {(line.service, line.period_start) for line in lines if line.period_start is not None}
        vouchers |= {line.voucher for line in lines if line.voucher is not None}
        documents += _document(state, contract, by_service, lines, until)
    after = replace(
        state,
        settled={**state.settled, **{id: work.allocations for id, work in settled.items()}},
        drawn=_drawn(state.drawn, settled),
        billed_fees=frozenset(fees),
        billed_vouchers=frozenset(vouchers),
    )
    return Billing(tuple(documents), tuple(_skipped(after, until)), after)


def _settled_now(state: BillingState, until: date) -> dict[Key, Work]:
    """Return the entries that this run settles, each with its allocations, by entry id; sorted by `Entry.order`."""
    allocations = allocate(state)
    return {
        entry.id: Work(entry, pieces)
        for entry in state.open_entries()
        if entry.date < until
        and entry.id not in state.flagged
        and (pieces := allocations.get(entry.id)) is not None
        and not _is_held(pieces)
    }


def _is_held(pieces: tuple[Allocation, ...]) -> bool:
    return any(piece.kind is AllocationKind.HELD for piece in pieces)


def _lines(
    state: BillingState, contract: ContractTerms, settled: Mapping[Key, list[Work]], until: date
) -> Iterator[Line]:
    """Yield the invoice lines of a contract: for each service its fees and its time, then the vouchers that were sold.

    `settled` holds the entries that this run settles, by service id.
    """
    for service in contract.services:
        yield from _fee_lines(state, contract, service, until)
        yield from ROLLUPS[service.rollup].lines(service, settled.get(service.id, []), state.digits)
    services = {service.id: service for service in contract.services}
    mine = (voucher for voucher in state.vouchers if voucher.services[0] in services)
    for voucher in sorted(mine, key=lambda voucher: (voucher.sold, voucher.id)):
        if voucher.sold < until and voucher.id not in state.billed_vouchers:
            yield _voucher_line(voucher, services[voucher.services[0]], state.digits)


def _fee_lines(state: BillingState, contract: ContractTerms, service: ServiceTerms, until: date) -> Iterator[Line]:
    for fee in SETTLEMENTS[service.settlement].fees(contract, service, until, state.digits):
        if (service.id, fee.start) not in state.billed_fees:
            yield Line(
                kind=LineKind.FEE,
                service=service.id,
                label=f"{service.name} {fee.active}",
                minutes=None,
                unit_price=fee.amount,
                net=fee.amount,
                vat=service.vat,
                period_start=fee.start,
                active=fee.active,
            )


def _voucher_line(voucher: Voucher, service: ServiceTerms, digits: int) -> Line:
    price = round_half_up(voucher.price, digits)
    return Line(LineKind.VOUCHER, service.id, voucher.label, None, price, price, service.vat, voucher=voucher.id)


def _document(
    state: BillingState, contract: ContractTerms, settled: Mapping[Key, list[Work]], lines: list[Line], until: date
) -> Iterator[Document]:
    """Yield the document of a contract, if there is one (D30).

    It is an invoice if the net of a line is not 0, or else a statement if the run settles an entry of the contract. A
    statement has none of the `lines`.
    """
    work = sorted(
        (done for service in contract.services for done in settled.get(service.id, ())),
        key=lambda done: done.entry.order,
    )
    if any(line.net for line in lines):
        kind = DocumentKind.INVOICE
    elif work:
        kind, lines = DocumentKind.STATEMENT, []
    else:
        return
    groups = vat_groups(lines, state.digits)
    net = total((line.net for line in lines), state.digits)
    tax = total((group.tax for group in groups), state.digits)
    yield Document(
        kind=kind,
        contract=contract.id,
        until=until,
        detail=tuple(done.entry.id for done in work),
        allocations=tuple(piece for done in work for piece in done.allocations),
        lines=tuple(lines),
        vat=groups,
        net=net,
        tax=tax,
        gross=total((net, tax), state.digits),
    )


def _drawn(before: Mapping[PoolKey, int], settled: Mapping[Key, Work]) -> dict[PoolKey, int]:
    drawn = dict(before)
    for done in settled.values():
        for piece in done.allocations:
            if piece.pool is not None:
                drawn[piece.pool] = drawn.get(piece.pool, 0) + piece.minutes
    return drawn


def _skipped(after: BillingState, until: date) -> Iterator[Skipped]:
    for entry in after.open_entries():
        if entry.date < until:
            yield Skipped(entry.id, _why_skipped(after, entry.id))


def _why_skipped(after: BillingState, id: Key) -> SkipReason:
    if id in after.flagged:
        return SkipReason.FLAGGED
    return SkipReason.HELD if id in after.approved else SkipReason.NOT_APPROVED
