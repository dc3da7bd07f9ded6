"""Kinds of general time, such as meeting or training. General time is work for no customer (S2.38)."""

from msgspec import Struct
from piccolo.columns import BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database.rows import Endable, next_position, one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, in_range, line


class KindName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field with the name of a kind of general time, as typed."""

    name: str


class GeneralKind(Endable, Table, tablename="general_kind"):
    """A kind of general time.

    `ended_at` is None while the kind can be chosen.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    position = Integer(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def listed(cls) -> list["GeneralKind"]:
        """Return all kinds of general time, including those that have ended, sorted by position."""
        return await cls.objects().order_by(cls.position).order_by(cls.id)

    @classmethod
    async def usual(cls) -> "GeneralKind | None":
        """Return the first kind, by position, that can be chosen, or None if there is none."""
        return await cls.objects().where(cls.ended_at.is_null()).order_by(cls.position).order_by(cls.id).first()

    @classmethod
    async def find(cls, kind: int, *, hold: bool = False) -> "GeneralKind":
        """Return the kind with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(kind)), hold=hold)

    @classmethod
    async def create(cls, facts: KindName) -> "GeneralKind":
        """Add a kind at the end of the list and return it. Raise `Invalid` (`name`) for a bad or a taken name."""
        name = _read(facts)
        kind = cls(name=name, position=await next_position(cls))
        async with unless_taken("name", _taken(name)):
            await kind.save()
        return kind

    async def rename(self, facts: KindName) -> None:
        """Rename the kind. Existing entries show the new name. Raise `Invalid` (`name`) for a bad or a taken name."""
        name = _read(facts)
        async with unless_taken("name", _taken(name)):
            await GeneralKind.update({GeneralKind.name: name}).where(GeneralKind.id == self.id)

    @property
    def facts(self) -> KindName:
        """Return the stored name of the kind as a form field, to fill in the form that renames it."""
        return KindName(name=self.name)


def _read(facts: KindName) -> str:
    checked = Checked()
    name = checked("name", line, facts.name)
    checked.done()
    return name


def _taken(name: str) -> str:
    return f"There is a kind “{name}” already."
