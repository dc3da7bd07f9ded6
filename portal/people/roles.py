"""Billing roles of agents, such as consultant. Rates can depend on the role, and invoices can group time by role."""

from msgspec import Struct
from piccolo.columns import BigSerial, Text
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, in_range, line


class RoleName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field of a billing role: its name as typed, not validated yet."""

    name: str


class Role(Table, tablename="role"):
    """One billing role. Rates can depend on the role; what an agent may do depends on the agent's grade instead."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)

    @classmethod
    async def all_by_name(cls) -> list["Role"]:
        """Return all billing roles, sorted by name."""
        return await cls.objects().order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def find(cls, role: int, *, hold: bool = False) -> "Role":
        """Return the billing role with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(role)), hold=hold)

    @classmethod
    async def create(cls, name: str) -> "Role":
        """Create a billing role. Raise `Invalid` for an empty name, or for one that is taken (case is ignored)."""
        role = cls(name=_read(name))
        async with unless_taken("name", f"There is a role “{role.name}” already."):
            await role.save()
        return role

    @property
    def facts(self) -> RoleName:
        """Return the stored name of the role as the field of the form that renames the role."""
        return RoleName(name=self.name)

    async def rename(self, name: str) -> None:
        """Rename the role. Issued invoices keep the old name. Raise `Invalid` as `create` does."""
        read = _read(name)
        async with unless_taken("name", f"There is a role “{read}” already."):
            await Role.update({Role.name: read}).where(Role.id == self.id)


def _read(name: str) -> str:
    """Return the validated name. Raise `Invalid` for a name that cannot be used."""
    checked = Checked()
    read = checked("name", line, name)
    checked.done()
    return read
