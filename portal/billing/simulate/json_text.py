"""Read JSON with its repeated keys and the spelling of numbers, which the module `json` would lose; write JSON."""

import codecs
import json
from typing import NoReturn

from portal.billing.simulate.errors import BadDocument


class Pairs(dict[str, object]):
    """A JSON object that also keeps the pairs of the file in their order, including repeated keys."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


MOST_DIGITS = 30
"""The maximum number of digits of a number. No amount or duration needs more, and long numbers slow arithmetic down."""


class Fraction(str):
    """A number that is written with a decimal point or an exponent. No document may contain such a number."""

    __slots__ = ()


class TooLong(Fraction):
    """An integer of more than `MOST_DIGITS` digits. No document may contain such an integer."""

    __slots__ = ()


def _integer(literal: str) -> int | TooLong:
    """Return the integer that `literal` spells.

    A literal of more than `MOST_DIGITS` digits is returned as `TooLong`, because converting it takes quadratic time.
    """
    return int(literal) if is_short(literal) else TooLong(literal)


def is_short(number: str) -> bool:
    """Return whether `number`, as it is written, has at most `MOST_DIGITS` digits in all."""
    return sum(sign.isdigit() for sign in number[: MOST_DIGITS + 3]) <= MOST_DIGITS


def parse(content: bytes) -> object:
    """Return the value of a JSON text in UTF-8; a byte order mark is skipped.

    Raise `BadDocument` with the path `$` if the text is not JSON, not UTF-8 or nested too deeply.
    """
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise BadDocument("$", "not UTF-8") from None
    try:
        return json.loads(
            text, object_pairs_hook=Pairs, parse_int=_integer, parse_float=Fraction, parse_constant=_refuse
        )
    except RecursionError:
        raise BadDocument("$", "nested too deeply") from None
    except ValueError:
        raise BadDocument("$", "not JSON") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def written(value: object) -> str:
    """Return the value as JSON in ASCII, which every terminal can show, with a line feed at the end."""
    return json.dumps(value, indent=1) + "\n"
