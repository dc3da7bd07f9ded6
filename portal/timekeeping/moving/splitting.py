"""Split a case: move chosen messages and time entries to a new case."""

from collections.abc import Collection
from datetime import datetime

from portal.database import current
from portal.desk.cases import Case
from portal.desk.verbs import splitting
from portal.desk.verbs.changing import agents_only
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.timekeeping.entries import VISIBLE
from portal.timekeeping.lists import COLUMNS, NAMES, PAGE, ListedEntry
from portal.timekeeping.moving import entries

_SPLITTABLE = "e.case_id = $1 and e.appointment_id is null and e.state <> 'approved'"
_CHOSEN = (
    f"select {entries.COLUMNS} from time_entry e where {_SPLITTABLE} and e.id = any($2) order by e.id for no key update"  # noqa: S608
)


async def split(
    case: Case, message_ids: Collection[int], entry_ids: Collection[int], subject: str, *, by: AgentReader, at: datetime
) -> Case:
    """Move messages of a case, and chosen time entries, to a new case with this subject, and return the new case.

    Raise `Invalid` and `Conflict` as `desk.verbs.splitting.split` does. Raise `Invalid` (`entry`) if one of the entries
    was approved or deleted, or belongs to an appointment that stays on the case.
    """
    agents_only(by)
    await entries.hold_customer(case.customer_id)
    made = await splitting.split(case, message_ids, subject, by=by, at=at)
    time = await current().fetch(_CHOSEN, case.id, list(entry_ids))
    moved = await current().fetchval(
        "select count(*) from time_entry where case_id = $1 and id = any($2)", made.id, list(entry_ids)
    )
    if len(time) + moved < len(entry_ids):
        raise Invalid({"entry": "Some of this time was approved or deleted meanwhile. Choose again."})
    await entries.move(time, {case.id: case}, made, by, at)
    return made


async def splittable(case: Case, reader: AgentReader) -> list[ListedEntry]:
    """Return the latest entries of a case that a split may move, at most `lists.PAGE`, the oldest first."""
    rows = await current().fetch(
        f"select {COLUMNS} from (select * from time_entry e where {_SPLITTABLE} order by e.work_date desc, e.id desc limit {PAGE}) e"  # noqa: S608
        f" {NAMES} where {VISIBLE[reader.database_role]} order by e.work_date, e.id",
        case.id,
    )  # fmt: skip
    return [ListedEntry.of_row(row) for row in rows]
