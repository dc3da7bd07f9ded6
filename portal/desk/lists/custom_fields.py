"""Limit the list of cases by custom fields: a choice, a part of a text, or a range of numbers or days."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from portal.desk.custom_fields import FieldKind
from portal.desk.custom_fields.offered import OfferedField
from portal.fields import one_line
from portal.numbers import number_in
from portal.render.formats import day, number

LONGEST = 200
MOST = 50
"""How many values of custom fields a URL may have; the others are ignored."""
_NAME = re.compile(r"field_([1-9][0-9]{0,17})(_from|_to)?", re.ASCII)


class Wanted(NamedTuple):
    """A filter by a custom field: its value, and the name of its URL parameter, such as `field_3` or `field_3_from`.

    Several filters by values of one custom field are alternatives: a case must have one of the values. If a range has
    two ends, the value of a case must be within both.
    """

    name: str
    text: str

    @property
    def field(self) -> int:
        """Return the id of the custom field."""
        return int(self.name.split("_")[1])

    @property
    def end(self) -> str:
        """Return `from` or `to` for an end of a range, otherwise ""."""
        return self.name.partition("_")[2].partition("_")[2]

    def words(self, field: OfferedField | None) -> str:
        """Return the text of the chip for this filter. `field` is the custom field; None if it does not exist any more."""
        if field is None:
            return "Unknown field"
        value: Any = self.text
        if field.kind is FieldKind.CHOICE:
            value = dict(field.choices).get(number_in(self.text) or 0, "unknown")
        elif self.end:
            bound = _bound(self.text)
            value = "unknown" if bound is None else day(bound) if isinstance(bound, date) else number(bound, 6)
        return f"{field.name}{f' {self.end}' if self.end else ':'} {value}"


def wanted_of(many: Mapping[str, Sequence[str]]) -> tuple[Wanted, ...]:
    """Return the filters by custom fields in a query string, each once, at most `MOST`.

    `many` maps the names of the parameters of the query string to their values.
    """
    found = (
        Wanted(name, one_line(text)[:LONGEST])
        for name, texts in many.items() if _NAME.fullmatch(name) for text in texts
    )  # fmt: skip
    return tuple(dict.fromkeys(one for one in found if one.text))[:MOST]


def conditions_of(wanted: Sequence[Wanted]) -> Iterator[tuple[str, list[Any]]]:
    """Yield SQL conditions on the case `c` for these filters, each with the values for the `?` in it.

    If an end of a range is neither a number nor a day, no case meets its condition.
    """
    for name in dict.fromkeys(one.name for one in wanted):
        these = [one for one in wanted if one.name == name]
        field, end = these[0].field, these[0].end
        if not end:
            texts = [one.text for one in these]
            ids = [id for id in map(number_in, texts) if id is not None]
            yield f"{_HAVING} and (v.choice_id = any(?) or {_CONTAINS}))", [field, ids, texts]
            continue
        for bound in (_bound(one.text) for one in these):
            sign = ">=" if end == "from" else "<="
            if bound is None:
                yield "false", []
            else:
                yield f"{_HAVING} and v.{'day' if isinstance(bound, date) else 'number'} {sign} ?)", [field, bound]


def _bound(text: str) -> date | Decimal | None:
    """Return the day or the number that browsers send for an end of a range; None for other text."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        read = Decimal(text) if re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", text, re.ASCII) else None
    except InvalidOperation:
        return None
    return read


_HAVING = "c.id in (select v.case_id from case_field_value v where v.field_id = ?"
_CONTAINS = "exists (select from unnest(?::text[]) t where strpos(folded(v.text), folded(t)) > 0)"
