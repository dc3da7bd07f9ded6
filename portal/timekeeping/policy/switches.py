"""The rules of time tracking that admins set (S1.6-S1.24).

They say whether time is tracked at all and on cases, for whom the agents of each grade may log time, which fields are
required, how long authors may change their entries, and which past days are locked.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from piccolo.columns import Boolean, Date, Integer, SmallInt, Text
from piccolo.table import Table

from portal.database import current
from portal.durations import RoundingMode
from portal.fields import Checked, day, one_of, optional, whole
from portal.people.readers import AgentReader
from portal.regions import time_zone

RULES = "(select to_jsonb(r)::text from time_rules r)"
"""SQL expression for the rules as JSON, which other queries select as a further column; null if the defaults apply."""

FIXING = """
(select jsonb_build_object('tracks_time', r.tracks_time, 'own_edit_hours', r.own_edit_hours, 'locked_through', r.locked_through,
  'lock_time_zone', r.lock_time_zone, 'lock_grace_days', r.lock_grace_days)::text from time_rules r)
"""
"""SQL expression for the rules that decide whether an entry may be changed; lists of entries select it for each row."""

PICKS = {
    "self": "only themselves",
    "department": "the agents of their department and those below it",
    "all": "all agents",
}
"""For whom the agents of one grade may log time (S1.15, S1.24)."""

OFF = "Time tracking is switched off."
OFF_ON_CASES = "Time on cases is switched off."
NO_PROJECT = "Time goes only on cases that are connected to a project. Connect this case first."


class RulesFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the rules of time tracking, as typed. A ticked box sends "yes", an unticked one ""."""

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


class Rules(Struct, frozen=True, kw_only=True):
    """The rules of time tracking as values. The defaults apply until an admin saves the form.

    `tracks_time` switches time tracking on, and `on_cases` time on cases. With `projects_only`, time can be logged only
    on cases that are connected to a project. `agents_pick`, `managers_pick` and `admins_pick` are keys of `PICKS`.
    `own_edit_hours` is how long authors may change their entries. The `requires_` fields say which fields of the form
    for time must be filled in. The `rounding_` fields (minutes and a mode) fill in the form of a new service. The days
    up to `locked_through` are locked (`why_locked`).
    """

    tracks_time: bool = True
    on_cases: bool = True
    projects_only: bool = False
    agents_pick: str = "self"
    managers_pick: str = "all"
    admins_pick: str = "all"
    own_edit_hours: int = 24
    requires_service: bool = False
    requires_task: bool = False
    requires_comment: bool = False
    requires_description: bool = False
    rounding_minimum: int = 0
    rounding_increment: int = 15
    rounding_mode: str = "up"
    locked_through: date | None = None
    lock_time_zone: str | None = None
    lock_grace_days: int = 0

    @staticmethod
    @lru_cache(maxsize=8)
    def read(text: str | None) -> "Rules":
        """Return the rules from the JSON that the SQL expression `RULES` or `FIXING` selected; for None, the defaults.

        Equal texts give the same object.
        """
        return msgspec.json.decode(text, type=Rules) if text else USUAL

    @property
    def tracks_cases(self) -> bool:
        """Return whether time can be logged on cases."""
        return self.tracks_time and self.on_cases

    @property
    def own_window(self) -> timedelta:
        """Return how long the author may change or delete an entry after it was logged or rejected (C5, D15)."""
        return timedelta(hours=self.own_edit_hours)

    def pick_of(self, by: AgentReader) -> str:
        """Return for whom `by` may log time, as a key of `PICKS`."""
        return {"agent": self.agents_pick, "manager": self.managers_pick}.get(by.grade, self.admins_pick)

    def why_locked(self, work_date: date, at: datetime) -> str:
        """Return an error message if time of `work_date` is locked at the instant `at`, else "" (D14).

        Days up to and including `locked_through` are locked once `lock_grace_days` further days have passed in the
        lock's time zone. If that time zone is unknown, they are locked at once: a mistake must not open a closed
        period.
        """
        if self.locked_through is None or work_date > self.locked_through:
            return ""
        sentence = f"Time until {self.locked_through:%-d %b %Y} is locked. An admin can move that date."
        try:
            here = at.astimezone(ZoneInfo(self.lock_time_zone or "")).date()
        except (KeyError, ValueError, OSError):
            return sentence
        return sentence if here > self.locked_through + timedelta(days=self.lock_grace_days) else ""

    def why_not_on_case(self, *, has_project: bool) -> str:
        """Return an error message if no new time may be logged on a case, or "" if time may be logged (S1.6, S1.8)."""
        if not self.on_cases:
            return OFF_ON_CASES
        return NO_PROJECT if self.projects_only and not has_project else ""

    @property
    def facts(self) -> RulesFacts:
        """Return the rules as form fields, to fill in the form that edits them."""
        return RulesFacts(**{name: _shown(getattr(self, name)) for name in RulesFacts.__struct_fields__})


USUAL = Rules()
"""The rules that apply until an admin saves others."""


class TimeRules(Table, tablename="time_rules"):
    """The row that stores the rules of time tracking. The table has at most one row; see `Rules` for the columns."""

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
    async def find(cls, *, hold: bool = False) -> Rules:
        """Return the rules. With `hold`, nobody else can change them until the transaction ends."""
        if hold:  # The whole table is locked, because before the first change there is no row to lock.
            await current().execute("lock table time_rules in share row exclusive mode")
        return Rules.read(await current().fetchval(f"select {RULES}"))

    @classmethod
    async def change(cls, facts: RulesFacts) -> None:
        """Replace the rules.

        Switching off time tracking also switches off time on cases. Raise `Invalid` for a bad value, or if time on cases
        is switched on while time tracking is off (S1.7).
        """
        await cls.insert(cls(**_read(facts, await cls.find()))).on_conflict(
            target=cls.id, action="DO UPDATE", values=cls.all_columns(exclude=[cls.id])
        )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return value.isoformat() if isinstance(value, date) else "" if value is None else str(value)


_TICKS = ("tracks_time", "on_cases", "projects_only", "requires_service", "requires_task", "requires_comment",
          "requires_description")  # fmt: skip


def _read(facts: RulesFacts, stored: Rules) -> dict[str, Any]:
    checked, modes = Checked(), tuple(mode.value for mode in RoundingMode)
    values: dict[str, Any] = {name: getattr(facts, name) == "yes" for name in _TICKS}
    for name in ("agents_pick", "managers_pick", "admins_pick"):
        values[name] = checked(name, one_of(tuple(PICKS)), getattr(facts, name))
    values |= {
        "own_edit_hours": checked("own_edit_hours", whole(1, 720, "hours"), facts.own_edit_hours),
        "rounding_minimum": checked("rounding_minimum", whole(0, 1440, "minutes"), facts.rounding_minimum),
        "rounding_increment": checked("rounding_increment", whole(1, 1440, "minutes"), facts.rounding_increment),
        "rounding_mode": checked("rounding_mode", one_of(modes), facts.rounding_mode),
        "locked_through": checked("locked_through", optional(day), facts.locked_through),
        "lock_time_zone": checked("lock_time_zone", optional(time_zone), facts.lock_time_zone),
        "lock_grace_days": checked("lock_grace_days", whole(0, 60, "days"), facts.lock_grace_days),
    }
    if not values["tracks_time"] and stored.tracks_time:
        values["on_cases"] = False
    elif values["on_cases"] and not values["tracks_time"]:
        checked.refuse("on_cases", "Time on cases needs time tracking: switch that on as well.")
    if values["locked_through"] and not values["lock_time_zone"]:
        checked.refuse("lock_time_zone", "Choose the time zone in which the days of the lock end.")
    checked.done()
    return values
