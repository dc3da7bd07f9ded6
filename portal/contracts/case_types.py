"""Case types: kinds of cases, and whether time on them is billable unless somebody says otherwise (S2.13)."""

from datetime import datetime

from msgspec import Struct
from piccolo.columns import BigSerial, Boolean, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.uniqueness import unless_taken
from portal.errors import NotFound
from portal.fields import Checked, in_range, line, one_of

BEGINNING = (("Incident", True), ("Question", True), ("Change request", True), ("Our mistake", False))
"""What a new installation offers; admins change it."""


class CaseTypeFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A case type as typed. `billable` is yes or no."""

    name: str
    billable: str = "yes"


class CaseType(Table, tablename="case_type"):
    """Contacts choose one when they open a case. One that has ended stays on the cases that have it."""

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    billable = Boolean(default=None)
    position = SmallInt(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def offered(cls) -> list["CaseType"]:
        """Those that can be chosen, in their order."""
        return await cls.objects().where(cls.ended_at.is_null()).order_by(cls.position).order_by(cls.id)

    @classmethod
    async def listed(cls) -> list["CaseType"]:
        """All of them in their order, the ended ones too."""
        return await cls.objects().order_by(cls.position).order_by(cls.id)

    @classmethod
    async def find(cls, case_type: int, *, hold: bool = False) -> "CaseType":
        """Return the case type; with `hold` nobody else can change it until the transaction ends. Raises `NotFound`."""
        query = cls.objects().where(cls.id == in_range(case_type))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def create(cls, facts: CaseTypeFacts) -> "CaseType":
        """A new one at the end. Raises `Invalid` for a name that is used."""
        name, billable = _read(facts)
        async with unless_taken("name", f"There is a case type “{name}” already.") as tx:
            case_type = await tx.fetchval(
                "insert into case_type (name, billable, position)"
                " select $1, $2, coalesce(max(position), 0) + 1 from case_type returning id",
                name, billable,
            )  # fmt: skip
        return await cls.find(case_type)

    async def change(self, facts: CaseTypeFacts) -> None:
        """Entries that were logged before keep what they say. Raises `Invalid` for a name that is used."""
        name, billable = _read(facts)
        async with unless_taken("name", f"There is a case type “{name}” already.") as tx:
            await tx.execute("update case_type set name = $2, billable = $3 where id = $1", self.id, name, billable)

    async def end(self, at: datetime) -> None:
        """Offer it no more. Repeating it changes nothing."""
        await current().execute("update case_type set ended_at = $2 where id = $1 and ended_at is null", self.id, at)

    async def resume(self) -> None:
        """Offer it again."""
        await current().execute("update case_type set ended_at = null where id = $1", self.id)

    @property
    def facts(self) -> CaseTypeFacts:
        """As its form shows it."""
        return CaseTypeFacts(name=self.name, billable="yes" if self.billable else "no")


async def seed_case_types() -> None:
    """The case types of a new installation, where there are none."""
    if not await CaseType.exists():
        for name, billable in BEGINNING:
            await CaseType.create(CaseTypeFacts(name=name, billable="yes" if billable else "no"))


def _read(facts: CaseTypeFacts) -> tuple[str, bool]:
    checked = Checked()
    name = checked("name", line, facts.name)
    billable = checked("billable", one_of(("yes", "no")), facts.billable)
    checked.done()
    return name, billable == "yes"
