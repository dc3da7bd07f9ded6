"""Page through a list of cases with keyset cursors, so that a later page costs as much as the first one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from portal.desk.lists.views import Order
from portal.numbers import number_in

_NONE = ""
"""What stands for a missing value in a cursor. No value by which a list is sorted is an empty text."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of a row in a list. A page begins after this row or, with `is_back`, ends before it.

    `case_id` is the id of the case in the row. `values` are the values of the sort expressions (`Order.expressions`) in
    the row. As text, the cursor is the id and the values, separated by tildes.
    """

    case_id: int
    values: tuple[Any, ...]
    is_back: bool = False

    @classmethod
    def of_row(cls, row: Any, order: Order, *, is_back: bool = False) -> Self:
        """Return the cursor at a row of the list. The row has the columns `key_0`, `key_1` and so on."""
        return cls(row["id"], tuple(row[f"key_{place}"] for place in range(len(order.expressions))), is_back)

    @classmethod
    def parse(cls, text: str, order: Order, *, is_back: bool = False) -> Self | None:
        """Return the cursor in a URL, or None if the text is not a cursor of a list with this order."""
        typed, *parts = text.split("~", len(order.expressions))
        case_id = number_in(typed)
        types = (order.type, *(datetime for _ in order.expressions[1:]))
        if case_id is None or len(parts) != len(types):
            return None
        values = tuple(_read(part, kind) for part, kind in zip(parts, types, strict=True))
        if any(value is None and part != _NONE for value, part in zip(values, parts, strict=True)):
            return None
        return cls(case_id, values, is_back) if order.may_lack or None not in values else None

    def __str__(self) -> str:
        return "~".join([str(self.case_id), *map(_written, self.values)])

    def in_groups(self, order: Order, *, is_falling: bool, after: int) -> tuple[str, str, list[Any]]:
        """Return the SQL that begins the page at this cursor, in a list that is read group by group (see `pages`).

        The three values are the condition for the groups, the expression for the case id after which the rows of each
        group begin, and the parameters of both, numbered from `after` + 1.
        """
        (key,), expression = self.values, order.expressions[0]
        falls = is_falling is not self.is_back
        if key is None:
            values, same = [self.case_id], f"{expression} is null"
            groups = "true" if self.is_back else same
        else:
            place = f"${after + 2}{'::bigint' if order.type is int else ''}"
            values, same = [self.case_id, key], f"{expression} = {place}"
            groups = f"{expression} {'<' if falls else '>'}= {place}"
            groups = groups if self.is_back else f"({groups} or {expression} is null)"
        return groups, f"case when {same} then ${after + 1}::bigint else {edge(falls)} end", values

    def condition(self, order: Order, *, is_falling: bool, after: int) -> tuple[str, list[Any]]:
        """Return the SQL condition for the rows of the page, and its parameters, numbered from `after` + 1.

        `is_falling` says whether the list is sorted in descending order.
        """
        sign = "<" if is_falling is not self.is_back else ">"
        if self.values == (None,):
            same = f"{order.expressions[0]} is null and c.id {sign} ${after + 1}"
            return (f"({same} or {order.expressions[0]} is not null)" if self.is_back else same), [self.case_id]
        values = [*self.values, self.case_id]
        # Whole numbers are compared as bigint, so that a number in a URL that is too large for its column is no error.
        casts = ["::bigint" if order.type is int else "", *[""] * (len(values) - 2), "::bigint"]
        places = ", ".join(f"${after + place}{cast}" for place, cast in enumerate(casts, 1))
        condition = f"({', '.join((*order.expressions, 'c.id'))}) {sign} ({places})"
        if order.may_lack and not self.is_back:
            condition = f"({condition} or {order.expressions[0]} is null)"
        return condition, values


def edge(falls: bool) -> int:
    """Return a number that comes before all ids of cases in ascending order or, if `falls`, in descending order."""
    return 2**63 - 1 if falls else 0


def sorting(order: Order, *, is_falling: bool, is_back: bool) -> str:
    """Return the SQL after `order by` that sorts a list.

    With `is_back`, the order is reversed, because the caller reverses the rows later.
    """
    way = "desc" if is_falling is not is_back else "asc"
    # Left out for expressions that are never null, because it would keep PostgreSQL from using their indexes.
    missing = f" nulls {'first' if is_back else 'last'}" if order.may_lack else ""
    return ", ".join([*(f"{expression} {way}{missing}" for expression in order.expressions), f"c.id {way}"])


def _written(value: Any) -> str:
    if value is None:
        return _NONE
    return value.isoformat() if isinstance(value, datetime) else str(int(value) if isinstance(value, bool) else value)


def _read(text: str, kind: type[Any]) -> Any:
    """Return the value that `_written` wrote as text, or None if the text is not such a value."""
    if text == _NONE:
        return None
    if kind is str:
        return text.replace("\x00", "")
    if kind is datetime:
        return _instant(text)
    number = number_in(text, digits=15)
    return bool(number) if kind is bool and number is not None else number


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo and 1900 < found.year < 3000 else None
