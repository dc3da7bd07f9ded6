"""Case types: kinds of cases. The type of a case decides whether time on the case is billable by default (S2.13)."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigSerial, Boolean, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.rows import Endable, next_position, one
from portal.database.uniqueness import unless_taken
from portal.errors import Conflict, Invalid
from portal.fields import Checked, in_range, line, yes_or_no

BEGINNING = (("Incident", True), ("Question", True), ("Change request", True), ("Our mistake", False))
"""The case types of a new installation: name, and whether time on such a case is billable by default."""

LAST = "Contacts could not open a case any more: this is the only type that they can choose."


class CaseTypeFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a case type as typed; `billable` and `for_contacts` are `yes` or `no`."""

    name: str
    billable: str = "yes"
    for_contacts: str = "yes"


class CaseType(Endable, Table, tablename="case_type"):
    """A kind of case, such as Incident. `billable` says whether time on such a case is billable by default.

    The person who opens a case chooses its type; contacts may choose only types with `for_contacts`. A case type that
    has ended can no longer be chosen, but existing cases keep it. `ended_at` is None while the case type can be chosen.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    billable = Boolean(default=None)
    for_contacts = Boolean(default=None)
    position = SmallInt(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def offered(cls) -> list["CaseType"]:
        """Return the case types that can be chosen (those that have not ended), sorted by position."""
        return await cls.objects().where(cls.ended_at.is_null()).order_by(cls.position).order_by(cls.id)

    @classmethod
    async def offered_to_contacts(cls) -> list["CaseType"]:
        """Return the case types that contacts can choose, sorted by position."""
        return [one for one in await cls.offered() if one.for_contacts]

    @classmethod
    async def listed(cls) -> list["CaseType"]:
        """Return all case types, including those that have ended, sorted by position."""
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
        values = _read(facts)
        case_type = cls(**values, position=await next_position(cls))
        async with unless_taken("name", f"There is a case type “{case_type.name}” already."):
            await case_type.save()
        return case_type

    async def change(self, facts: CaseTypeFacts) -> None:
        """Replace the name, `billable` and `for_contacts`. Existing time entries and cases do not change.

        Raise `Invalid` for a bad field, if another case type has the name, or if contacts could not choose any type
        afterwards.
        """
        values = _read(facts)
        if not values["for_contacts"] and await self._is_last_for_contacts():
            raise Invalid({"for_contacts": f"{LAST} Let them choose another one first."})
        async with unless_taken("name", f"There is a case type “{values['name']}” already."):
            await CaseType.update(**values).where(CaseType.id == self.id)

    async def end(self, at: datetime) -> None:
        """End the case type, so that it can no longer be chosen.

        Raise `Conflict` if contacts could not choose any type afterwards.
        """
        if await self._is_last_for_contacts():
            raise Conflict(f"{LAST} Let them choose another one first.")
        await super().end(at)

    async def _is_last_for_contacts(self) -> bool:
        """Lock the table until the transaction ends. Return whether this is the only type that contacts can choose."""
        await current().execute("lock table case_type in share row exclusive mode")
        return [one.id for one in await CaseType.offered_to_contacts()] == [self.id]

    @property
    def facts(self) -> CaseTypeFacts:
        """Return the stored values of the case type as form fields, to fill in the form that edits them."""
        flags = {"billable": self.billable, "for_contacts": self.for_contacts}
        return CaseTypeFacts(name=self.name, **{name: "yes" if flag else "no" for name, flag in flags.items()})


async def seed_case_types() -> None:
    """Add the case types of a new installation, unless there are case types already."""
    if not await CaseType.exists():
        for name, billable in BEGINNING:
            await CaseType.create(CaseTypeFacts(name=name, billable="yes" if billable else "no"))


def _read(facts: CaseTypeFacts) -> dict[str, Any]:
    checked = Checked()
    values = {
        "name": checked("name", line, facts.name),
        "billable": checked("billable", yes_or_no, facts.billable),
        "for_contacts": checked("for_contacts", yes_or_no, facts.for_contacts),
    }
    checked.done()
    return values
