"""Read the steps of an input document in their order."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from portal.billing.engine import Key
from portal.billing.simulate.fields import Fields, boolean, day, integer, reference, references, take
from portal.billing.simulate.services import Offers


class Verb(StrEnum):
    """What a step of the input document does."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"
    RELEASE = "release"
    BILL = "bill"
    CREDIT = "credit"
    END = "end"
    EXTEND = "extend"


PLAIN_VERBS, MORE_VERBS = (Verb.APPROVE, Verb.WITHDRAW, Verb.RELEASE, Verb.BILL), (Verb.CREDIT, Verb.END, Verb.EXTEND)
CREDIT = ("invoice", "statement", "lines", "entries", "minutes", "vouchers", "write_off")


@dataclass(frozen=True, slots=True)
class CreditOf:
    """What a step credits. `invoice` or `statement` is the number of the credited document; the other field is None.

    `lines`, `entries`, `minutes` and `vouchers` choose parts of the credited document; if all are None, everything is
    credited. `path` is where the input document has these choices, for errors that are found only when the step is run.
    """

    path: str
    invoice: int | None
    statement: int | None
    lines: tuple[int, ...] | None = None
    entries: tuple[str, ...] | None = None
    minutes: Mapping[str, int] | None = None
    vouchers: Mapping[str, int] | None = None
    write_off: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do (`verb`), and its arguments.

    `approve`, `withdraw` and `release` apply to `entries`, which are ids. `bill` bills the days before `until`. `end`
    ends `contract` on the earlier day `until`; `extend` moves the end of `contract` to the later day `end`, or removes
    it if `end` is None. `credit` credits what the field `credit` chooses.
    """

    verb: Verb
    entries: tuple[str, ...] = ()
    until: date = date.min
    end: date | None = None
    contract: str = ""
    credit: CreditOf = field(default_factory=lambda: CreditOf("", None, None))


def read_steps(
    top: Fields, entries: Container[object], vouchers: Container[object], offers: Offers
) -> tuple[Step, ...]:
    """Return the steps of the document `top`. The errors are added to `top.errors`.

    `entries` and `vouchers` are the ids of the document's entries and vouchers.
    """
    found = []
    verbs = PLAIN_VERBS + MORE_VERBS if offers.dialect.extended else PLAIN_VERBS
    ends = {contract.id: (contract.start, contract.end) for contract in offers.contracts}
    for place, value in top.items("steps", required=False):
        fields = Fields.of(top.errors, place, value, verbs)
        if fields.count() != 1:
            top.errors.add(place, "not exactly one step")
            continue
        verb = next((verb for verb in verbs if fields.has(verb)), None)
        if verb is Verb.BILL:
            found.append(Step(verb, until=fields.inner(verb, ("until",)).take("until", day)))
        elif verb is Verb.CREDIT:
            found.append(Step(verb, credit=_credit(fields.inner(verb, CREDIT), entries, vouchers)))
        elif verb is Verb.END:
            found.append(_end(fields.inner(verb, ("contract", "on")), ends))
        elif verb is Verb.EXTEND:
            found.append(_extend(fields.inner(verb, ("contract", "until")), ends))
        elif verb is not None:
            found.append(Step(verb, tuple(id for _, id in references(fields, verb, entries))))
    return tuple(found)


def _end(fields: Fields, ends: dict[Key, tuple[date, date | None]]) -> Step:
    """Return a step that ends a contract earlier than before, and set its new end in `ends`.

    `ends` has the start and the present end of each contract. Record an error unless the new end is between these two.
    """
    contract, on = reference(fields, "contract", ends), fields.take("on", day)
    start, end = ends.get(contract, (None, None))
    if on is not None and start is not None:
        if on <= start:
            fields.wrong("on", "on or before the contract's start")
        elif end is not None and on >= end:
            fields.wrong("on", "not before the contract's end")
        ends[contract] = start, on
    return Step(Verb.END, until=on, contract=contract)


def _extend(fields: Fields, ends: dict[Key, tuple[date, date | None]]) -> Step:
    """Return a step that moves the end of a contract to a later day or removes the end, and set its new end in `ends`.

    `ends` has the start and the present end of each contract. Record an error if the contract has no end, or if the new
    end is not later.
    """
    contract, until = reference(fields, "contract", ends), fields.get("until", day)
    start, end = ends.get(contract, (None, None))
    if start is not None:
        if end is None:
            fields.wrong("contract", "has no end")
        elif until is not None and until <= end:
            fields.wrong("until", "not after the contract's end")
        ends[contract] = start, until
    return Step(Verb.EXTEND, end=until, contract=contract)


def _credit(fields: Fields, entries: Container[object], vouchers: Container[object]) -> CreditOf:
    if fields.has("invoice") == fields.has("statement"):
        fields.errors.add(fields.place, "not exactly one of invoice and statement")
    if sum(fields.has(name) for name in ("lines", "entries", "minutes", "vouchers")) > 1:
        fields.errors.add(fields.place, "more than one of lines, entries, minutes and vouchers")
    return CreditOf(
        fields.place.path,
        fields.get("invoice", integer(0)),
        fields.get("statement", integer(0)),
        tuple(_lines(fields)) if fields.has("lines") else None,
        tuple(id for _, id in references(fields, "entries", entries)) if fields.has("entries") else None,
        _minutes(fields, "minutes", entries) if fields.has("minutes") else None,
        _minutes(fields, "vouchers", vouchers) if fields.has("vouchers") else None,
        fields.get("write_off", boolean, False),
    )


def _lines(fields: Fields) -> list[int]:
    found: list[int] = []
    for place, value in fields.items("lines"):
        number = take(fields.errors, place, value, integer(0))
        if number in found:
            fields.errors.add(place, "appears twice")
        found.append(number)
    return found


def _minutes(fields: Fields, name: str, ids: Container[object]) -> dict[str, int]:
    value = fields.value(name)
    known = tuple(id for id in value if id in ids) if isinstance(value, dict) else ()
    inner = fields.inner(name, known)
    return {id: inner.take(id, integer(1)) for id in known}
