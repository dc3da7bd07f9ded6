"""The week grid: the time of an agent by day and by the case, project or other thing it is logged on (S1.21)."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from portal.contracts.tasks import Task
from portal.database import current
from portal.people.readers import AgentReader
from portal.people.working.hours import WorkingHours
from portal.timekeeping.logged_on import On
from portal.timekeeping.policy.guards import Warned, of_days
from portal.timekeeping.policy.switches import FIXING, Rules
from portal.timekeeping.rules import OPEN, why_fixed
from portal.words import EntryState

DAYS = 7
_KEY = re.compile(r"(case|project|service|general)-(\d{1,15})\.(\d{1,15})\.(\d{1,15})", re.ASCII)


class RowKey(NamedTuple):
    """Identifies a row of the grid by what its time is logged on: a case, project, service or kind of general time.

    `kind` is `case`, `project`, `service` or `general`. `number` is the case number or the row id of the project,
    service or kind of general time; 0 for general time without a kind. `service` and `task` are row ids, 0 for none.
    """

    kind: str
    number: int
    service: int = 0
    task: int = 0

    @classmethod
    def read(cls, text: str) -> "RowKey | None":
        """Return the key for which `str` returns `text`, such as `case-1042.1.0`, or None if there is no such key."""
        match = _KEY.fullmatch(text)
        return cls(match[1], int(match[2]), int(match[3]), int(match[4])) if match else None

    @classmethod
    def of(cls, on: On) -> "RowKey":
        """Return the key of the row for new time on `on`, with the default service of `on`, if any, and no task."""
        return cls(on.kind, int(on.id.partition("-")[2]), on.service_id or 0)

    @property
    def on(self) -> str:
        """Return the id of the thing on which the row's time is logged, such as `case-1042` (`On.id`)."""
        return f"{self.kind}-{self.number}"

    def __str__(self) -> str:
        return f"{self.on}.{self.service}.{self.task}"


@dataclass(frozen=True, slots=True)
class Held:
    """A time entry in a cell of the grid. `is_fixed` is True if the agent can no longer change it in the grid."""

    id: int
    version: int
    minutes: int
    state: EntryState
    is_fixed: bool
    form_key: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The time on one day in one row. `name` is the name of the cell's field in the form.

    A cell can hold several entries; then it shows their sum and is not a field.
    """

    name: str
    day: date
    entries: Sequence[Held] = ()

    @property
    def minutes(self) -> int:
        """Return the minutes worked in all entries of the cell."""
        return sum(entry.minutes for entry in self.entries)

    @property
    def is_typed(self) -> bool:
        """Return whether the cell is a field: it has no entry, or a single one that the agent may change."""
        return not self.entries or (len(self.entries) == 1 and not self.entries[0].is_fixed)

    @property
    def text(self) -> str:
        """Return what the field of the cell shows: the minutes as `1:30`, or "" without an entry."""
        return f"{self.minutes // 60}:{self.minutes % 60:02d}" if self.entries else ""

    @property
    def seen(self) -> str:
        """Return the id and the version of the entry, and the text of the field, such as `17:2 1:30`.

        Return "" if the cell has no entry or is not a field.
        """
        return f"{self.entries[0].id}:{self.entries[0].version} {self.text}" if self.entries and self.is_typed else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the grid: what its time is logged on, and a cell for each day of the week.

    `name` and `about` are the texts that the row shows, and `address` the URL path of the case, project or service.
    `tasks` are the ids and names of the tasks that can be chosen for new time in the row; none if the row has a task.
    """

    key: RowKey
    name: str
    about: str
    address: str
    cells: Sequence[Cell]
    tasks: Sequence[tuple[int, str]] = ()

    @property
    def minutes(self) -> int:
        """Return the minutes worked in the row."""
        return sum(cell.minutes for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Week:
    """An agent's week, from Monday on.

    `targets` are the minutes to work on each day, 0 for days off. `warnings` has the warnings about the stored time of
    a day; days without a warning are left out.
    """

    first: date
    rows: Sequence[Row]
    targets: Mapping[date, int]
    warnings: Mapping[date, Sequence[Warned]] = field(default_factory=dict)

    @property
    def days(self) -> list[date]:
        """Return the seven days of the week."""
        return [self.first + timedelta(days=number) for number in range(DAYS)]

    @property
    def by_day(self) -> dict[date, int]:
        """Return the minutes worked on each day."""
        return {day: sum(row.cells[number].minutes for row in self.rows) for number, day in enumerate(self.days)}

    @property
    def minutes(self) -> int:
        """Return the minutes worked in the week."""
        return sum(row.minutes for row in self.rows)

    @property
    def target(self) -> int:
        """Return the minutes to work in the week."""
        return sum(self.targets.values())

    @property
    def seen(self) -> dict[str, str]:
        """Return `Cell.seen` of each filled field, by the name of the field.

        The page puts the result into a hidden field of the form. When the form is sent, changes made in the meantime by
        somebody else can thus be detected.
        """
        return {cell.name: cell.seen for row in self.rows for cell in row.cells if cell.seen}


def monday_of(day: date) -> date:
    """Return the Monday of the week that contains `day`."""
    return day - timedelta(days=day.weekday())


async def week_of(reader: AgentReader, first: date, at: datetime, *, more: Iterable[RowKey] = ()) -> Week:
    """Return the reader's week from the Monday `first` on, with a row for each key of the reader's time in that week.

    `more` are the keys of further rows. A key whose case, project, service or kind does not exist gets no row.
    """
    found: dict[RowKey, dict[date, list[Held]]] = {key: {} for key in more}
    for row in await current().fetch(_ENTRIES, reader.id, first, first + timedelta(days=DAYS)):
        key, state = _key_of(row), EntryState(row["state"])
        rules = Rules.read(row["rules"])
        fixed = why_fixed(reader, reader.id, state, row["window_from"], at, rules.own_edit_hours)
        is_fixed = state not in OPEN or bool(fixed or rules.why_locked(row["work_date"], at))
        held = Held(row["id"], row["version"], row["minutes"], state, is_fixed, row["form_key"])
        found.setdefault(key, {}).setdefault(row["work_date"], []).append(held)
    targets = await WorkingHours.targets(reader.id, first, DAYS)
    return Week(first, await _rows(found, first), targets, await of_days(reader.id, first, DAYS))


async def keys_of(reader: AgentReader, first: date) -> list[RowKey]:
    """Return the keys of the rows in which the reader has time entries in the week from the Monday `first` on."""
    rows = await current().fetch(_ENTRIES, reader.id, first, first + timedelta(days=DAYS))
    return list(dict.fromkeys(_key_of(row) for row in rows))


def _key_of(row: Any) -> RowKey:
    return RowKey(row["kind"], row["number"], row["service_id"] or 0, row["task_id"] or 0)


async def _rows(found: Mapping[RowKey, Mapping[date, list[Held]]], first: date) -> list[Row]:
    """Return a row of the grid for each key of `found`, sorted by the name of the customer; general time comes last.

    `found` has the time entries of each row by day, and `first` is the Monday of the week. One query reads the names,
    and another the open tasks.
    """
    keys = {str(key): key for key in found}
    columns = list(zip(*((str(key), *key) for key in found), strict=True)) or [()] * 5
    tasks = await Task.open_of({key.service for key in found if key.service and not key.task})
    return [
        Row(
            keys[row["key"]], row["name"], row["about"], row["address"],
            [_cell(row["key"], first + timedelta(days=number), found[keys[row["key"]]]) for number in range(DAYS)],
            [(task.id, task.name) for task in tasks if _fits(task, keys[row["key"]])],
        )
        for row in await current().fetch(_NAMES, *map(list, columns))
    ]  # fmt: skip


def _fits(task: Task, key: RowKey) -> bool:
    """Return whether `task` can be chosen for new time in the row with this key; False if the key has a task."""
    project = key.number if key.kind == "project" else None
    return not key.task and task.service_id == key.service and task.project_id in (None, project)


def _cell(key: str, day: date, entries: Mapping[date, list[Held]]) -> Cell:
    return Cell(f"{key}.{day.isoformat()}", day, entries.get(day, ()))


_NAMES = """
select k.key,
  case k.kind when 'case' then '#' || c.number || ' ' || c.subject when 'project' then p.name when 'service' then s.name
    else coalesce(g.name, 'General time') end as name,
  concat_ws(', ', u.name, case when k.kind <> 'service' then s.name end, t.name) as about,
  case k.kind when 'case' then '/agent/cases/' || c.number when 'project' then '/agent/projects/' || p.id
    when 'service' then '/agent/services/' || s.id else '' end as address
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) as k (key, kind, number, service, task)
left join cases c on k.kind = 'case' and c.number = k.number
left join project p on k.kind = 'project' and p.id = k.number
left join service s on s.id = k.service
left join general_kind g on k.kind = 'general' and g.id = k.number
left join task t on t.id = k.task
left join customer u on u.id = coalesce(c.customer_id, p.customer_id, s.customer_id)
where case k.kind when 'case' then c.id when 'project' then p.id when 'service' then s.id else coalesce(g.id, 1 - k.number) end > 0
order by k.kind = 'general', folded(u.name), k.kind, k.number, k.service, k.task
"""

_ENTRIES = f"""
select e.id, e.version, e.actual_minutes as minutes, e.state, e.work_date, e.window_from, e.form_key, e.service_id, e.task_id,
  case when e.case_id is not null then 'case' when e.project_id is not null then 'project' when e.service_id is not null then 'service'
    else 'general' end as kind,
  coalesce(c.number, e.project_id, e.service_id, e.general_kind_id, 0) as number, {FIXING} as rules
from time_entry e left join cases c on c.id = e.case_id
where e.agent_id = $1 and e.work_date >= $2 and e.work_date < $3 order by e.work_date, e.id
"""  # noqa: S608
