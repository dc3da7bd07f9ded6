"""Bill up to a date: settle what is approved and make one document for each contract.

A repeated run makes no document, because the first run settled the entries and recorded the fees and vouchers as
billed (D47).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from operator import attrgetter

from portal.billing.engine.allocation import add_draws, allocate
from portal.billing.engine.documents import document_of
from portal.billing.engine.fees import price_before
from portal.billing.engine.rollups import ROLLUPS, Work
from portal.billing.engine.settlements import SETTLEMENTS, IncludedMinutes
from portal.billing.engine.terms import ContractTerms, Key, ServiceTerms, Voucher
from portal.billing.engine.values import (
    Allocation,
    Billing,
    BillingState,
    Document,
    Line,
    PoolKey,
    RolledMinutes,
    Skipped,
)
from portal.billing.engine.words import AllocationKind, DocumentKind, LineKind, SkipReason
from portal.money import round_half_up

_BY_ORDER = attrgetter("entry.date", "entry.created", "entry.id")


def bill(state: BillingState, until: date) -> Billing:
    """Bill the approved time of days before `until` that is neither held nor flagged, and the fees and vouchers due.

    Return the documents, the skipped entries and the new state; `state` itself does not change. An entry of a day
    before `until` is skipped, and stays open, if it is flagged, held or not approved. Entries that are not billable are
    ignored.
    """
    allocations = allocate(state)
    settled = _settled_now(state, allocations, until)
    by_service: dict[Key, list[Work]] = defaultdict(list)
    for work in settled.values():
        by_service[work.entry.service].append(work)
    documents: list[Document] = []
    fees, vouchers = dict(state.billed_fees), set(state.billed_vouchers)
    for contract in state.contracts:
        lines = list(_lines(state, contract, by_service, until))
        for line in lines:
            if line.period_start is not None and line.active is not None:
                of = line.service, line.period_start
                fees[of] = (*fees.get(of, ()), line.active)
        vouchers |= {line.voucher for line in lines if line.voucher is not None}
        documents += _document(state, contract, by_service, lines, until)
    after = replace(
        state,
        settled={**state.settled, **{id: state.settled.get(id, ()) + settled[id].allocations for id in settled}},
        freed={id: minutes for id, minutes in state.freed.items() if id not in settled},
        drawn=_drawn(state.drawn, (work.allocations for work in settled.values())),
        rolled={**state.rolled, **_rolled(state, allocations, until)},
        billed_fees=fees,
        billed_vouchers=frozenset(vouchers),
    )
    return Billing(tuple(documents), tuple(_skipped(after, until)), after, allocations)


def _settled_now(
    state: BillingState, allocations: Mapping[Key, tuple[Allocation, ...]], until: date
) -> dict[Key, Work]:
    """Return the entries that this run settles, each with its allocations, by entry id; sorted by `Entry.order`."""
    return {
        entry.id: Work(entry, pieces)
        for entry in state.open_entries()
        if entry.date < until
        and entry.id not in state.flagged
        and (pieces := allocations.get(entry.id)) is not None
        and not _is_held(pieces)
    }


def _is_held(pieces: tuple[Allocation, ...]) -> bool:
    return AllocationKind.HELD in [piece.kind for piece in pieces]


def _lines(
    state: BillingState, contract: ContractTerms, settled: Mapping[Key, list[Work]], until: date
) -> Iterator[Line]:
    """Yield the invoice lines of a contract: for each service its fees and its time, then the vouchers to be billed.

    `settled` has the entries that this run settles, by service id.
    """
    for service in contract.services:
        yield from _fee_lines(state, contract, service, until)
        yield from ROLLUPS[service.rollup].lines(service, settled.get(service.id, []), state.digits)
    services = {service.id: service for service in contract.services}
    mine = (voucher for voucher in state.vouchers if voucher.services[0] in services)
    for voucher in sorted(mine, key=lambda voucher: (voucher.sold, voucher.id)):
        if voucher.sold < until and voucher.id not in state.billed_vouchers:
            yield _voucher_line(state, voucher, services[voucher.services[0]])


def remake(
    state: BillingState, contract: ContractTerms, settled: Iterable[Work], kept: Sequence[Line], until: date
) -> Document | None:
    """Return a document of `contract`, made anew from entries with their frozen allocations (`settled`).

    Return None if there are no entries and the net of every line is 0. The lines for time are computed again. `kept`
    are the other lines, which stay as they are: lines for fees and vouchers, in the order of `bill`, and lines that
    were added by hand, which come last.
    """
    by_service: dict[Key, list[Work]] = defaultdict(list)
    for work in sorted(settled, key=_BY_ORDER):
        by_service[work.entry.service].append(work)
    lines: list[Line] = []
    for service in contract.services:
        lines += (line for line in kept if line.kind is LineKind.FEE and line.service == service.id)
        lines += ROLLUPS[service.rollup].lines(service, by_service[service.id], state.digits)
    for kind in (LineKind.VOUCHER, LineKind.EXTRA):
        lines += (line for line in kept if line.kind is kind)
    return next(_document(state, contract, by_service, lines, until), None)


def _fee_lines(state: BillingState, contract: ContractTerms, service: ServiceTerms, until: date) -> Iterator[Line]:
    """Yield the lines for fees that are due and not billed yet.

    If a fee was billed for only some days of its period, a line charges only the other days. For example, the extension
    of a contract can add days to a period whose fee was billed before.
    """
    for fee in SETTLEMENTS[service.settlement].fees(contract, service, until):
        billed = state.billed_fees.get((service.id, fee.start), ())
        charged = {part: state.charged.get((service.id, part.start)) for part in billed}
        for days in fee.active.without(billed):
            charged[days] = amount = price_before(contract, service, days, charged, state.digits)
            yield Line(
                kind=LineKind.FEE,
                service=service.id,
                label=f"{service.name} {days}",
                minutes=None,
                unit_price=amount,
                net=amount,
                vat=service.vat,
                period_start=fee.start,
                active=days,
                reopened=state.reopened.get((service.id, days.start), 0),
            )


def _voucher_line(state: BillingState, voucher: Voucher, service: ServiceTerms) -> Line:
    price = round_half_up(voucher.price, state.digits)
    return Line(
        kind=LineKind.VOUCHER,
        service=service.id,
        label=voucher.label,
        minutes=None,
        unit_price=price,
        net=price,
        vat=service.vat,
        voucher=voucher.id,
        reopened=state.reopened.get((voucher.id, None), 0),
    )


def _document(
    state: BillingState, contract: ContractTerms, settled: Mapping[Key, list[Work]], lines: list[Line], until: date
) -> Iterator[Document]:
    """Yield the document of a contract, if there is one (D30).

    The document is an invoice if the net of any line is not 0. If all nets are 0 but the run settles entries of the
    contract, the document is a statement, which has no lines. Otherwise there is no document.
    """
    work = sorted(
        (done for service in contract.services for done in settled.get(service.id, ())),
        key=_BY_ORDER,
    )
    if any(line.net for line in lines):
        kind = DocumentKind.INVOICE
    elif work:
        kind, lines = DocumentKind.STATEMENT, []
    else:
        return
    pieces = [piece for done in work for piece in done.allocations]
    yield document_of(kind, contract.id, until, [done.entry.id for done in work], pieces, lines, state.digits)


def _drawn(before: Mapping[PoolKey, int], allocated: Iterable[tuple[Allocation, ...]]) -> dict[PoolKey, int]:
    drawn = dict(before)
    for pieces in allocated:
        add_draws(drawn, pieces)
    return drawn


def _rolled(
    state: BillingState, allocations: Mapping[Key, tuple[Allocation, ...]], until: date
) -> dict[PoolKey, tuple[RolledMinutes, ...]]:
    """Return the minutes that roll over from each period that has ended by `until`, by the pool of the next period.

    Minutes roll over only if no entry draws them, neither a settled entry nor an approved entry that is still open.
    """
    drawn = _drawn(state.drawn, allocations.values())
    return dict(IncludedMinutes(state.places(), drawn, state.rolled).closed(until))


def _skipped(after: BillingState, until: date) -> Iterator[Skipped]:
    for entry in after.open_entries():
        if entry.date < until:
            yield Skipped(entry.id, _why_skipped(after, entry.id))


def _why_skipped(after: BillingState, id: Key) -> SkipReason:
    if id in after.flagged:
        return SkipReason.FLAGGED
    return SkipReason.HELD if id in after.approved else SkipReason.NOT_APPROVED
