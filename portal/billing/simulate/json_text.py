"""JSON as text: reading that keeps what `json` would lose (repeated keys, how a number is written), and writing."""

import codecs
import json
from typing import NoReturn

from portal.billing.simulate.errors import BadDocument


class Pairs(dict[str, object]):
    """An object that remembers its keys as they stand in the file, also those that stand there twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


MOST_DIGITS = 30
"""Of one number. No amount, rate or duration needs more, and arithmetic on longer ones takes ever longer."""


class Fraction(str):
    """A number that is written with a point or an exponent; nothing in a document is one."""

    __slots__ = ()


class TooLong(Fraction):
    """A number of more than `MOST_DIGITS` digits."""

    __slots__ = ()


def _integer(literal: str) -> int | TooLong:
    """Return the integer that `literal` writes. A longer one is never converted: that takes time quadratic in its length."""
    return int(literal) if is_short(literal) else TooLong(literal)


def is_short(number: str) -> bool:
    """Tell whether `number`, as it is written, has at most `MOST_DIGITS` digits before and after its point together."""
    return sum(sign.isdigit() for sign in number[: MOST_DIGITS + 3]) <= MOST_DIGITS


def parse(content: bytes) -> object:
    """The value of a UTF-8 JSON text (a byte order mark is passed over). Raises `BadDocument` at `$`."""
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
    """JSON in ASCII, so that no terminal's encoding can stop it, with a line feed at its end."""
    return json.dumps(value, indent=1) + "\n"
