"""JSON as text: reading that keeps what `json` would lose (repeated keys, how a number is written), and writing."""

import codecs
import json
import sys
from typing import NoReturn

from portal.billing.simulate.errors import BadDocument


class Pairs(dict[str, object]):
    """An object that remembers its keys as they stand in the file, also those that stand there twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


class Fraction(str):
    """A number that is written with a point or an exponent; nothing in a document is one."""

    __slots__ = ()


def parse(content: bytes) -> object:
    """The value of a UTF-8 JSON text (a byte order mark is passed over). Raises `BadDocument` at `$`."""
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise BadDocument("$", "not UTF-8") from None
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # a long integer is an integer
    try:
        return json.loads(text, object_pairs_hook=Pairs, parse_float=Fraction, parse_constant=_refuse)
    except RecursionError:
        raise BadDocument("$", "nested too deeply") from None
    except ValueError:
        raise BadDocument("$", "not JSON") from None
    finally:
        sys.set_int_max_str_digits(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def written(value: object) -> str:
    """JSON in ASCII, so that no terminal's encoding can stop it, with a line feed at its end."""
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value, indent=1) + "\n"
    finally:
        sys.set_int_max_str_digits(digits)
