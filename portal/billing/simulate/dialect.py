"""Define which keys and values an input document of `portal simulate` may have (`docs/simulate.md`).

A document that says `"extended": true` may have more keys and values than a plain one.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from portal.billing.simulate.fields import Choice, Fields, Scalar, boolean, choice, number, text
from portal.money import digits_of
from portal.periods import PLAIN_CYCLES, Cycle
from portal.words import Overflow


@dataclass(frozen=True, slots=True)
class Dialect:
    """The rules for the keys and values of an input document.

    `extended` says whether the document may have the additional keys and values, and `digits` is the number of decimals
    of its amounts.
    """

    extended: bool = False
    digits: int = 2

    def keys(self, plain: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
        """Return the keys that an object may have: `plain`, and in an extended document also `more`."""
        return plain + more if self.extended else plain

    def choice(self, words: type[Choice]) -> Scalar[Choice]:
        """Return a function that reads the members of `words` that a document of this dialect may have."""
        return choice(words, () if self.extended else _EXTENDED_ONLY)

    @property
    def money(self) -> Scalar[Decimal]:
        """Return a function that reads amounts with at most the decimals of the currency."""
        return number(self.digits)


_EXTENDED_ONLY: tuple[StrEnum, ...] = (Overflow.BLOCK, *(cycle for cycle in Cycle if cycle not in PLAIN_CYCLES))


def is_extended(document: object) -> bool:
    """Return whether the input document, as parsed from JSON, says `"extended": true`."""
    return isinstance(document, dict) and document.get("extended") is True


def read_dialect(top: Fields) -> Dialect:
    """Return the dialect of the document `top`, and record the errors of its keys `extended` and `currency`.

    The amounts of a plain document have two decimals in every currency.
    """
    extended = top.get("extended", boolean, False)
    currency = top.take("currency", text)
    return Dialect(True, digits_of(currency or "")) if extended else Dialect()
