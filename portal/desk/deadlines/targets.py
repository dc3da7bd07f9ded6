"""Store the targets: within which time the company replies to cases and solves them, and its goals (S3.20, S3.35).

A goal is the percentage of the deadlines that the company wants to meet.
"""

from dataclasses import asdict, dataclass
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Integer, SmallInt
from piccolo.table import Table

from portal.contracts.naming import shown_service
from portal.database import current
from portal.database.rows import insert_all
from portal.desk.workflow import Priority
from portal.durations import parse_duration, spoken
from portal.errors import NotFound
from portal.fields import Checked, optional, whole

LONGEST = 1000 * 60
"""The longest time that can be promised, in minutes of business hours."""


class DeadlineTarget(Table, tablename="deadline_target"):
    """What is promised for cases of one priority: under one service or, if `service_id` is None, by default.

    The minutes are business minutes, None for no promise. `goal` is the percentage of the deadlines to be met.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(null=True, default=None)
    service_id = BigInt(null=True, default=None)
    priority = SmallInt(default=None)
    reply_minutes = Integer(null=True, default=None)
    solve_minutes = Integer(null=True, default=None)
    goal = SmallInt(null=True, default=None)


class TargetFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the targets as typed: for each priority two durations and a percentage, "" for none."""

    reply_urgent: str = ""
    solve_urgent: str = ""
    goal_urgent: str = ""
    reply_high: str = ""
    solve_high: str = ""
    goal_high: str = ""
    reply_normal: str = ""
    solve_normal: str = ""
    goal_normal: str = ""
    reply_low: str = ""
    solve_low: str = ""
    goal_low: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised for the cases of one priority. None means no promise or no goal."""

    priority: Priority
    reply_minutes: int | None = None
    solve_minutes: int | None = None
    goal: int | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of a service, or the default targets, for which `service_id` is None and both names are "".

    `rows` has one item for each priority, most urgent first. `is_set` is False if no row is stored.
    """

    rows: tuple[Target, ...]
    service_id: int | None = None
    service: str = ""
    customer: str = ""
    is_set: bool = False

    @property
    def facts(self) -> TargetFacts:
        """Return these targets as form fields."""
        fields = {}
        for row in self.rows:
            name = row.priority.name.lower()
            for noun, minutes in (("reply", row.reply_minutes), ("solve", row.solve_minutes)):
                fields[f"{noun}_{name}"] = spoken(minutes).replace("\u00a0", " ") if minutes else ""
            fields[f"goal_{name}"] = str(row.goal or "")
        return TargetFacts(**fields)


async def usual_targets() -> Targets:
    """Return the default targets, which apply to services without targets of their own."""
    rows = await current().fetch(f"{_ROWS} where service_id is null")
    return Targets(_by_priority(rows), is_set=bool(rows))


async def targets_of(service_id: int) -> Targets:
    """Return the targets of a service; if it has none of its own, the default targets with `is_set` False.

    Raise `NotFound` for an unknown service.
    """
    service = await current().fetchrow(_SERVICE, service_id)
    if service is None:
        raise NotFound
    rows = await current().fetch(f"{_ROWS} where service_id = $1", service_id)
    shown = _by_priority(rows) if rows else (await usual_targets()).rows
    return Targets(shown, service_id, service["name"], service["customer"], bool(rows))


async def own_targets() -> list[Targets]:
    """Return the targets of all services that have targets of their own, sorted by customer and service."""
    found = list[Targets]()
    rows: dict[int, list[Any]] = {}
    for row in await current().fetch(f"{_ROWS} where service_id is not null"):
        rows.setdefault(row["service_id"], []).append(row)
    for service in await current().fetch(_OWN, list(rows)):
        found.append(
            Targets(_by_priority(rows[service["id"]]), service["id"], service["name"], service["customer"], True)
        )
    return found


_ROWS = "select service_id, priority, reply_minutes, solve_minutes, goal from deadline_target"
_SERVICE = f"""
select s.id, s.customer_id, {shown_service("s.id")} as name, u.name as customer from service s join customer u on u.id = s.customer_id
where s.id = $1
"""  # noqa: S608
_OWN = f"""
select s.id, {shown_service("s.id")} as name, u.name as customer from service s join customer u on u.id = s.customer_id
where s.id = any($1) order by folded(u.name), folded(s.name), s.id
"""  # noqa: S608


def _by_priority(rows: list[Any]) -> tuple[Target, ...]:
    stored = {row["priority"]: row for row in rows}
    return tuple(
        Target(priority, *(stored[priority][name] for name in ("reply_minutes", "solve_minutes", "goal")))
        if priority in stored
        else Target(priority)
        for priority in reversed(Priority)
    )


async def save_targets(facts: TargetFacts, service_id: int | None = None) -> None:
    """Replace the targets of the service with the id `service_id`, or the default targets if it is None.

    If the caller has called `recounting.begin` in the same transaction, deadlines that are not met yet are computed
    again. Raise `Invalid` for a value that is not valid, `NotFound` for an unknown service.
    """
    read = read_targets(facts)
    customer_id = None if service_id is None else (await _service(service_id))["customer_id"]
    await current().execute("delete from deadline_target where service_id is not distinct from $1", service_id)
    columns = {"customer_id": customer_id, "service_id": service_id}
    await insert_all(DeadlineTarget, [columns | asdict(row) for row in read])


async def remove_targets(service_id: int) -> None:
    """Delete the targets of a service, so that the default targets apply. Idempotent.

    Raise `NotFound` for an unknown service.
    """
    await _service(service_id)
    await current().execute("delete from deadline_target where service_id = $1", service_id)


async def _service(service_id: int) -> Any:
    service = await current().fetchrow(_SERVICE, service_id)
    if service is None:
        raise NotFound
    return service


def read_targets(facts: TargetFacts) -> list[Target]:
    """Validate the form fields, and return the target of each priority, most urgent first.

    Raise `Invalid` with a message for each field that is not valid.
    """
    checked, read = Checked(), list[Target]()
    for priority in reversed(Priority):
        name = priority.name.lower()
        reply, solve = (
            checked(f"{noun}_{name}", optional(_promise), getattr(facts, f"{noun}_{name}"))
            for noun in ("reply", "solve")
        )
        goal = checked(f"goal_{name}", optional(whole(1, 100, "%")), getattr(facts, f"goal_{name}").replace("%", ""))
        if reply and solve and solve < reply:
            checked.refuse(f"solve_{name}", "A solution is promised no earlier than the reply.")
        if goal and not (reply or solve or checked.errors):
            checked.refuse(f"goal_{name}", "Promise a reply or a solution first.")
        read.append(Target(priority, reply, solve, goal))
    checked.done()
    return read


def _promise(text: str) -> int:
    return parse_duration(text, most=LONGEST, too_long="Promise at most 1,000 h of business hours.")
