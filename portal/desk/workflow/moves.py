"""Find the status that a case may get, and the names of statuses."""

from typing import Any, NamedTuple

import msgspec

from portal.database import current
from portal.desk.workflow import Status
from portal.errors import Invalid
from portal.numbers import number_in


class Standing(NamedTuple):
    """A configured status. `customer_name` is the name that contacts read, or None if they read `name`."""

    id: int
    status: Status
    name: str
    customer_name: str | None


class Move(msgspec.Struct, frozen=True):
    """A status that an agent may set, with its name."""

    id: int
    status: Status
    name: str


def name_sql(alias: str, *, for_contact: bool) -> str:
    """Return the SQL expression for the name of the status of the case `alias`, for contacts or for agents."""
    name = "coalesce(k.customer_name, k.name)" if for_contact else "k.name"
    return f"(select {name} from case_status k where k.id = {alias}.status_id)"  # noqa: S608


_FROM_HERE = """
from case_status k join case_status f on f.id = {status_id}
where k.ended_at is null and k.id <> f.id and (k.category <> 'new' or f.category = 'new')
  and (f.moves_freely or exists (select from status_move m where m.from_status_id = f.id and m.to_status_id = k.id))
"""
"""SQL for the statuses `k` that agents may set on a case with a given status. No case becomes new again."""
RANK = "array_position(array['new', 'open', 'waiting_for_customer', 'waiting_for_others', 'resolved', 'closed'], k.category)"
"""SQL for the place of the category of the status `k` among the categories."""


def moves_sql(alias: str) -> str:
    """Return the SQL expression for the statuses that agents may set on the case `alias`, as JSON for `read_moves`."""
    found = _FROM_HERE.format(status_id=f"{alias}.status_id")
    one = "json_build_object('id', k.id, 'status', k.category, 'name', k.name)"
    return f"(select coalesce(json_agg({one} order by {RANK}, k.position, k.id), '[]') {found})::text"


def read_moves(text: str) -> list[Move]:
    """Parse the JSON that the SQL expression of `moves_sql` yields, and return the statuses."""
    return msgspec.json.decode(text, type=list[Move])


def wanted_status(text: str) -> Status | int:
    """Return the id of a status, or the category, from the text of a form field.

    Raise `Invalid` at the field `status` for any other text.
    """
    if (status_id := number_in(text)) is not None:
        return status_id
    try:
        return Status(text)
    except ValueError:
        raise Invalid({"status": "Choose one from the list."}) from None


async def standing(status_id: int) -> Standing:
    """Return the status with this id, which must exist."""
    return _read(await current().fetchrow(_BY_ID, status_id))


async def first_of(status: Status) -> Standing:
    """Return the first status of a category, which the portal itself sets. Statuses no longer offered come last."""
    return _read(await current().fetchrow(_FIRST, status.value))


async def chosen(status_id: int, wanted: Status | int) -> Standing:
    """Return the status that an agent sets on a case whose status is `status_id`.

    `wanted` is the id of a status, or a category; a category stands for the first of its statuses that may follow.
    Raise `Invalid` at the field `status` if there is no such status, or it may not follow.
    """
    row = await current().fetchrow(_CHOSEN, status_id, *_wanted(wanted))
    if row is None:
        raise Invalid({"status": "This status cannot follow the present one. Choose one from the list."})
    return _read(row)


def _wanted(wanted: Status | int) -> tuple[int | None, str | None]:
    return (None, wanted.value) if isinstance(wanted, Status) else (wanted, None)


def _read(row: Any) -> Standing:
    return Standing(row["id"], Status(row["category"]), row["name"], row["customer_name"])


_COLUMNS = "k.id, k.category, k.name, k.customer_name"
_BY_ID = f"select {_COLUMNS} from case_status k where k.id = $1"  # noqa: S608
_FIRST = f"select {_COLUMNS} from case_status k where k.category = $1 order by k.ended_at nulls first, k.position, k.id limit 1"  # noqa: S608
_CHOSEN = (
    f"select {_COLUMNS} {_FROM_HERE.format(status_id='$1')}"
    " and (k.id = $2 or k.category = $3) order by k.position, k.id limit 1"
)
