"""Custom fields of cases, such as a serial number, which admins define.

`fields.py` stores the fields, and `choices.py` the choices of fields of the kind `choice`. `offered.py` finds the
fields that a form offers and reads the texts entered. `values.py` stores and shows the values of a case.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum


class FieldKind(StrEnum):
    """The kinds of values of custom fields. `word` is the name of the kind on pages."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"

    @property
    def word(self) -> str:
        return self.value.capitalize()


def value_of(kind: str, text: str) -> str | Decimal | date:
    """Return the value of a custom field of this kind that the log and the database store as `text`."""
    if kind == FieldKind.NUMBER:
        return Decimal(text)
    return date.fromisoformat(text) if kind == FieldKind.DATE else text
