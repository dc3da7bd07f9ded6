"""Own fields: what admins let people record about cases besides what every case has, such as a serial number.

`fields.py` has the fields, `choices.py` the choices of those that offer some, `offered.py` reads what a form offers and
what was typed, and `values.py` stores and shows what a case has.
"""

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
