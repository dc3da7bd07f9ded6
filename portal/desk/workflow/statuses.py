"""Store the statuses that admins configure, and which of them may follow which (S3.18)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.rows import Endable, next_position, one
from portal.database.uniqueness import unless_taken
from portal.desk.deadlines import recounting
from portal.desk.workflow import NEEDED, Status
from portal.errors import Conflict
from portal.fields import Checked, identifier, in_range, line, one_of, optional, whole, yes_or_no

LONGEST = 60
"""The maximum number of characters of a name, so that it fits the column of a list."""
MOST = 50
"""The maximum number of statuses that are offered, because the menu of a case shows all of them."""
FULL = f"There are {MOST} statuses, which is the most. End one that nobody needs."
EVERY, SOME = "every", "some"
"""The values of `StatusFacts.moves`: every other status may follow, or only those in `next`."""


class NewStatus(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a new status as typed. Contacts read `name` if `customer_name` is empty."""

    name: str
    category: str
    customer_name: str = ""


class StatusFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a status as typed.

    `moves` is `every` or `some`, and `next` has the ids of the statuses that may follow. `pauses` (`yes` or `no`) says
    whether the clock is paused; it is "" for a category without that choice. `remind_days` and `close_days` are the
    days after which the customer is reminded of an unanswered case and after which it is closed; "" for never.
    """

    name: str
    customer_name: str = ""
    pauses: str = ""
    moves: str = EVERY
    next: list[str] = []
    remind_days: str = ""
    close_days: str = ""


class CaseStatus(Endable, Table, tablename="case_status"):
    """A status of cases, in one of the categories of `Status`, on which all rules depend.

    `position` orders the statuses of a category; the portal itself sets the first. `pauses` says whether the clock of a
    case is paused. With `moves_freely`, every other status may follow, and the rows of `StatusMove` are ignored;
    without it, only the statuses in these rows may follow. `remind_days` and `close_days` are the days after which the
    customer is reminded of an unanswered case and after which it is closed; None for never. A status that has ended is
    no longer offered, but cases that have it keep it.
    """

    id = BigSerial(primary_key=True)
    category = Text(default=None)
    name = Text(default=None)
    customer_name = Text(null=True, default=None)
    position = SmallInt(default=None)
    pauses = Boolean(default=None)
    moves_freely = Boolean(default=True)
    remind_days = SmallInt(null=True, default=None)
    close_days = SmallInt(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)

    @property
    def status(self) -> Status:
        """Return the category as a member of `Status`."""
        return Status(self.category)

    @classmethod
    async def offered(cls) -> list["CaseStatus"]:
        """Return the statuses that are still offered, by category and position."""
        return [one for one in await cls.listed() if not one.ended_at]

    @classmethod
    async def listed(cls) -> list["CaseStatus"]:
        """Return all statuses, including those no longer offered, by category and position."""
        found = await cls.objects().order_by(cls.position).order_by(cls.id)
        return sorted(found, key=lambda one: list(Status).index(one.status))

    @classmethod
    async def find(cls, status: int, *, hold: bool = False) -> "CaseStatus":
        """Return the status with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(status)), hold=hold)

    @classmethod
    async def create(cls, facts: NewStatus) -> "CaseStatus":
        """Add a status as the last of its category, and return it.

        Every other status may follow the new status, and the new status may follow every status with `moves_freely`.
        Raise `Invalid` if a field is not valid, if another status has the same name, or if `MOST` statuses are offered
        already.
        """
        checked = Checked()
        if await cls._is_full():
            checked.refuse("name", FULL)
        values = _names(checked, facts.name, facts.customer_name)
        category = checked("category", one_of(tuple(Status)), facts.category)
        checked.done()
        status = cls(
            **values, category=category, pauses=not Status(category).is_ours, position=await next_position(cls)
        )
        async with unless_taken("name", _taken(status.name)):
            await status.save()
        return status

    async def change(self, facts: StatusFacts) -> None:
        """Change the names and the days of the status, which statuses may follow it, and whether it pauses the clock.

        The caller has locked the row. If `facts` has no `close_days`, cases in this status are not closed at the
        instants that were announced to their customers. If `pauses` changes, a job updates the clocks of the cases. Log
        lines keep the name that the status had. Raise `Invalid` if a field is not valid, or if another status has the
        same name.
        """
        checked = Checked()
        values: dict[str, Any] = _names(checked, facts.name, facts.customer_name)
        pauses = checked("pauses", yes_or_no, facts.pauses) if self.status.waits else self.pauses
        values["moves_freely"] = checked("moves", one_of((EVERY, SOME)), facts.moves) == EVERY
        following = [checked("next", identifier, text) for text in facts.next]
        values |= self._days(checked, facts)
        checked.done()
        if pauses is not self.pauses:
            await recounting.begin()
        async with unless_taken("name", _taken(values["name"])):
            await CaseStatus.update(**values, pauses=pauses).where(CaseStatus.id == self.id)
        await self._allow(following)
        if values["close_days"] is None:
            await current().execute(
                "update cases set closes_at = null where status_id = $1 and closes_at is not null", self.id
            )

    def _days(self, checked: Checked, facts: StatusFacts) -> dict[str, int | None]:
        """Return after how many days the customer is reminded of a case, and after how many it is closed.

        Both are None unless a case in this status waits for the customer.
        """
        if self.status is not Status.WAITING_FOR_CUSTOMER:
            return {"remind_days": None, "close_days": None}
        days = {
            name: checked(name, optional(whole(1, 365)), getattr(facts, name)) for name in ("remind_days", "close_days")
        }
        if days["close_days"] and not (days["remind_days"] and days["remind_days"] < days["close_days"]):
            checked.refuse("remind_days", "The reminder announces the closing, so it has to come before.")
        return days

    async def _allow(self, following: Sequence[int]) -> None:
        """Store which statuses may follow this one. Unknown ids, and the id of this status, are ignored."""
        await current().execute(_FORBID, self.id, list(following))
        await current().execute(_ALLOW, self.id, list(following))

    @classmethod
    async def _is_full(cls) -> bool:
        """Return whether `MOST` statuses are offered, so that no more can be added.

        The table is locked, so that two people who add a status at once cannot exceed `MOST`.
        """
        await current().execute("lock table case_status in share row exclusive mode")
        return await cls.count().where(cls.ended_at.is_null()) >= MOST

    async def resume(self) -> None:
        """Offer the status again. Raise `Conflict` if `MOST` other statuses are offered."""
        if self.ended_at and await CaseStatus._is_full():
            raise Conflict(FULL)
        await super().resume()

    async def end(self, at: datetime) -> None:
        """End the status, so that it is no longer offered.

        Raise `Conflict` if this is the last offered status of a category that the portal itself sets (`NEEDED`).
        """
        await current().execute("lock table case_status in share row exclusive mode")
        left = [one for one in await CaseStatus.offered() if one.category == self.category]
        if self.status in NEEDED and [one.id for one in left] == [self.id]:
            raise Conflict(f"Add another status of the kind “{self.status.word}” first: the portal sets one itself.")
        await super().end(at)

    async def move_above(self, other: int) -> None:
        """Move the status to the place directly above another status of its category.

        The table is locked until the transaction ends. If `other` is not the id of such a status, do nothing.
        """
        await current().execute("lock table case_status in share row exclusive mode")
        ids = [one.id for one in await CaseStatus.listed() if one.category == self.category and one.id != self.id]
        if other in ids:
            ids.insert(ids.index(other), self.id)
            await current().execute(_ORDER, ids)

    async def facts(self) -> StatusFacts:
        """Return the present settings of the status as form fields."""
        rows = await StatusMove.select(StatusMove.to_status_id).where(StatusMove.from_status_id == self.id)
        pauses = ("yes" if self.pauses else "no") if self.status.waits else ""
        return StatusFacts(
            name=self.name, customer_name=self.customer_name or "", pauses=pauses,
            moves=EVERY if self.moves_freely else SOME, next=sorted(str(row["to_status_id"]) for row in rows),
            remind_days=str(self.remind_days or ""), close_days=str(self.close_days or ""),
        )  # fmt: skip

    def may_follow(self, before: "CaseStatus") -> bool:
        """Return whether an admin may allow this status after `before`.

        This status must be another one than `before`, it must still be offered, and it must not make a case new again.
        """
        is_new_again = self.status is Status.NEW and before.status is not Status.NEW
        return self.id != before.id and not self.ended_at and not is_new_again


class StatusMove(Table, tablename="status_move"):
    """A status `to_status_id` that agents may set on a case with the status `from_status_id`.

    The rows of a status with `moves_freely` are ignored.
    """

    from_status_id = BigInt(primary_key=True, default=None)
    to_status_id = BigInt(default=None)


def _names(checked: Checked, name: str, customer_name: str) -> dict[str, Any]:
    return {
        "name": checked("name", _name, name),
        "customer_name": checked("customer_name", optional(_name), customer_name),
    }


def _name(text: str) -> str:
    read = line(text)
    if len(read) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters, so that it fits a list.")
    return read


def _taken(name: str) -> str:
    return f"There is a status “{name}” already."


_FORBID = "delete from status_move where from_status_id = $1 and to_status_id <> all($2)"
_ALLOW = """
insert into status_move (from_status_id, to_status_id) select $1, k.id from case_status k where k.id = any($2) and k.id <> $1
on conflict do nothing
"""
_ORDER = """
update case_status s set position = w.place from unnest($1::bigint[]) with ordinality as w (id, place)
where s.id = w.id and s.position <> w.place
"""
