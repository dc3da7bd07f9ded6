"""Timers: an agent starts one when the phone rings, pauses and resumes it, and logs it as a time entry (S1.3, D54).

A timer is a row in the database, so it continues to run after the browser is closed and the agent signs out. At most
one timer of an agent runs at a time: starting or resuming a timer pauses the timer that runs. Each function that
changes timers locks the agent's timers first, so that two tabs of one agent cannot interfere.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from piccolo.columns import UUID, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal import outbox
from portal.database import current
from portal.database.rows import insert_all
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import AgentReader
from portal.timekeeping.logged_on import On
from portal.visible import visible

LONGEST_NOTE = 200
KEPT = timedelta(days=30)
"""The time for which a timer is kept after it was logged or discarded."""
LOGGED_BEFORE = "This timer was logged already, perhaps in another tab. Send this once more to log it as well."


class Timer(Table, tablename="timer"):
    """A timer of one agent.

    At most one of `case_id`, `project_id`, `service_id` and `general_kind_id` is set: a timer may run before anybody
    knows what the work is for. `ended_at` is set once the timer is logged as the entry `entry_id`, or discarded.
    """

    id: BigSerial = BigSerial(primary_key=True)
    agent_id = BigInt(default=None)
    customer_id = BigInt(null=True, default=None)
    case_id = BigInt(null=True, default=None)
    project_id = BigInt(null=True, default=None)
    service_id = BigInt(null=True, default=None)
    general_kind_id = BigInt(null=True, default=None)
    note = Text(default="")
    created_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    entry_id = BigInt(null=True, default=None)
    form_key = UUID(null=True, default=None)
    version = Integer(default=1)

    @classmethod
    async def find(cls, timer_id: int, reader: AgentReader, *, hold: bool = False) -> Self:
        """Return the reader's own timer with the id `timer_id`, even if it has ended.

        Raise `NotFound` if there is none. With `hold`, lock the reader's timers until the transaction ends.
        """
        if hold:
            await _hold(reader)
        timer = await cls.objects().where((cls.id == timer_id) & (cls.agent_id == reader.id)).first()
        if timer is None:
            raise NotFound
        return timer

    @classmethod
    async def start(
        cls, by: AgentReader, *, at: datetime, on: On | None = None, note: str = "", form_key: uuid.UUID | None = None
    ) -> Self:
        """Start a timer for work on `on`, such as a case, or a timer without a purpose yet, and return the timer.

        Pause the agent's timer that is running. If the agent has a timer on `on` already that has not ended, resume
        that timer instead and ignore `note`. Sending the same `form_key` again changes nothing. Raise `Invalid`
        (`note`) if the note of a new timer is too long.
        """
        await _hold(by)
        if form_key and (sent := await cls._own(by).where(cls.form_key == form_key).first()):
            return sent
        timer = await cls._open_on(by, on) if on else None
        if timer is None:
            timer = cls(agent_id=by.id, note=_note(note), created_at=at, form_key=form_key, **_place(on))
            await timer.save()
        await timer.resume(by, at=at)
        return timer

    @classmethod
    def _own(cls, by: AgentReader) -> Objects[Self]:
        return cls.objects().where(cls.agent_id == by.id)

    @classmethod
    async def _open_on(cls, by: AgentReader, on: On) -> Self | None:
        """Return the agent's latest timer on `on` that has not ended, or None if there is none."""
        query = cls._own(by).where(cls.ended_at.is_null())
        for name, value in _place(on).items():
            column = getattr(cls, name)
            query = query.where(column.is_null() if value is None else column == value)
        found: Self | None = await query.order_by(cls.id, ascending=False).first()
        return found

    async def resume(self, by: AgentReader, *, at: datetime) -> None:
        """Let this timer run, and pause the agent's other timer if one runs. Do nothing if this timer runs already.

        Raise `Conflict` if the timer was logged or discarded.
        """
        self._refuse_ended()
        running = await _running(by)
        if running == self.id:
            return
        await _pause(by, at)
        await insert_all(TimerSegment, [{"timer_id": self.id, "agent_id": by.id, "began_at": at}])
        await _tell(by, at)

    async def pause(self, by: AgentReader, *, at: datetime) -> None:
        """Pause the timer. Do nothing if it does not run."""
        if await _running(by) == self.id:
            await _pause(by, at)
            await _tell(by, at)

    async def keep(self, minutes: int, by: AgentReader, *, at: datetime) -> None:
        """Pause a timer that was left running by mistake, and count only the first `minutes` of its latest segment.

        The latest segment began when the timer was last started or resumed. Raise `Conflict` if the timer is no longer
        running, and `Invalid` (`keep`) if `minutes` is not positive or the latest segment is shorter than that.
        """
        since = await current().fetchval(
            "select began_at from timer_segment where timer_id = $1 and ended_at is null", self.id
        )
        if since is None:
            raise Conflict("This timer is paused already.")
        if not 0 < minutes * 60 <= (at - since).total_seconds():
            raise Invalid({"keep": "It has not run for that long."})
        await _pause(by, since + timedelta(minutes=minutes))
        await _tell(by, at)

    async def confirm(self, by: AgentReader, *, at: datetime) -> None:
        """Let a timer that seemed forgotten continue to run. Do nothing if it does not run.

        A new segment begins, because whether a timer seems forgotten depends on the length of the latest segment.
        """
        if await _running(by) == self.id:
            await _pause(by, at)
            await self.resume(by, at=at)

    async def change(self, on: On | None, note: str, by: AgentReader, *, at: datetime) -> None:
        """Attach the timer to `on`, or to nothing, and replace its note.

        Raise `Conflict` if the timer has ended, and `Invalid` (`note`) for a note that is too long.
        """
        self._refuse_ended()
        values = {**_place(on), "note": _note(note), "version": self.version + 1}
        await Timer.update({getattr(Timer, name): value for name, value in values.items()}).where(Timer.id == self.id)
        await _tell(by, at)

    async def discard(self, by: AgentReader, *, at: datetime) -> None:
        """End the timer without logging its time. `restore` undoes that. Do nothing if the timer has ended."""
        await self._end(by, at, None)

    async def finish(self, entry_id: int, by: AgentReader, *, at: datetime) -> None:
        """End the timer, because it was logged as the time entry `entry_id`.

        Raise `Invalid` (`timer`) if the timer was discarded or logged as another entry, so that its time is not logged
        twice.
        """
        if self.ended_at and self.entry_id != entry_id:
            raise Invalid({"timer": LOGGED_BEFORE})
        await self._end(by, at, entry_id)

    async def _end(self, by: AgentReader, at: datetime, entry_id: int | None) -> None:
        if self.ended_at:
            return
        await self.pause(by, at=at)
        self.ended_at, self.entry_id = at, entry_id
        await Timer.update({Timer.ended_at: at, Timer.entry_id: entry_id}).where(Timer.id == self.id)
        await _tell(by, at)

    async def restore(self, by: AgentReader, *, at: datetime) -> None:
        """Undo the end of the timer, which is paused afterwards. Do nothing if the timer has not ended.

        If the timer was logged as a time entry, the caller must delete that entry.
        """
        if self.ended_at:
            self.ended_at = self.entry_id = None
            await Timer.update({Timer.ended_at: None, Timer.entry_id: None}).where(Timer.id == self.id)
            await _tell(by, at)

    def _refuse_ended(self) -> None:
        if self.ended_at:
            raise Conflict("This timer was logged or discarded already.")


class TimerSegment(Table, tablename="timer_segment"):
    """A period of time in which a timer ran. `ended_at` is None while the timer still runs."""

    id: BigSerial = BigSerial(primary_key=True)
    timer_id = BigInt(default=None)
    agent_id = BigInt(default=None)
    began_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)


async def pause_all(agent_id: int, at: datetime) -> None:
    """Pause the running timer of an agent who leaves the company.

    The timer is not deleted, so that a manager can ask about it.
    """
    await current().execute(_PAUSE, agent_id, at)


async def forget(at: datetime) -> None:
    """Delete the timers that were logged or discarded more than `KEPT` before `at`."""
    await current().execute("delete from timer where ended_at < $1", at - KEPT)


_PAUSE = (
    "update timer_segment set ended_at = greatest(began_at, $2::timestamptz) where agent_id = $1 and ended_at is null"
)


async def _hold(by: AgentReader) -> None:
    """Lock the agent's timers until the transaction ends, so that two tabs cannot start two timers at once."""
    await current().execute("select pg_advisory_xact_lock(hashtextextended('timer', $1))", by.id)


async def _running(by: AgentReader) -> int | None:
    """Return the id of the agent's timer that runs, or None if none runs."""
    found: int | None = await current().fetchval(
        "select timer_id from timer_segment where agent_id = $1 and ended_at is null", by.id
    )
    return found


async def _pause(by: AgentReader, at: datetime) -> None:
    await current().execute(_PAUSE, by.id, at)


async def _tell(by: AgentReader, at: datetime) -> None:
    """Write an outbox row, so that the agent's other open pages show the change to the timer."""
    await outbox.tell(kind="timer.changed", subject_id=by.id, customer_id=None, contact_may_know=False, actor=by, at=at)


def _place(on: On | None) -> dict[str, Any]:
    """Return the values, by name, of the columns that say what a timer is for; all are None if `on` is None."""
    column = {"case": "case_id", "project": "project_id", "service": "service_id", "general": "general_kind_id"}
    place: dict[str, Any] = dict.fromkeys([*column.values(), "customer_id"])
    return place | ({column[on.kind]: on.row_id, "customer_id": on.customer_id} if on else {})


def _note(text: str) -> str:
    cleaned = " ".join(visible(text).split())
    if len(cleaned) > LONGEST_NOTE:
        raise Invalid({"note": f"Use at most {LONGEST_NOTE} characters."})
    return cleaned
