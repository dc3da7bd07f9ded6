"""Set the status of a case."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal.desk.custom_fields.values import refuse_unfilled
from portal.desk.verbs.changing import LogLine, agents_only, change, lock
from portal.desk.workflow import Status, columns_of
from portal.desk.workflow.follow_ups import is_too_late
from portal.desk.workflow.moves import Standing, chosen, first_of, standing
from portal.errors import Conflict
from portal.people.readers import AgentReader, Reader, System

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def change_status(
    case: "Case", status: Status | int, *, by: AgentReader, at: datetime, seen: int | None = None
) -> None:
    """Set a status that agents may choose (`moves.chosen`): the one with this id, or the first of a category.

    Do nothing if the case has this status, or a status of this category, already. `seen` is the id of the status that
    the page showed; None means the status of the object `case`. Raise `Conflict` if somebody else has changed the
    status since, and `Invalid` at the field `status` if the new status may not follow the present one.
    """
    agents_only(by)
    seen = seen or case.status_id
    await lock(case, by)
    if status in (case.status_id, case.stands):
        return
    if case.status_id != seen:
        raise Conflict(f"The status is {(await standing(case.status_id)).name} now. Look at it again.")
    await _set(case, await wanted(case, status), by, at)


async def wanted(case: "Case", status: Status | int) -> Standing:
    """Return the status that the case gets if an agent sets `status` (see `moves.chosen`). The case is not changed yet.

    Raise `Invalid` at the field `status` if the status may not follow the present one. If the status resolves or closes
    the case, also raise `Invalid` as `refuse_unfilled` does.
    """
    to = await chosen(case.status_id, status)
    if to.status.is_done and not case.stands.is_done:
        await refuse_unfilled(case)
    return to


async def put_back(case: "Case", status_id: int, *, by: AgentReader, at: datetime) -> None:
    """Set the former status of the case again, to undo a change.

    Any status may be set: the rules about which status may come after which are not checked.
    """
    agents_only(by)
    await lock(case, by)
    await _set(case, await standing(status_id), by, at)


async def close(case: "Case", *, by: Reader, at: datetime) -> None:
    """Close the case. Agents and contacts may do this, whatever its status is. If it is closed already, do nothing.

    Raise `Conflict` if the category of its status has changed since the case was loaded.
    """
    await _move(case, Status.CLOSED, by, at)


async def wait_for_customer(case: "Case", *, by: AgentReader, at: datetime) -> None:
    """Give a case that was just opened the first status of the category `waiting_for_customer`.

    The rules about which status may come after which are not checked.
    """
    agents_only(by)
    await _move(case, Status.WAITING_FOR_CUSTOMER, by, at)


async def reopen(case: "Case", *, by: Reader, at: datetime) -> None:
    """Give a resolved or closed case the first status of the category open; do nothing for any other case.

    Raise `Conflict` for a contact if the case was closed too long ago (`follow_ups`).
    """
    if case.stands.is_done:
        if by.is_contact and await is_too_late(case.id, at):
            raise Conflict("This case was closed too long ago. Write what is left, and a new case begins.")
        await _move(case, Status.OPEN, by, at)


async def _move(case: "Case", status: Status, by: Reader, at: datetime) -> None:
    seen = case.stands
    await lock(case, by)
    if case.stands is status:
        return
    if case.stands is not seen:
        raise Conflict(f"The status is {(await standing(case.status_id)).name} now. Look at it again.")
    await _set(case, await first_of(status), by, at)


async def _set(case: "Case", to: Standing, by: Reader | System, at: datetime) -> None:
    columns, lines = await moved(case, to, at)
    await change(case, columns, lines, by, at, told_as="case.moved")


async def moved(case: "Case", to: Status | Standing, at: datetime) -> tuple[dict[str, Any], list[LogLine]]:
    """Return the column values and the log lines of a change to a status, or to the first status of a category.

    Both are empty if the case already has that status, or a status of that category. The log keeps the present name of
    the status.
    """
    if to is case.stands or (isinstance(to, Standing) and to.id == case.status_id):
        return {}, []
    to = await first_of(to) if isinstance(to, Status) else to
    details: dict[str, object] = {"from": case.status, "to": to.status.value, "name": to.name}
    details |= {"customer_name": to.customer_name} if to.customer_name else {}
    return columns_of(to.status, to.id, case.resolved_at, at), [("status", details)]
