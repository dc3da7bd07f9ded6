"""Billing roles of agents, such as consultant: rates can depend on them, and invoices can be grouped by them."""

from msgspec import Struct
from piccolo.columns import BigSerial, Text
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, in_range, line


class RoleName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Hold a role's form as typed."""

    name: str


class Role(Table, tablename="role"):
    """Hold one billing role. A role decides what work costs; what an agent may do is decided by their grade."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)

    @classmethod
    async def all_by_name(cls) -> list["Role"]:
        """Return all roles, sorted by name."""
        return await cls.objects().order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def find(cls, role: int, *, hold: bool = False) -> "Role":
        """Return the role, with `hold` locked for a change. Raise `NotFound` for an unknown id."""
        return await one(cls.objects().where(cls.id == in_range(role)), hold=hold)

    @classmethod
    async def create(cls, name: str) -> "Role":
        """Create a role. Raise `Invalid` for an empty name and for one that is taken; case does not matter."""
        role = cls(name=_read(name))
        async with unless_taken("name", f"There is a role “{role.name}” already."):
            await role.save()
        return role

    @property
    def facts(self) -> RoleName:
        """Return the role as the form shows it."""
        return RoleName(name=self.name)

    async def rename(self, name: str) -> None:
        """Rename the role. Invoices that have been issued keep the old name. Raise `Invalid` as `create` does."""
        read = _read(name)
        async with unless_taken("name", f"There is a role “{read}” already."):
            await Role.update({Role.name: read}).where(Role.id == self.id)


def _read(name: str) -> str:
    """Return the name to store. Raise `Invalid` for one that cannot be used."""
    checked = Checked()
    read = checked("name", line, name)
    checked.done()
    return read
