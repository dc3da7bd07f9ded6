"""Correct documents: credit a whole document, or some of its lines, entries or minutes (D38, D39, D40).

Included and prepaid minutes that are credited return to their period or voucher. The next run bills again what was
credited, unless it is written off. An entry stays settled while any of its minutes is on a document or written off.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from portal.billing.engine.documents import document_of
from portal.billing.engine.rollups.lines import shared_price
from portal.billing.engine.terms import Key
from portal.billing.engine.values import Allocation, BillingState, Document, Line, PoolKey
from portal.billing.engine.words import AllocationKind, DocumentKind, LineKind
from portal.money import EXACT, divide_half_up, hourly_amount, round_half_up, total
from portal.periods import Period


class CannotCredit(ValueError):
    """Minutes of an entry or a voucher cannot be credited; `key` is the id of the entry or voucher.

    Either the credited document never had these minutes, or they are credited already, or they are only a part of a
    fixed fee.
    """

    def __init__(self, key: Key, what: str) -> None:
        self.key = key
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Taken:
    """An allocation (`live`) from which minutes are credited. `left` is what the credit leaves of it, or None."""

    live: Allocation
    left: Allocation | None

    @property
    def credited(self) -> Allocation:
        """Return the allocation with the credited minutes and amount, as negative numbers."""
        minutes, amount = (0, Decimal(0)) if self.left is None else (self.left.minutes, self.left.amount)
        return replace(self.live, minutes=minutes - self.live.minutes, amount=EXACT.subtract(amount, self.live.amount))


class Credit:
    """A credit of one document, which is an invoice or a statement (`of`).

    Call the methods `take_...` to choose what is credited, then `done`. `state` must contain the entries of this
    document, although they are settled. With `write_off`, what is chosen is never billed again. Without `write_off`,
    the next run bills it again.
    """

    def __init__(self, state: BillingState, of: Document, *, write_off: bool = False) -> None:
        self._state, self._of, self._write_off = state, of, write_off
        places = {(piece.entry, piece.place) for piece in of.allocations}
        self._live = {
            (piece.entry, piece.place): piece
            for id in of.detail
            for piece in state.settled.get(id, ())
            if (piece.entry, piece.place) in places
        }
        self._of_entry: dict[Key, list[Allocation]] = {}
        for piece in self._live.values():
            self._of_entry.setdefault(piece.entry, []).append(piece)
        # Entries without minutes have no allocation, so they are kept in a set of their own.
        kept = {entry for entry, _ in places} | state.written_off
        self._empty = {id for id in of.detail if id not in kept and state.settled.get(id) == ()}
        self._taken: dict[tuple[Key, int], Taken] = {}
        self._emptied: set[Key] = set()
        self._sold: set[PoolKey | None] = set()
        self._parts: dict[Key, int] = {}

    def take_all(self) -> None:
        """Choose everything on the credited document that is not credited yet: all minutes, fees and vouchers."""
        self.take_entries(self._of.detail)
        self._sold |= {line.sold for line in self._of.lines}

    def take_line(self, line: Line) -> None:
        """Choose a whole line: the charged minutes that are not credited yet, or the fee or the voucher of the line."""
        if line.kind is LineKind.TIME:
            self._take(self._live[place] for place in map(_place, line.allocations) if place in self._live)
        else:
            self._sold.add(line.sold)

    def take_entries(self, entries: Iterable[Key]) -> None:
        """Choose all minutes of these entries that are not credited yet, including the minutes that cost nothing."""
        entries = tuple(entries)
        self._take(piece for entry in entries for piece in self._of_entry.get(entry, ()))
        self._emptied |= self._empty.intersection(entries)

    def take_minutes(self, entry: Key, minutes: int) -> None:
        """Choose the last `minutes` minutes of an entry that are not credited yet.

        Charged minutes come last in an entry, so they are credited before the minutes that cost nothing. Raise
        `CannotCredit` if the entry has fewer minutes left, or if only a part of a fixed fee would be credited.
        """
        for piece in reversed(self._of_entry.get(entry, [])):
            taken = min(minutes, piece.minutes)
            if not taken:
                continue
            if taken < piece.minutes and piece.kind is AllocationKind.CHARGED and piece.price is None:
                raise CannotCredit(entry, "a fixed fee is credited as a whole")
            self._taken[_place(piece)] = Taken(piece, self._without(piece, taken))
            minutes -= taken
        if minutes:
            raise CannotCredit(entry, f"{minutes} minutes more than the document still has of it")

    def take_voucher(self, voucher: Key, minutes: int) -> None:
        """Choose `minutes` of a sold voucher that no entry has drawn. No entry can draw these minutes afterwards.

        Raise `CannotCredit` if the credited document does not sell the voucher, if the whole sale is credited already,
        or if fewer minutes are left.
        """
        if not any(line.voucher == voucher and is_live(self._state, line) for line in self._of.lines):
            raise CannotCredit(voucher, "not on this document")
        all_of_it = next(each.minutes for each in self._state.vouchers if each.id == voucher)
        gone = self._state.drawn.get((voucher, None), 0) + self._state.refunded.get(voucher, 0)
        if minutes > all_of_it - gone:
            raise CannotCredit(voucher, f"{minutes - all_of_it + gone} minutes more than are left of it")
        self._parts[voucher] = minutes

    def _take(self, pieces: Iterable[Allocation]) -> None:
        self._taken |= {_place(piece): Taken(piece, None) for piece in pieces}

    def _without(self, piece: Allocation, minutes: int) -> Allocation | None:
        """Return the rest of an allocation without `minutes`, or None if nothing is left.

        The amount of the rest is computed anew, so that all credits together sum to the amount that was charged.
        """
        left = piece.minutes - minutes
        if not left:
            return None
        amount = (
            piece.amount if piece.price is None else hourly_amount(left, piece.price.hourly_rate, self._state.digits)
        )
        return replace(piece, minutes=left, amount=amount)

    def done(self) -> tuple[BillingState, Document | None]:
        """Return the state after the credit, and the credit note or correcting statement.

        The document is None if nothing is credited.
        """
        taken = [self._taken[place] for place in self._live if place in self._taken]
        state = _with_minutes_back(self._state, taken, self._emptied, write_off=self._write_off)
        lines = [*self._credit_lines(state), *self._covered_lines(state, taken)]
        state = _with_sales_back(state, lines, self._parts, write_off=self._write_off)
        entries = {each.live.entry for each in taken} | self._emptied
        if not entries and not lines:
            return state, None
        is_invoice = self._of.kind is DocumentKind.INVOICE
        note = document_of(
            DocumentKind.CREDIT_NOTE if is_invoice else DocumentKind.STATEMENT,
            self._of.contract,
            self._of.until,
            [id for id in self._of.detail if id in entries],
            [each.credited for each in taken],
            lines if is_invoice else (),
            state.digits,
        )
        return state, note

    def _credit_lines(self, state: BillingState) -> Iterator[Line]:
        """Yield a credit line, with negative amounts, for each line of the credited document, in the same order.

        A line of which nothing is credited is left out. `state` must be the billing state after the credited minutes
        have been removed from the settled minutes.
        """
        vouchers = {voucher.id: voucher.minutes for voucher in state.vouchers}
        for line in self._of.lines:
            if line.kind is LineKind.TIME:
                taken = [self._taken[place] for place in map(_place, line.allocations) if place in self._taken]
                if taken:
                    yield time_line_of(line, [each.credited for each in taken], state.digits)
            elif line.voucher in self._parts and is_live(state, line):
                amount = _price_of_part(state, line, vouchers, self._parts[line.voucher])
                yield replace(line, net=-amount, unit_price=-amount)
            elif line.sold in self._sold and is_live(state, line):
                amount = _refund(state, line, vouchers)
                if line.sold is not None and (amount or line.sold not in state.credited):
                    yield replace(line, net=-amount, unit_price=-amount)

    def _covered_lines(self, state: BillingState, taken: Iterable[Taken]) -> Iterator[Line]:
        """Yield a line at 0.00 for each service with credited minutes that are on no line of the invoice."""
        on_lines = {_place(piece) for line in self._of.lines for piece in line.allocations}
        entries = {entry.id: entry.service for entry in state.entries}
        by_service: dict[Key, list[Allocation]] = {}
        for each in taken:
            if _place(each.live) not in on_lines and self._of.kind is DocumentKind.INVOICE:
                by_service.setdefault(entries[each.live.entry], []).append(each.credited)
        for id, (_, service) in state.places().items():
            if id in by_service:
                line = Line(
                    LineKind.TIME, id, service.name, 0, None, round_half_up(Decimal(0), state.digits), service.vat
                )
                yield time_line_of(line, by_service[id], state.digits)


def is_live(state: BillingState, line: Line) -> bool:
    """Return whether the fee or the voucher of `line` is still billed, by this line and not by a later line."""
    if line.sold is None:
        return False
    billed = line.voucher in state.billed_vouchers if line.voucher is not None else days_paid(state, line) is not None
    return billed and line.reopened == state.reopened.get(line.sold, 0)


def days_paid(state: BillingState, line: Line) -> Period | None:
    """Return the days for which the fee of `line` is still billed, or None if there are none."""
    if line.active is None or line.period_start is None:
        return None
    parts = state.billed_fees.get((line.service, line.period_start), ())
    return next((part for part in parts if part.start == line.active.start), None)


def with_days_back(state: BillingState, sold: Collection[PoolKey], until: date = date.min) -> BillingState:
    """Return `state` changed so that the fees `sold` are no longer billed for the days from `until` onwards.

    `sold` has values of `Line.sold`: the service and the first day that a line pays for.
    """
    kept = {
        (service, start): tuple(
            left
            for part in parts
            if (left := part.within(Period(date.min, until)) if (service, part.start) in sold else part) is not None
        )
        for (service, start), parts in state.billed_fees.items()
    }
    return replace(state, billed_fees={fee: parts for fee, parts in kept.items() if parts})


def time_line_of(line: Line, credited: list[Allocation], digits: int) -> Line:
    """Return the line of a credit note for `line`. `credited` are its credited allocations, with negative minutes."""
    charged = [piece for piece in credited if piece.kind is AllocationKind.CHARGED]
    return replace(
        line,
        minutes=sum(piece.minutes for piece in charged),
        unit_price=shared_price(charged),
        net=total((piece.amount for piece in charged), digits),
        entries=tuple(dict.fromkeys(piece.entry for piece in credited)),
        allocations=tuple(credited),
    )


def _place(piece: Allocation) -> tuple[Key, int]:
    return piece.entry, piece.place


def _with_minutes_back(
    state: BillingState, taken: Collection[Taken], emptied: Collection[Key], *, write_off: bool
) -> BillingState:
    """Return the state after the minutes `taken` were removed from the settled minutes and returned to their pools.

    Entries that have no settled minutes left, and the entries `emptied`, which have no minutes, are then no longer
    settled and can be billed again. With `write_off`, the minutes are still removed, but these entries stay settled, so
    that they are never billed again.
    """
    settled, freed, next_place = dict(state.settled), dict(state.freed), dict(state.next_place)
    drawn, written_off = dict(state.drawn), set(state.written_off)
    for each in taken:
        id, minutes = each.live.entry, -each.credited.minutes
        next_place[id] = max(next_place.get(id, 0), *(piece.place + 1 for piece in settled[id]))
        left = (each.left if piece.place == each.live.place else piece for piece in settled[id])
        settled[id] = tuple(piece for piece in left if piece is not None)
        if each.live.pool is not None:
            drawn[each.live.pool] -= minutes
        if write_off:
            written_off.add(id)
        elif minutes:
            freed[id] = freed.get(id, 0) + minutes
    written_off |= set(emptied) if write_off else set()
    for id in ({each.live.entry for each in taken} | set(emptied)) - written_off:
        if not settled[id]:
            del settled[id]
            freed.pop(id, None)
    return replace(
        state,
        settled=settled,
        freed=freed,
        next_place=next_place,
        drawn=drawn,
        written_off=frozenset(written_off),
    )


def _refund(state: BillingState, line: Line, vouchers: Mapping[Key, int]) -> Decimal:
    """Return how much of the price of the fee or the voucher of `line` can still be credited.

    For a voucher, this is the share of its price for undrawn minutes. `vouchers` has the minutes of each voucher.
    """
    share = line.net
    if line.voucher is not None and (minutes := vouchers[line.voucher]):
        undrawn = minutes - state.drawn.get((line.voucher, None), 0)
        share = divide_half_up(EXACT.multiply(line.net, undrawn), minutes, state.digits)
    credited = Decimal(0) if line.sold is None else state.credited.get(line.sold, Decimal(0))
    return max(EXACT.subtract(share, credited), round_half_up(Decimal(0), state.digits))


def _price_of_part(state: BillingState, line: Line, vouchers: Mapping[Key, int], minutes: int) -> Decimal:
    """Return the price of `minutes` undrawn minutes of the voucher of `line`.

    This is the rounded share for `minutes` plus the minutes credited before, less the amount credited before. In this
    way, rounding errors do not add up: several credits give back as much as one credit for the sum of their minutes.
    """
    if line.voucher is None or line.sold is None:
        return Decimal(0)
    gone = EXACT.multiply(line.net, state.refunded.get(line.voucher, 0) + minutes)
    share = divide_half_up(gone, vouchers[line.voucher], state.digits)
    credited = state.credited.get(line.sold, Decimal(0))
    return max(EXACT.subtract(share, credited), round_half_up(Decimal(0), state.digits))


def _with_sales_back(
    state: BillingState, lines: Iterable[Line], parts: Mapping[Key, int], *, write_off: bool
) -> BillingState:
    """Return `state` changed so that the fees and vouchers of these credit lines are due again, or written off.

    `parts` maps vouchers that are credited in part to the credited minutes. A voucher with drawn minutes, or with an
    earlier or present credit of a part, is never due again. Its credited minutes can no longer be drawn.
    """
    due: set[PoolKey] = set()
    reopened, credited, refunded = dict(state.reopened), dict(state.credited), dict(state.refunded)
    vouchers = {voucher.id: voucher.minutes for voucher in state.vouchers}
    for line in lines:
        if line.sold is None:
            continue
        drawn = 0 if line.voucher is None else state.drawn.get((line.voucher, None), 0)
        in_parts = line.voucher is not None and (line.voucher in parts or line.sold in credited)
        if write_off or drawn or in_parts:
            credited[line.sold] = EXACT.subtract(credited.get(line.sold, Decimal(0)), line.net)
            if line.voucher is not None:
                part = parts.get(line.voucher)
                gone = vouchers[line.voucher] - drawn if part is None else refunded.get(line.voucher, 0) + part
                refunded[line.voucher] = gone
            continue
        due.add(line.sold)
        reopened[line.sold] = line.reopened + 1
        credited.pop(line.sold, None)
        if line.voucher is not None:
            refunded.pop(line.voucher, None)
    return replace(
        with_days_back(state, due),
        billed_vouchers=frozenset(voucher for voucher in state.billed_vouchers if (voucher, None) not in due),
        reopened=reopened,
        credited=credited,
        refunded=refunded,
    )
