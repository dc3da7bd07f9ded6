"""Set up deadlines in the database of a test."""

from typing import Any

from portal.database import transaction
from portal.desk.deadlines import recounting
from portal.desk.deadlines.calendars import WEEKDAYS, HoursFacts, save_hours
from portal.desk.deadlines.targets import TargetFacts, save_targets
from tests.world import NOOR

HOURS = HoursFacts(**{f"hours_{day}": "9-12, 13-17" for day in WEEKDAYS[:5]}, time_zone="Europe/Berlin")
"""From Monday to Friday from 9 to 12 and from 13 to 17 o'clock."""
TARGETS = TargetFacts(
    reply_urgent="30m",
    solve_urgent="2h",
    reply_high="1h",
    solve_high="4h",
    reply_normal="4h",
    solve_normal="2d",
    goal_high="95",
)
"""Targets for all priorities but Low."""


async def promise(targets: TargetFacts = TARGETS, hours: HoursFacts = HOURS, service_id: int | None = None) -> None:
    """Store business hours and targets as an admin does, and enqueue the job that computes deadlines again.

    The targets are for the service `service_id`, or the usual targets if it is None.
    """
    async with transaction(NOOR):
        await recounting.begin()
        await save_hours(hours)
        await save_targets(targets, service_id)


async def deadlines(case: Any) -> dict[str, Any]:
    """Return the stored deadlines of a case as rows, by duty (`reply` or `solve`)."""
    async with transaction(NOOR) as tx:
        rows = await tx.fetch("select * from deadline where case_id = $1", case.id)
    return {row["duty"]: row for row in rows}
