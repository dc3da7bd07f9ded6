"""Read what is typed into the cells of the week grid, sum it up, and save it (S1.21)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial

from portal.contracts.projects import Project
from portal.database import current
from portal.database.batches import Report, all_or_report
from portal.desk.cases import Case
from portal.durations import clock, read_duration
from portal.errors import Conflict, Invalid, Refusal
from portal.people.readers import AgentReader
from portal.people.working.hours import WorkingHours
from portal.timekeeping.calendar.weeks import Cell, Held, Row, RowKey, Week
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.words import EntryBilling, EntryState


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into a form of the week grid.

    `cells` maps the name of each field to its text. `seen` maps the name of each filled field to what the field showed
    when the page was loaded (`Cell.seen`). For new entries of a row, `words` maps the key of the row to the comment,
    and `tasks` maps the key of the row to the id of the task. `form_key` identifies the form, so that sending the form
    twice changes nothing.
    """

    cells: Mapping[str, str]
    seen: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, int] = field(default_factory=dict)
    form_key: uuid.UUID | None = None

    def was_changed(self, cell: Cell) -> bool:
        """Return whether the field of the cell was sent with another text than the page had shown."""
        shown = self.seen.get(cell.name, "").partition(" ")[2]
        return cell.name in self.cells and self.cells[cell.name].strip() != shown

    def with_task(self, key: RowKey) -> RowKey:
        """Return `key` with its own task or, without one, with the task chosen in the form for new time in the row."""
        return key._replace(task=key.task or self.tasks.get(str(key), 0))

    def key_of(self, cell: Cell) -> uuid.UUID | None:
        """Return the form key of the entry that is logged for the cell; None if the whole form has no key."""
        return uuid.uuid5(self.form_key, cell.name) if self.form_key else None


def as_typed(week: Week, typed: Typed, workdays: Mapping[date, int]) -> tuple[Week, dict[str, str]]:
    """Return the week as it would be if everything typed were saved, and the error messages by field name.

    A text that is not a duration is an error, and its cell stays unchanged. `workdays` holds the minutes that `1d`
    means on each day.
    """
    wrong: dict[str, str] = {}

    def with_typed(cell: Cell) -> Cell:
        text = typed.cells.get(cell.name, cell.text).strip()
        if not cell.is_typed or text == cell.text:
            return cell
        try:
            minutes = read_duration(text, held=cell.minutes, workday=workdays[cell.day]).minutes if text else 0
        except ValueError as error:
            wrong[cell.name] = str(error)
            return cell
        return replace(cell, entries=[Held(0, 0, minutes, EntryState.DRAFT, is_fixed=False)] if minutes else [])

    rows = [replace(row, cells=[with_typed(cell) for cell in row.cells]) for row in week.rows]
    return replace(week, rows=rows), wrong


async def save(by: AgentReader, week: Week, typed: Typed, *, at: datetime) -> Report[str, None]:
    """Save the fields of the week that were changed, each independently of the others (D35).

    If a field was emptied, its entry is deleted. If another duration was typed, its entry gets this duration. If an
    empty field was filled in, a draft is logged. The report has the names of the fields that were saved, and for each
    other field the reason why it was not saved. The reason is one of these: the text is not a duration;
    `TimeEntry.log`, `change` or `discard` refuses; the entry was added, changed, submitted or deleted since the page
    was loaded.
    """
    hours = await WorkingHours.of(by.id)
    cells = {cell.name: (row, cell) for row in week.rows for cell in row.cells if typed.was_changed(cell)}

    async def step(name: str) -> None:
        row, cell = cells[name]
        await _save(by, row, cell, typed, hours.workday(cell.day), at)

    return await all_or_report(cells, step, reader=by)


def sentence_of(refusal: Refusal) -> str:
    """Return one error message for a refusal: the first field message of an `Invalid`, else the refusal's sentence."""
    return next(iter(refusal.fields.values())) if isinstance(refusal, Invalid) else refusal.sentence


async def _save(by: AgentReader, row: Row, cell: Cell, typed: Typed, workday: int, at: datetime) -> None:
    text, key, seen = typed.cells[cell.name].strip(), typed.key_of(cell), typed.seen.get(cell.name, "")
    if cell.seen != seen:
        _refuse_overtaken(cell, text, key)
        return
    if not cell.is_typed:
        raise Conflict("This was submitted or approved in the meantime.")
    length = partial(_length, text, cell.minutes, workday)
    if not cell.entries:
        await _log(by, row, cell, length(), typed, at)
        return
    entry = await TimeEntry.find(cell.entries[0].id, by)
    if not text:
        await entry.discard(by, version=cell.entries[0].version, at=at)
        return
    await entry.change(by, _again(entry, length()), version=cell.entries[0].version, at=at)


def _refuse_overtaken(cell: Cell, text: str, key: uuid.UUID | None) -> None:
    """Raise `Conflict`, because the cell has changed since the page was loaded.

    Do nothing if this same form has already logged the entry in the cell, because then the form was sent twice.
    """
    if any(entry.form_key is not None and entry.form_key == key for entry in cell.entries):
        return
    now = f"It is {clock(cell.minutes)} now" if cell.entries else "It is empty now"
    raise Conflict(f"Somebody else changed this in the meantime. {now}; you typed “{text}”.")


def _length(text: str, held: int, workday: int) -> Work:
    """Return a `Work` that has only the duration from `text`: minutes, or clock times and the minutes added to them.

    `work_date` is a placeholder; the caller replaces it and fills in the rest. `held` and `workday` are passed to
    `read_duration`. Raise `Invalid` if the text is not a duration.
    """
    try:
        read = read_duration(text, held=held, workday=workday)
    except ValueError as error:
        raise Invalid({"duration": str(error)}) from error
    minutes = None if read.began else read.minutes
    return Work(
        minutes=minutes, work_date=date.min, began=read.began, ended=read.ended, added=read.added if read.began else 0
    )


async def _log(by: AgentReader, row: Row, cell: Cell, length: Work, typed: Typed, at: datetime) -> None:
    """Log a draft for a cell of the row, with the comment and the task that were entered for the row.

    `length` is a result of `_length`. For general time, the comment becomes the internal description of the entry; for
    other time, it becomes the external comment, which customers read.
    """
    kind, number, service, task = typed.with_task(row.key)
    words = typed.words.get(str(row.key), "")
    work = replace(
        length, work_date=cell.day, service_id=service or None, task_id=task or None,
        general_kind_id=number or None if kind == "general" else None,
        external_comment="" if kind == "general" else words, description=words if kind == "general" else "",
    )  # fmt: skip
    await TimeEntry.log(
        by, work, at=at, form_key=typed.key_of(cell),
        case=await Case.find(str(number), by) if kind == "case" else None,
        project=await Project.find(number) if kind == "project" else None,
    )  # fmt: skip


def _again(entry: TimeEntry, length: Work) -> Work:
    """Return the work of the entry with the duration in `length`; everything else stays the same.

    If `length` has clock times, they replace the clock times of the entry.
    """
    times = entry.span.clock_times() if entry.span and not length.began else (length.began, length.ended)
    return replace(
        length, work_date=entry.work_date, service_id=entry.service_id, task_id=entry.task_id, general_kind_id=entry.general_kind_id,
        role_id=entry.role_id, began=times[0], ended=times[1], billing=EntryBilling(entry.billing),
        external_comment=entry.external_comment, description=entry.description,
        counts=entry.billable_minutes if entry.override_reason else None, override_reason=entry.override_reason or "",
    )  # fmt: skip


async def lock_week(by: AgentReader, first: date) -> None:
    """Wait until no other request saves this week of `by`, and hold the lock until the transaction ends.

    `first` is the Monday of the week.
    """
    await current().execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"week {by.id} {first}")
