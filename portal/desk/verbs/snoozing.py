"""Snooze a case: it leaves the working views until an instant, or until the customer replies (S3.18).

If the customer replies or the case becomes done, the database ends the snooze (`m0332`). Deadlines continue.
"""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from portal.database import current
from portal.desk import events
from portal.desk.verbs.changing import agents_only, change, lock
from portal.errors import Conflict
from portal.fields import Checked, clock_time, day
from portal.people.readers import AgentReader, System

if TYPE_CHECKING:
    from portal.desk.cases import Case

LONGEST = timedelta(days=366)


class SnoozeFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a snooze as typed: a day, and a clock time in the agent's time zone."""

    day: str = ""
    time: str = ""

    def until(self, by: AgentReader, at: datetime) -> datetime:
        """Return the instant at which the snooze ends.

        Raise `Invalid` at the field `day` or `time` for a value that is not valid. Raise `Invalid` also if the instant
        is not after `at`, or is more than a year after it.
        """
        checked = Checked()
        on, clock = checked("day", day, self.day), checked("time", clock_time, self.time)
        checked.done()
        until = datetime.combine(on, clock, by.zone)
        if not at < until <= at + LONGEST:
            checked.refuse("day", "Choose a time in the future, at most a year away.")
        checked.done()
        return until


def offered(today: date) -> list[tuple[date, str]]:
    """Return the days that the menu and the form offer, with their names. `today` is the agent's present day."""
    monday = today + timedelta(days=7 - today.weekday())
    return [
        (today + timedelta(days=1), "Tomorrow"),
        (today + timedelta(days=2), "In two days"),
        (monday, "Next week"),
    ]


async def snooze(case: "Case", until: datetime, *, by: AgentReader, at: datetime, seen: datetime | None = None) -> None:
    """Snooze the case until `until`. If it is snoozed until then already, do nothing.

    Raise `Conflict` if the case is done, or if the customer has written since `seen`. `seen` is the instant at which
    the page was loaded; None means the latest change of the object `case`.
    """
    agents_only(by)
    seen = seen or case.updated_at
    await lock(case, by)
    if case.stands.is_done:
        raise Conflict("This case is done, so there is nothing to snooze.")
    if case.snoozed_until == until:
        return
    if await current().fetchval(_WRITTEN, case.id, seen):
        raise Conflict("The customer has written meanwhile. Look at the case first.")
    await store(case, until, "snoozed", {"until": until.isoformat()}, by, at)


async def wake(case: "Case", *, by: AgentReader, at: datetime) -> None:
    """End the snooze of the case. If it is not snoozed, do nothing."""
    agents_only(by)
    await lock(case, by)
    if case.snoozed_until:
        await store(case, None, "woken", {"by_agent": True}, by, at)


async def store(
    case: "Case", until: datetime | None, kind: str, details: dict[str, object], by: AgentReader | System, at: datetime
) -> None:
    """Snooze the locked case until `until`, or end its snooze if `until` is None. Add a log line that only agents see.

    Only the end of a snooze counts as a change of the case (`updated_at`), so that the case moves to the top of lists.
    """
    line = (case.id, case.customer_id, kind)
    event_id = await events.record(*line, by=by, contact_may_know=False, at=at, details=details)
    columns = {"snoozed_until": until, "updated_at": case.updated_at if until else at}
    await change(case, columns, [], by, at, record_id=event_id)


_WRITTEN = "select exists (select from message where case_id = $1 and contact_id is not null and at > $2)"
