"""Case types: kinds of cases, each with whether time on such a case is billable by default (S2.13)."""

from msgspec import Struct
from piccolo.columns import BigSerial, Boolean, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database.rows import Endable, next_position, one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, in_range, line, yes_or_no

BEGINNING = (("Incident", True), ("Question", True), ("Change request", True), ("Our mistake", False))
"""The case types of a new installation: name, and whether time on such a case is billable by default."""


class CaseTypeFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a case type as typed; `billable` is `yes` or `no`."""

    name: str
    billable: str = "yes"


class CaseType(Endable, Table, tablename="case_type"):
    """A kind of case, such as Incident. `billable` is the default for time that is logged on such a case.

    A contact chooses the case type of a new case. A case type that has ended can no longer be chosen, but cases that
    have it keep it. `ended_at` is None while the case type can be chosen.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    billable = Boolean(default=None)
    position = SmallInt(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def offered(cls) -> list["CaseType"]:
        """Return the case types that can be chosen (those that have not ended), in the order of their positions."""
        return await cls.objects().where(cls.ended_at.is_null()).order_by(cls.position).order_by(cls.id)

    @classmethod
    async def listed(cls) -> list["CaseType"]:
        """Return all case types, also those that have ended, in the order of their positions."""
        return await cls.objects().order_by(cls.position).order_by(cls.id)

    @classmethod
    async def find(cls, case_type: int, *, hold: bool = False) -> "CaseType":
        """Return the case type with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(case_type)), hold=hold)

    @classmethod
    async def create(cls, facts: CaseTypeFacts) -> "CaseType":
        """Add a case type at the end of the list and return it.

        Raise `Invalid` for a bad field, or if another case type has the name.
        """
        name, billable = _read(facts)
        case_type = cls(name=name, billable=billable, position=await next_position(cls))
        async with unless_taken("name", f"There is a case type “{name}” already."):
            await case_type.save()
        return case_type

    async def change(self, facts: CaseTypeFacts) -> None:
        """Replace the name of the case type and whether time on its cases is billable by default.

        Time entries that were logged before do not change. Raise `Invalid` for a bad field, or if another case type has
        the name.
        """
        name, billable = _read(facts)
        async with unless_taken("name", f"There is a case type “{name}” already."):
            await CaseType.update({CaseType.name: name, CaseType.billable: billable}).where(CaseType.id == self.id)

    @property
    def facts(self) -> CaseTypeFacts:
        """Return the stored values of the case type as form fields, to fill in the form that edits them."""
        return CaseTypeFacts(name=self.name, billable="yes" if self.billable else "no")


async def seed_case_types() -> None:
    """Add the case types of a new installation, unless there are case types already."""
    if not await CaseType.exists():
        for name, billable in BEGINNING:
            await CaseType.create(CaseTypeFacts(name=name, billable="yes" if billable else "no"))


def _read(facts: CaseTypeFacts) -> tuple[str, bool]:
    checked = Checked()
    name = checked("name", line, facts.name)
    billable = checked("billable", yes_or_no, facts.billable)
    checked.done()
    return name, billable
