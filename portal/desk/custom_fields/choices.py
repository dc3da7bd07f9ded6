"""Store the choices of a custom field: admins add, rename and delete them, or stop offering them."""

from collections.abc import Sequence

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.rows import Endable, insert_all, one
from portal.database.uniqueness import unless_taken
from portal.errors import Conflict, Invalid
from portal.fields import Checked, in_range, line

LONGEST = 60
"""The maximum number of characters of the name of a custom field or a choice, so that the name fits a column."""
MOST = 100
"""The maximum number of choices of a custom field."""


class ChoiceName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field with the name of a choice as typed."""

    name: str


class FieldChoice(Endable, Table, tablename="case_field_choice"):
    """A choice of the custom field `field_id`. Once `ended_at` is set, nobody can choose it, but cases keep it."""

    id = BigSerial(primary_key=True)
    field_id = BigInt(default=None)
    name = Text(default=None)
    position = SmallInt(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def listed(cls, field: int) -> list["FieldChoice"]:
        """Return all choices of a custom field, also those no longer offered, in the order in which they were added."""
        return await cls.objects().where(cls.field_id == field).order_by(cls.position).order_by(cls.id)

    @classmethod
    async def find(cls, field: int, choice: int, *, hold: bool = False) -> "FieldChoice":
        """Return the choice with the id `choice` of the custom field with the id `field`; with `hold`, lock its row.

        Raise `NotFound` if there is no such choice.
        """
        return await one(cls.objects().where(cls.id == in_range(choice), cls.field_id == in_range(field)), hold=hold)

    async def rename(self, facts: ChoiceName) -> None:
        """Rename the choice, also on the cases that have it.

        Raise `Invalid` at the form field `name` for a name that is not valid or that another choice of the custom field
        has.
        """
        checked = Checked()
        name = checked("name", short, facts.name)
        checked.done()
        async with unless_taken("name", _taken(name)):
            await FieldChoice.update({FieldChoice.name: name}).where(FieldChoice.id == self.id)

    async def discard(self) -> None:
        """Delete the choice. Raise `Conflict` if a case has it."""
        await current().execute("select from case_field_choice where id = $1 for update", self.id)
        if await current().fetchval(_USED, self.field_id, self.id):
            raise Conflict(f"Cases have the choice “{self.name}”, so it cannot be deleted. Stop offering it instead.")
        await FieldChoice.delete().where(FieldChoice.id == self.id)

    @property
    def facts(self) -> ChoiceName:
        """Return the present name of the choice as a form field."""
        return ChoiceName(name=self.name)


async def add_choices(field: int, names: Sequence[str], *, as_field: str = "name") -> None:
    """Add choices with these names to a custom field, after its present choices. The caller has locked the field.

    Raise `Invalid` at the form field `as_field` for a name that is not valid or is taken, and for too many choices.
    """
    checked = Checked()
    read = [checked(as_field, short, name) for name in names]
    checked.done()
    known = {one.name.lower(): one for one in await FieldChoice.listed(field)}
    if twice := next(
        (name for place, name in enumerate(read) if name.lower() in {*known, *map(str.lower, read[:place])}), ""
    ):
        raise Invalid({as_field: _taken(twice)})
    if len(known) + len(read) > MOST:
        raise Invalid({as_field: f"A field has at most {MOST} choices."})
    last = max((one.position for one in known.values()), default=0)
    await insert_all(FieldChoice, [
        {"field_id": field, "name": name, "position": last + place} for place, name in enumerate(read, 1)
    ])  # fmt: skip


def short(text: str) -> str:
    """Return the text as one line. Raise `ValueError` if it is empty or longer than `LONGEST` characters."""
    read = line(text)
    if len(read) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    return read


def _taken(name: str) -> str:
    return f"There is a choice “{name}” already."


_USED = "select exists (select from case_field_value where field_id = $1 and choice_id = $2)"
