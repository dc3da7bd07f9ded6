"""Find the custom fields that a form offers, and read the texts entered into them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from babel.numbers import NumberFormatError, format_decimal, parse_decimal

from portal.database import current
from portal.desk.custom_fields import FieldKind
from portal.errors import Invalid
from portal.fields import day, line, one_line
from portal.people.readers import Reader

Value = str | Decimal | date | int
"""A value of a custom field: a text, a number, a day, or the id of a choice."""
Shape = TypeVar("Shape", bound=msgspec.Struct)

LARGEST, DECIMALS = Decimal(10**15), 6
_KEY = re.compile(r"field_[0-9]+", re.ASCII)
_NUMBER = re.compile(r"[-+\u2212]?[0-9][0-9.,]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class OfferedField:
    """A custom field that a form offers. `types` are the ids of the case types whose cases have it; () means all."""

    id: int
    name: str
    hint: str
    kind: FieldKind
    for_contacts: bool
    required_to_open: bool
    types: tuple[int, ...]
    choices: tuple[tuple[int, str], ...]

    @property
    def key(self) -> str:
        """Return the name of the form field for this custom field."""
        return f"field_{self.id}"

    def fits(self, case_type_id: int) -> bool:
        """Return whether cases of this type have the field."""
        return not self.types or case_type_id in self.types

    def read(self, text: str, locale: str) -> Value | None:
        """Return the value for the text that was typed into the form field, or None for an empty text.

        Raise `ValueError` with a message for a text that is not valid.
        """
        if not text.strip():
            return None
        if self.kind is FieldKind.CHOICE:
            found = {str(id): id for id, _ in self.choices}
            if text not in found:
                raise ValueError("Choose one from the list.")
            return found[text]
        if self.kind is FieldKind.NUMBER:
            return read_number(text, locale)
        return day(text) if self.kind is FieldKind.DATE else line(text)

    def typed(self, value: Value | None, locale: str) -> str:
        """Return a stored value as the text that the form field shows to a reader with this locale."""
        if isinstance(value, Decimal):
            return str(format_decimal(value, f"0.{'#' * DECIMALS}", locale))
        return "" if value is None else str(value)


def read_number(text: str, locale: str) -> Decimal:
    """Return a number that was typed in the notation of this locale.

    Raise `ValueError` if the text is not such a number, or if the number is too large or has too many decimals.
    """
    example = format_decimal(Decimal("1234.5"), "0.#", locale)
    digits = re.sub(r"[\s'’]", "", one_line(text))
    if not (_NUMBER.fullmatch(digits) and len(digits) <= 40):
        raise ValueError(f"Write a number, such as {example}.")
    try:
        number: Decimal = parse_decimal(digits.replace("\u2212", "-"), locale, strict=True)
    except NumberFormatError:
        raise ValueError(f"Write a number, such as {example}.") from None
    if abs(number) >= LARGEST:
        raise ValueError("This number is too large.")
    if -int(number.as_tuple().exponent) > DECIMALS:
        raise ValueError(f"Use at most {DECIMALS} decimals.")
    return number


async def offered(by: Reader, *, case_id: int | None = None, case_type_id: int | None = None) -> list[OfferedField]:
    """Return the custom fields that `by` may fill in, in their order.

    Fields in which the case with the id `case_id` has a value are included. Any other field is left out if an admin has
    ended it, or if cases of the type `case_type_id` do not have it. A choice that an admin has ended is left out unless
    the case has this choice. A field of the kind `choice` without any choice is left out too.
    """
    rows = await current().fetch(_OFFERED, case_id, by.is_contact)
    found = [
        OfferedField(
            row["id"], row["name"], row["hint"] or "", FieldKind(row["kind"]), row["for_contacts"], row["required_to_open"],
            tuple(row["case_type_ids"] or ()), tuple((id, name) for id, name in json.loads(row["choices"])),
        )
        for row in rows
        if case_type_id is None or row["is_set"] or not row["case_type_ids"] or case_type_id in row["case_type_ids"]
    ]  # fmt: skip
    return [one for one in found if one.choices or one.kind is not FieldKind.CHOICE]


def read_all(
    fields: Sequence[OfferedField], typed: Mapping[int, str], by: Reader, case_type_id: int
) -> tuple[dict[int, Value], dict[str, str]]:
    """Return the values of custom fields for a new case, and the error messages for texts that are not valid.

    `typed` maps the ids of custom fields to the texts in the form. The keys of the values are the same ids; the keys of
    the error messages are the names of the form fields. Custom fields that cases of this type do not have are left out.
    If `by` is a contact, a custom field with `required_to_open` must not be empty.
    """
    values, problems = dict[int, Value](), dict[str, str]()
    for field in fields:
        if not field.fits(case_type_id):
            continue
        try:
            value = field.read(typed.get(field.id, ""), by.locale)
        except ValueError as error:
            problems[field.key] = str(error)
            continue
        if value is not None:
            values[field.id] = value
        elif field.required_to_open and by.is_contact:
            problems[field.key] = f"Fill in “{field.name}”."
    return values, problems


def with_fields(shape: type[Shape], fields: Sequence[OfferedField]) -> Any:
    """Return the type of a form that has the form fields of `shape`, and a form field for each of these custom fields."""
    return _shape(shape, tuple(field.key for field in fields))


@lru_cache(maxsize=64)
def _shape(shape: Any, keys: tuple[str, ...]) -> Any:
    return msgspec.defstruct(shape.__name__, [(key, str, "") for key in keys], bases=(shape,), kw_only=True)


def refuse_withdrawn(names: Iterable[str], fields: Sequence[OfferedField]) -> None:
    """Raise `Invalid` if `names`, the form fields of a request, include one for a custom field that is no longer offered.

    `fields` are the custom fields that are offered to the sender. After the refusal, the page shows the form without the
    withdrawn field, and with all other values.
    """
    if {name for name in names if _KEY.fullmatch(name)} - {field.key for field in fields}:
        raise Invalid({"": "A field of this form was withdrawn in the meantime. Look at it, and send it again."})


def typed_in(form: Any, fields: Sequence[OfferedField]) -> dict[int, str]:
    """Return the texts in `form` for these custom fields, by field id. `with_fields` has returned the type of `form`."""
    return {field.id: getattr(form, field.key) for field in fields}


_OFFERED = """
select f.id, f.name, f.hint, f.kind, f.for_contacts, f.required_to_open, f.case_type_ids, v.field_id is not null as is_set,
  coalesce((select json_agg(json_build_array(o.id, o.name) order by o.position, o.id) from case_field_choice o
    where o.field_id = f.id and (o.ended_at is null or o.id = v.choice_id)), '[]')::text as choices
from case_field f left join case_field_value v on v.field_id = f.id and v.case_id = $1
where (f.ended_at is null or v.field_id is not null) and (f.for_contacts or not $2) order by f.position, f.id
"""
