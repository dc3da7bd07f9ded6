"""Write the results of the engine as JSON values."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from portal.billing.engine import (
    Allocation,
    BillingState,
    Document,
    DocumentKind,
    Entry,
    Key,
    Line,
    Stretch,
    VatGroup,
)
from portal.billing.simulate.document import Input
from portal.billing.simulate.entries import Logged
from portal.billing.simulate.fields import Written
from portal.money import cash_amount
from portal.schedules import counted_minutes

Json = dict[str, object]


def statement(made: Document) -> Json:
    """Return a statement as JSON. The output of an invoice begins with the same keys."""
    return {"contract": made.contract, "until": str(made.until), "detail": list(made.detail)}


def invoice(made: Document, cash_rounding: Decimal | None) -> Json:
    """Return an invoice as JSON.

    If `cash_rounding`, the smallest coin, is not None, the key `payable` has the gross sum rounded to this coin.
    """
    return statement(made) | _sums(made, cash_rounding)


def correction(made: Document, step: int, of: Json, cash_rounding: Decimal | None) -> Json:
    """Return a credit note or a correcting statement, made by step number `step`, as JSON.

    `of` identifies the corrected document, such as `{"invoice": 0}`.
    """
    sums = _sums(made, cash_rounding) if made.kind is DocumentKind.CREDIT_NOTE else {}
    pieces = [{"entry": piece.entry} | _allocation(piece) for piece in made.allocations]
    return {"step": step, "kind": made.kind, "of": of} | statement(made) | {"pieces": pieces} | sums


def _sums(made: Document, cash_rounding: Decimal | None) -> Json:
    digits = -int(made.gross.as_tuple().exponent)
    payable = {} if cash_rounding is None else {"payable": _number(cash_amount(made.gross, cash_rounding, digits))}
    return {
        "lines": [_line(line) for line in made.lines],
        "vat": [_vat(group) for group in made.vat],
        "net": _number(made.net),
        "tax": _number(made.tax),
        "gross": _number(made.gross),
        **payable,
    }


def _line(line: Line) -> Json:
    return {
        "kind": line.kind,
        "service": line.service,
        "label": line.label,
        "minutes": line.minutes,
        "unit_price": _number(line.unit_price),
        "net": _number(line.net),
        "entries": list(line.entries),
    }


def _vat(group: VatGroup) -> Json:
    rate = _number(group.vat.rate)
    return {"category": group.vat.category, "rate": rate, "base": _number(group.base), "tax": _number(group.tax)}


def allocations(pieces: Mapping[Key, Iterable[Allocation]]) -> Json:
    """Return the allocations of each entry as JSON, by the id of the entry."""
    return {str(entry): [_allocation(piece) for piece in pieces[entry]] for entry in pieces}


def _allocation(piece: Allocation) -> Json:
    return {
        "kind": piece.kind,
        "minutes": piece.minutes,
        "source": None if piece.source is None else str(piece.source),
        "hourly_rate": _number(piece.price.hourly_rate) if piece.price else None,
        "rate_source": piece.price.source if piece.price else None,
        "amount": _number(piece.amount),
    }


def _number(value: Decimal | None) -> str | None:
    """Return a number as text: a rate as it is spelt in the input, an amount with its decimals.

    Return None for None.
    """
    if value is None:
        return None
    return value.text if isinstance(value, Written) else f"{value:f}"


def counted(document: Input) -> Json:
    """Return how the minutes of each entry were counted, by the id of the entry (D27).

    Entries whose service has no schedule are left out.
    """
    entries = {entry.id: entry for entry in document.state.entries}
    return {
        str(logged.entry.id): _counted(logged, entries[logged.entry.id])
        for logged in document.logged
        if document.services[str(logged.entry.service)].schedule is not None
    }


def _counted(logged: Logged, entry: Entry) -> Json:
    """Return the worked and the counted minutes of an entry, and the reason if the schedule did not apply (`plain`)."""
    plain = "no_clock_time" if logged.started is None else "billable_minutes" if entry.is_override else None
    return {
        "actual_minutes": logged.actual_minutes,
        "counted_minutes": logged.actual_minutes if plain else counted_minutes(entry.stretches),
        "billable_minutes": entry.billable_minutes,
        "stretches": [_stretch(stretch) for stretch in entry.stretches],
        "plain": plain,
    }


def _stretch(stretch: Stretch) -> Json:
    return {
        "minutes": stretch.minutes,
        "factor": _number(stretch.factor),
        "hourly_rate": _number(stretch.hourly_rate),
    }


def rolled(state: BillingState) -> list[Json]:
    """Return the minutes that rolled over into each period after a closed period, sorted by service and period."""
    return [
        {"service": service, "period": str(start), "source": str(each.origin), "minutes": each.minutes}
        for (service, start), minutes in sorted(state.rolled.items(), key=lambda item: [str(part) for part in item[0]])
        for each in minutes
    ]
