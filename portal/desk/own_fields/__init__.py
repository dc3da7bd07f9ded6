"""Own fields: what admins let people record about cases besides what every case has, such as a serial number.

`fields.py` has the fields, `choices.py` the choices of those that offer some, `offered.py` reads what a form offers and
what was typed, and `values.py` stores and shows what a case has.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum


class FieldKind(StrEnum):
    """The kinds of values that a field takes. `word` is the name of the kind."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"

    @property
    def word(self) -> str:
        return self.value.capitalize()


def value_of(kind: str, text: str) -> str | Decimal | date:
    """Return a value that the database has written as text."""
    if kind == FieldKind.NUMBER:
        return Decimal(text)
    return date.fromisoformat(text) if kind == FieldKind.DATE else text
