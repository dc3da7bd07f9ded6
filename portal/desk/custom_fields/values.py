"""Store and show the values that cases have in custom fields."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from piccolo.columns import BigInt, Date, Numeric, Text
from piccolo.table import Table

from portal.database import current
from portal.database.uniqueness import unless_gone
from portal.desk import events
from portal.desk.custom_fields import FieldKind, value_of
from portal.desk.custom_fields.offered import OfferedField, Value
from portal.desk.verbs.changing import agents_only, change, finish, lock
from portal.errors import Invalid
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.desk.cases import Case

_COLUMN = {FieldKind.TEXT: "text", FieldKind.NUMBER: "number", FieldKind.DATE: "day", FieldKind.CHOICE: "choice_id"}


class CaseFieldValue(Table, tablename="case_field_value"):
    """The value of a custom field of a case. `kind` is the kind of the custom field.

    It decides which of the columns `text`, `number`, `day` and `choice_id` contains the value; the others are None. The
    primary key consists of the ids of the case and the field.
    """

    case_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    field_id = BigInt(default=None)
    kind = Text(default=None)
    text = Text(null=True, default=None)
    number = Numeric(null=True, default=None)
    day = Date(null=True, default=None)
    choice_id = BigInt(null=True, default=None)


class Shown(msgspec.Struct, frozen=True):
    """A custom field as the page of a case shows it. `text` is its value as text, None if it is empty."""

    id: int
    name: str
    kind: FieldKind
    for_contacts: bool
    text: str | None

    @property
    def value(self) -> str | Decimal | date | None:
        """Return the value as a text, number or date, as the field's kind requires; for a choice, the choice's name."""
        return None if self.text is None else value_of(self.kind, self.text)


_TEXT = "coalesce(v.text, v.number::text, v.day::text, o.name)"
_JOINED = "left join case_field_choice o on o.field_id = v.field_id and o.id = v.choice_id"


def shown_sql(case: str, *, for_contact: bool) -> str:
    """Return the SQL expression for the custom fields of the case with the alias `case`, as JSON for `read_shown`.

    Agents also see the empty fields that are offered for the case's type, so that they can fill them in. Contacts see
    only fields with `for_contacts` that have a value.
    """
    empty = f"or (f.ended_at is null and (f.case_type_ids is null or {case}.case_type_id = any(f.case_type_ids)))"
    return (
        "(select coalesce(json_agg(json_build_object('id', f.id, 'name', f.name, 'kind', f.kind, 'for_contacts', f.for_contacts,"  # noqa: S608
        f" 'text', {_TEXT}) order by f.position, f.id), '[]') from case_field f"
        f" left join case_field_value v on v.field_id = f.id and v.case_id = {case}.id {_JOINED}"
        f" where {'f.for_contacts and ' if for_contact else ''}(v.case_id is not null {'' if for_contact else empty}))::text"
    )


def read_shown(text: str) -> list[Shown]:
    """Parse the JSON that the SQL expression of `shown_sql` yields, and return the custom fields."""
    return msgspec.json.decode(text, type=list[Shown])


async def values_of(case_id: int) -> dict[int, Value]:
    """Return the values of a case in its custom fields, by the id of the custom field."""
    rows = await current().fetch("select * from case_field_value where case_id = $1", case_id)
    return {row["field_id"]: row[_COLUMN[FieldKind(row["kind"])]] for row in rows}


async def store_new(case: "Case", fields: Sequence[OfferedField], values: Mapping[int, Value]) -> None:
    """Store the values of custom fields that were entered when the case was opened.

    `values` maps ids of custom fields to their values.
    """
    for field in fields:
        if field.id in values:
            await _write(_INSERT, case, field, values[field.id])


async def _write(sql: Mapping[FieldKind, str], case: "Case", field: OfferedField, value: Value) -> None:
    """Store a value of a custom field.

    Raise `Invalid` at the form field if an admin has deleted the custom field or the choice since the form offered it.
    """
    async with unless_gone(field.key, f"“{field.name}”, or what was chosen there, was deleted in the meantime.") as tx:
        await tx.execute(sql[field.kind], case.id, case.customer_id, field.id, field.kind.value, value)


async def change_values(
    case: "Case", fields: Sequence[OfferedField], values: Mapping[int, Value | None], *, by: AgentReader, at: datetime
) -> None:
    """Change the values of custom fields of a case, and add a line to the log of the case for each changed value.

    `values` maps the ids of custom fields to new values; None empties the field. Values that the case has already are
    skipped. If contacts see none of the changed fields, they see neither the lines nor that the case was changed.
    """
    agents_only(by)
    await lock(case, by)
    before = await values_of(case.id)
    changed = [one for one in fields if one.id in values and values[one.id] != before.get(one.id)]
    if not changed:
        return
    for field in changed:
        value = values[field.id]
        if value is None:
            await current().execute(
                "delete from case_field_value where case_id = $1 and field_id = $2", case.id, field.id
            )
        else:
            await _write(_PUT, case, field, value)
        word = dict(field.choices)[value] if isinstance(value, int) else value
        named = {"field": field.name, "field_id": field.id, "kind": field.kind.value}
        await _record("field", case, named, word, by, at, for_contacts=field.for_contacts)
    if any(field.for_contacts for field in changed):
        await change(case, {}, [], by, at)
    else:
        await finish(case, [], by, at, told_as="case.changed_internally")


async def refuse_unfilled(case: "Case") -> None:
    """Raise `Invalid` at the field `status` if a custom field required to resolve or close the case is empty."""
    names = await current().fetchval(_UNFILLED, case.id, case.case_type_id)
    if names:
        raise Invalid({"status": f"Fill in {names} first: a case is not resolved without it."})


async def take_over(target: "Case", source: "Case", *, by: AgentReader, at: datetime) -> None:
    """Give `target` the values of custom fields that only `source` has. The case `source` is merged into `target`.

    The log of `target` records the moved values. It also records each value of `source` that is dropped because
    `target` has another value in this field.
    """
    rows = await current().fetch(_OF_SOURCE, source.id, target.id)
    await current().execute(COPY, source.id, target.id)
    await current().execute("delete from case_field_value where case_id = $1", source.id)
    for row in rows:
        if row["present"] != row["former"]:
            kind = "field_left" if row["present"] else "field_taken"
            named = {"field": row["name"], "field_id": row["id"], "kind": row["kind"], "number": source.number}
            await _record(kind, target, named, row["former"], by, at, for_contacts=row["for_contacts"])


async def _record(
    event: str,
    case: "Case",
    named: Mapping[str, object],
    value: Any,
    by: AgentReader,
    at: datetime,
    *,
    for_contacts: bool,
) -> None:
    """Add a line about a value to the log of the case.

    Row-level security hides the line from contacts as soon as the field is hidden from them.
    """
    details = {**named, "to": None if value is None else str(value)}
    await events.record(case.id, case.customer_id, event, by=by, contact_may_know=for_contacts, at=at, details=details)


COPY = """
insert into case_field_value (case_id, customer_id, field_id, kind, text, number, day, choice_id)
select $2, customer_id, field_id, kind, text, number, day, choice_id from case_field_value where case_id = $1 on conflict do nothing
"""
"""SQL that copies the values of the case $1 to the case $2, except for fields in which the case $2 has a value."""
_INSERT = {
    kind: f"insert into case_field_value (case_id, customer_id, field_id, kind, {column}) values ($1, $2, $3, $4, $5)"  # noqa: S608
    for kind, column in _COLUMN.items()
}
_PUT = {
    kind: f"{sql} on conflict (case_id, field_id) do update set {_COLUMN[kind]} = excluded.{_COLUMN[kind]}"
    for kind, sql in _INSERT.items()
}
_UNFILLED = """
select string_agg('“' || f.name || '”', ' and ' order by f.position, f.id) from case_field f
where f.required_to_resolve and f.ended_at is null and (f.case_type_ids is null or $2 = any(f.case_type_ids))
  and not exists (select from case_field_value v where v.field_id = f.id and v.case_id = $1)
"""
_OF_SOURCE = f"""
select f.id, f.name, f.kind, f.for_contacts, {_TEXT} as former,
  (select {_TEXT} from case_field_value v {_JOINED} where v.field_id = f.id and v.case_id = $2) as present
from case_field_value v join case_field f on f.id = v.field_id {_JOINED} where v.case_id = $1 order by f.position, f.id
"""  # noqa: S608
