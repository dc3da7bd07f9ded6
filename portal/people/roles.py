"""Billing roles of agents: rates and the rollup by role use them."""

from msgspec import Struct
from piccolo.columns import BigSerial, Text
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.database.uniqueness import unless_taken
from portal.errors import NotFound
from portal.fields import Checked, in_range, line


class RoleName(Struct, forbid_unknown_fields=True, kw_only=True):
    """A role's name as typed."""

    name: str


class Role(Table, tablename="role"):
    """What kind of work an agent is paid for, such as consultant. It says nothing about what they may do: that is the grade."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)

    @classmethod
    async def all_by_name(cls) -> list["Role"]:
        """Every role."""
        return await cls.objects().order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def find(cls, role: int, *, hold: bool = False) -> "Role":
        """Return the role; with `hold` nobody else can change it until the transaction ends. Raises `NotFound`."""
        query = cls.objects().where(cls.id == in_range(role))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def create(cls, name: str) -> "Role":
        """A new role. Raises `Invalid` for an empty name or one that is there already, in whatever case."""
        read = _read(name)
        async with unless_taken("name", f"There is a role “{read}” already.") as tx:
            role = await tx.fetchval("insert into role (name) values ($1) returning id", read)
        return await cls.find(role)

    @property
    def facts(self) -> RoleName:
        """As its form shows it."""
        return RoleName(name=self.name)

    async def rename(self, name: str) -> None:
        """Issued invoices keep the old name."""
        read = _read(name)
        async with unless_taken("name", f"There is a role “{read}” already.") as tx:
            await tx.execute("update role set name = $1 where id = $2", read, self.id)


def _read(name: str) -> str:
    checked = Checked()
    read = checked("name", line, name)
    checked.done()
    return read
