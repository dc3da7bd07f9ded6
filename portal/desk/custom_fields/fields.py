"""Store the custom fields of cases, which admins define, order, and stop offering."""

from typing import Any

from msgspec import Struct
from piccolo.columns import Array, BigInt, BigSerial, Boolean, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.rows import Endable, next_position, one
from portal.database.uniqueness import unless_taken
from portal.desk.custom_fields import FieldKind
from portal.desk.custom_fields.choices import add_choices, short
from portal.errors import Conflict, Invalid
from portal.fields import Checked, identifier, in_range, line, one_of, optional, yes_or_no

MOST = 40
"""The maximum number of custom fields that are offered, so that a form can show them all."""
FULL = f"There are {MOST} fields, which is the most. Stop offering one first."
EVERY, SOME = "every", "some"
"""The values of `FieldFacts.for_types`: cases of every type have the field, or only cases of the types in `types`."""
_KIND = one_of(tuple(FieldKind))
_UNSEEN = "Customers cannot fill in a field that they do not see."


class NewField(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a new custom field as typed. `choices` has one choice per line, for the kind `choice`."""

    name: str
    kind: str
    choices: str = ""
    for_contacts: str = "yes"


class FieldFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields for changing a custom field, as typed.

    `for_contacts` and the two fields after it are `yes` or `no`. `types` has ids of case types.
    """

    name: str
    kind: str
    hint: str = ""
    for_contacts: str = "yes"
    required_to_open: str = "no"
    required_to_resolve: str = "no"
    for_types: str = EVERY
    types: list[str] = []


class CaseField(Endable, Table, tablename="case_field"):
    """A custom field of cases. Contacts see the field only with `for_contacts`.

    `case_type_ids` are the ids of the case types whose cases have the field; None if cases of all types have it. With
    `required_to_open`, contacts have to fill in the field when they open a case; with `required_to_resolve`, agents
    cannot resolve or close a case without it. A field that has ended is no longer offered, but cases keep their values.
    """

    id = BigSerial(primary_key=True)
    kind = Text(default=None)
    name = Text(default=None)
    hint = Text(null=True, default=None)
    for_contacts = Boolean(default=None)
    required_to_open = Boolean(default=False)
    required_to_resolve = Boolean(default=False)
    case_type_ids = Array(base_column=BigInt(), null=True, default=None)
    position = SmallInt(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def listed(cls) -> list["CaseField"]:
        """Return all custom fields, including those no longer offered, in the order of their positions."""
        return await cls.objects().order_by(cls.position).order_by(cls.id)

    @classmethod
    async def find(cls, field: int, *, hold: bool = False) -> "CaseField":
        """Return the custom field with this id. With `hold`, lock its row. Raise `NotFound` for an unknown id."""
        if hold:  # The strongest lock: it also waits for transactions that store a value of the field.
            await current().execute("select from case_field where id = $1 for update", in_range(field))
        return await one(cls.objects().where(cls.id == in_range(field)))

    @classmethod
    async def create(cls, facts: NewField) -> "CaseField":
        """Add a custom field after all others, with its choices, and return it.

        Raise `Invalid` if a form field is not valid, if another custom field has the same name, or if `MOST` custom
        fields are offered already.
        """
        checked = Checked()
        if await cls._is_full():
            checked.refuse("name", FULL)
        kind = checked("kind", _KIND, facts.kind)
        names = [name for name in facts.choices.splitlines() if name.strip()] if kind == FieldKind.CHOICE else []
        if kind == FieldKind.CHOICE and not names:
            checked.refuse("choices", "Write at least one choice, each on a line of its own.")
        values: dict[str, Any] = {
            "name": checked("name", short, facts.name),
            "kind": kind,
            "for_contacts": checked("for_contacts", yes_or_no, facts.for_contacts),
        }
        checked.done()
        field = cls(**values, position=await next_position(cls))
        async with unless_taken("name", _taken(field.name)):
            await field.save()
        await add_choices(field.id, names, as_field="choices")
        return field

    async def change(self, facts: FieldFacts) -> None:
        """Replace everything but the choices of this custom field. Cases keep their values. The caller has locked its row.

        If `facts.kind` is empty, the field keeps its kind. Raise `Invalid` if a form field is not valid, if another
        custom field has the same name, or if the kind would change although cases have values in this custom field.
        """
        checked = Checked()
        values: dict[str, Any] = {
            "name": checked("name", short, facts.name),
            "kind": checked("kind", _KIND, facts.kind or self.kind),
            "hint": checked("hint", optional(line), facts.hint),
        }
        for flag in _FLAGS:
            values[flag] = checked(flag, yes_or_no, getattr(facts, flag))
        if values["required_to_open"] and not values["for_contacts"]:
            checked.refuse("required_to_open", _UNSEEN)
        some = checked("for_types", one_of((EVERY, SOME)), facts.for_types) == SOME
        types = [checked("types", identifier, text) for text in set(facts.types)] if some else None
        if some and not types:
            checked.refuse("types", "Choose at least one type.")
        elif some and "types" not in checked.errors and not await current().fetchval(_ARE_TYPES, types):
            checked.refuse("types", "Choose them from the list.")
        checked.done()
        if values["kind"] != self.kind and await self.is_used():
            raise Invalid({"kind": "Cases have values of this kind. Add another field instead."})
        async with unless_taken("name", _taken(values["name"])):
            await CaseField.update(**values, case_type_ids=types and sorted(types)).where(CaseField.id == self.id)

    @classmethod
    async def _is_full(cls) -> bool:
        """Return whether `MOST` custom fields are offered, so that no more can be added.

        The table is locked, so that two people who add a field at once cannot exceed `MOST`.
        """
        await current().execute("lock table case_field in share row exclusive mode")
        return await cls.count().where(cls.ended_at.is_null()) >= MOST

    async def resume(self) -> None:
        """Offer the field again. Raise `Conflict` if `MOST` other custom fields are offered."""
        if self.ended_at and await CaseField._is_full():
            raise Conflict(FULL)
        await super().resume()

    async def is_used(self) -> bool:
        """Return whether any case has a value in this custom field."""
        return bool(
            await current().fetchval("select exists (select from case_field_value where field_id = $1)", self.id)
        )

    async def discard(self) -> None:
        """Delete this custom field with its choices. Raise `Conflict` if a case has a value in it.

        The caller has locked the row of the field.
        """
        if await self.is_used():
            raise Conflict(f"Cases have values of “{self.name}”, so it cannot be deleted. Stop offering it instead.")
        await CaseField.delete().where(CaseField.id == self.id)

    async def move_above(self, other: int) -> None:
        """Move this custom field to the place directly above the one with the id `other`, unless that was deleted.

        The table is locked until the transaction ends.
        """
        await current().execute("lock table case_field in share row exclusive mode")
        ids = [one.id for one in await CaseField.listed() if one.id != self.id]
        if other in ids:
            ids.insert(ids.index(other), self.id)
            await current().execute(_ORDER, ids)

    @property
    def facts(self) -> FieldFacts:
        """Return the present settings of this custom field (name, kind, case types) as form fields."""
        flags = {name: "yes" if getattr(self, name) else "no" for name in _FLAGS}
        types = [str(one) for one in self.case_type_ids or ()]
        return FieldFacts(
            name=self.name, kind=self.kind, hint=self.hint or "", for_types=SOME if types else EVERY, types=types, **flags
        )  # fmt: skip


_FLAGS = ("for_contacts", "required_to_open", "required_to_resolve")
_ARE_TYPES = "select count(*) = cardinality($1::bigint[]) from case_type where id = any($1)"
_ORDER = """
update case_field f set position = w.place from unnest($1::bigint[]) with ordinality as w (id, place)
where f.id = w.id and f.position <> w.place
"""


def _taken(name: str) -> str:
    return f"There is a field “{name}” already."
