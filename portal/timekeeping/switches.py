"""The rules of time tracking that admins set (S1.6-S1.24).

They are the switches, for whom a grade may log time, how long authors may change their entries, and the lock of past
days.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from piccolo.columns import Boolean, Date, Integer, SmallInt, Text
from piccolo.table import Table

from portal.database import current
from portal.durations import Rounding, RoundingMode
from portal.fields import Checked, day, one_of, optional, whole
from portal.people.readers import AgentReader
from portal.regions import time_zone

BRIEF = """
select tracks_time, on_cases, projects_only from time_rules
"""
"""SQL query of the switches that every page needs; the gate reads them together with the session."""

PICKS = {"self": "only themselves", "department": "their department and those below it", "all": "everybody"}
"""For whom a grade may log time, with the words that the form shows (S1.15, S1.24)."""

OFF = "Time tracking is switched off."
OFF_ON_CASES = "Time on cases is switched off."
NO_PROJECT = "Time can be logged only on cases that are connected to a project: connect this case first."


class RulesFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the rules of time tracking, as they were typed. A ticked box sends "yes", an unticked one ""."""

    tracks_time: str = ""
    on_cases: str = ""
    projects_only: str = ""
    agents_pick: str = "self"
    managers_pick: str = "all"
    admins_pick: str = "all"
    own_edit_hours: str = "24"
    requires_service: str = ""
    requires_task: str = ""
    requires_comment: str = ""
    requires_description: str = ""
    rounding_minimum: str = "0"
    rounding_increment: str = "15"
    rounding_mode: str = "up"
    locked_through: str = ""
    lock_time_zone: str = ""
    lock_grace_days: str = "0"


class TimeRules(Table, tablename="time_rules"):
    """The rules of time tracking. The table has at most one row; before an admin saves the form, the defaults hold."""

    id = SmallInt(primary_key=True, default=1)
    tracks_time = Boolean(default=True)
    on_cases = Boolean(default=True)
    projects_only = Boolean(default=False)
    agents_pick = Text(default="self")
    managers_pick = Text(default="all")
    admins_pick = Text(default="all")
    own_edit_hours = Integer(default=24)
    requires_service = Boolean(default=False)
    requires_task = Boolean(default=False)
    requires_comment = Boolean(default=False)
    requires_description = Boolean(default=False)
    rounding_minimum = Integer(default=0)
    rounding_increment = Integer(default=15)
    rounding_mode = Text(default="up")
    locked_through = Date(null=True, default=None)
    lock_time_zone = Text(null=True, default=None)
    lock_grace_days = Integer(default=0)

    @classmethod
    async def find(cls, *, hold: bool = False) -> "TimeRules":
        """Return the rules. With `hold`, nobody else can change them until the transaction ends."""
        if hold:  # The whole table is locked, because before the first change there is no row to lock.
            await current().execute("lock table time_rules in share row exclusive mode")
        return await cls.objects().first() or cls()

    async def change(self, facts: RulesFacts) -> None:
        """Replace the rules.

        Raise `Invalid` for a bad value, or if time on cases is switched on without time tracking (S1.7).
        """
        await TimeRules.insert(TimeRules(**_read(facts))).on_conflict(
            target=TimeRules.id, action="DO UPDATE", values=TimeRules.all_columns(exclude=[TimeRules.id])
        )

    @property
    def own_window(self) -> timedelta:
        """Return how long after its creation authors may change or delete their own entry (C5, D15)."""
        return timedelta(hours=self.own_edit_hours)

    @property
    def usual_rounding(self) -> Rounding:
        """Return the rounding rule that the form for a new service shows at first."""
        return Rounding(self.rounding_minimum, self.rounding_increment, RoundingMode(self.rounding_mode))

    def pick_of(self, by: AgentReader) -> str:
        """Return for whom `by` may log time: `self`, `department` or `all`."""
        chosen: str = {"agent": self.agents_pick, "manager": self.managers_pick}.get(by.grade, self.admins_pick)
        return chosen

    def why_locked(self, work_date: date, at: datetime) -> str:
        """Return a sentence that says that time of `work_date` is locked at the instant `at`, or "" if it is not (D14)."""
        return why_locked(work_date, self.locked_through, self.lock_time_zone, self.lock_grace_days, at)

    @property
    def facts(self) -> RulesFacts:
        """Return the values that the form for the rules shows at first."""
        return RulesFacts(**{name: _shown(getattr(self, name)) for name in RulesFacts.__struct_fields__})


def why_locked(
    work_date: date, locked_through: date | None, time_zone: str | None, grace_days: int, at: datetime
) -> str:
    """Return a sentence that says that time of `work_date` is locked at the instant `at`, or "" if it is not (D14).

    Days up to and including `locked_through` are locked once `grace_days` further days have passed, counted in
    `time_zone`. If the time zone is missing or unknown, these days are locked without grace, so that a mistake makes no
    day editable.
    """
    if locked_through is None or work_date > locked_through:
        return ""
    sentence = f"Time until {locked_through:%-d %b %Y} is locked. An admin can move that date."
    try:
        here = at.astimezone(ZoneInfo(time_zone or "")).date()
    except (KeyError, ValueError, OSError):
        return sentence
    return sentence if here > locked_through + timedelta(days=grace_days) else ""


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return value.isoformat() if isinstance(value, date) else "" if value is None else str(value)


def _read(facts: RulesFacts) -> dict[str, Any]:
    checked, modes = Checked(), tuple(mode.value for mode in RoundingMode)
    ticks = ("tracks_time", "on_cases", "projects_only", "requires_service", "requires_task", "requires_comment",
             "requires_description")  # fmt: skip
    values: dict[str, Any] = {name: getattr(facts, name) == "yes" for name in ticks}
    values |= {
        name: checked(name, one_of(tuple(PICKS)), getattr(facts, name))
        for name in ("agents_pick", "managers_pick", "admins_pick")
    }
    values |= {
        "own_edit_hours": checked("own_edit_hours", whole(1, 720, "hours"), facts.own_edit_hours),
        "rounding_minimum": checked("rounding_minimum", whole(0, 1440, "minutes"), facts.rounding_minimum),
        "rounding_increment": checked("rounding_increment", whole(1, 1440, "minutes"), facts.rounding_increment),
        "rounding_mode": checked("rounding_mode", one_of(modes), facts.rounding_mode),
        "locked_through": checked("locked_through", optional(day), facts.locked_through),
        "lock_time_zone": checked("lock_time_zone", optional(time_zone), facts.lock_time_zone),
        "lock_grace_days": checked("lock_grace_days", whole(0, 60, "days"), facts.lock_grace_days),
    }
    if values["on_cases"] and not values["tracks_time"]:
        checked.refuse("on_cases", "Time on cases needs time tracking: switch that on too, or this off.")
    if values["locked_through"] and not values["lock_time_zone"]:
        checked.refuse("lock_time_zone", "Choose the time zone in which the days of the lock end.")
    checked.done()
    return values
