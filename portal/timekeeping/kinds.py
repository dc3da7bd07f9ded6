"""Kinds of general time, such as meeting or training. General time is work for no customer (S2.38)."""

from datetime import datetime

from msgspec import Struct
from piccolo.columns import BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.uniqueness import unless_taken
from portal.errors import NotFound
from portal.fields import Checked, in_range, line


class KindName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field with the name of a kind of general time, as typed."""

    name: str


class GeneralKind(Table, tablename="general_kind"):
    """A kind of general time. Time entries keep a kind that has ended.

    `ended_at` is None while the kind can be chosen.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    position = Integer(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def listed(cls) -> list["GeneralKind"]:
        """Return all kinds of general time, also those that have ended, in the order of their positions."""
        return await cls.objects().order_by(cls.position).order_by(cls.id)

    @classmethod
    async def usual(cls) -> "GeneralKind | None":
        """Return the first kind that can be chosen, or None if there is none."""
        return await cls.objects().where(cls.ended_at.is_null()).order_by(cls.position).order_by(cls.id).first()

    @classmethod
    async def find(cls, kind: int, *, hold: bool = False) -> "GeneralKind":
        """Return the kind with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        query = cls.objects().where(cls.id == in_range(kind))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def create(cls, facts: KindName) -> "GeneralKind":
        """Add a kind at the end of the list and return it. Raise `Invalid` for a bad name or one that is taken."""
        name = _read(facts)
        async with unless_taken("name", _taken(name)) as tx:
            kind = await tx.fetchval(
                "insert into general_kind (name, position)"
                " select $1, coalesce(max(position), 0) + 1 from general_kind returning id",
                name,
            )
        return await cls.find(kind)

    async def rename(self, facts: KindName) -> None:
        """Rename the kind. Existing entries show the new name. Raise `Invalid` for a bad name or one that is taken."""
        name = _read(facts)
        async with unless_taken("name", _taken(name)) as tx:
            await tx.execute("update general_kind set name = $2 where id = $1", self.id, name)

    async def end(self, at: datetime) -> None:
        """End the kind at `at`, so that it can no longer be chosen. If it has ended already, its `ended_at` stays."""
        await current().execute("update general_kind set ended_at = $2 where id = $1 and ended_at is null", self.id, at)

    async def resume(self) -> None:
        """Set `ended_at` to None, so that the kind can be chosen again."""
        await current().execute("update general_kind set ended_at = null where id = $1", self.id)

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
