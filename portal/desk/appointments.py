"""Appointments: planned visits, calls and remote sessions on a case (S1.11).

The log of the case records when an appointment is planned, moved, held or cancelled. Contacts may read everything about
an appointment except its note. The methods that change an appointment also write a row in the outbox, so that pages
that people have open are updated.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from msgspec import Struct
from piccolo.columns import UUID, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal import outbox
from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.desk.names import WHO_WORKS, agent_name, works
from portal.errors import Conflict, Invalid, NotFound
from portal.fields import Checked, clock_time, day, identifier, one_of
from portal.people.readers import AgentReader, Reader
from portal.visible import visible

LONGEST_NOTE = 1000
_SKIPPED = "The clock is set forward on this day and never shows this time."


class AppointmentKind(StrEnum):
    """How an agent meets the customer."""

    VISIT = "visit"
    CALL = "call"
    REMOTE = "remote"

    @property
    def word(self) -> str:
        """Return the text that people read: `Visit`, `Call` or `Remote session`."""
        return "Remote session" if self is AppointmentKind.REMOTE else self.value.capitalize()


class AppointmentFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an appointment as typed. `begins` and `ends` are clock times in the time zone of the typing agent.

    `kind` is a value of `AppointmentKind`, and `agent_id` the agent who meets the customer. If `ends` is not after
    `begins`, the appointment ends on the day after `day`.
    """

    kind: str = AppointmentKind.VISIT.value
    day: str = ""
    begins: str = ""
    ends: str = ""
    agent_id: str = ""
    note: str = ""


class Appointment(Table, tablename="appointment"):
    """An appointment of an agent with a customer about a case: a visit, a call or a remote session.

    `kind` is a value of `AppointmentKind`. `done_at` is when it was recorded that the appointment took place, and
    `cancelled_at` when it was cancelled; both are None while it is planned. `version` is incremented with each change.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    case_id = BigInt(default=None)
    agent_id = BigInt(default=None)
    kind = Text(default=None)
    starts_at = Timestamptz(default=None)
    ends_at = Timestamptz(default=None)
    note = Text(default=None)
    done_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
    cancelled_at = Timestamptz(null=True, default=None)
    form_key = UUID(null=True, default=None)
    version = Integer(default=1)

    @classmethod
    async def find(cls, appointment: int, case: Case, *, hold: bool = False) -> Self:
        """Return the appointment with this id if it belongs to the case; with `hold`, lock it until the transaction ends.

        Raise `NotFound` if the case has no such appointment.
        """
        query = cls.objects().where((cls.id == appointment) & (cls.case_id == case.id))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def plan(
        cls, case: Case, facts: AppointmentFacts, *, by: AgentReader, at: datetime, form_key: uuid.UUID | None = None
    ) -> Self:
        """Plan an appointment on the case, and return it. The caller has locked the case.

        If an appointment of this case was planned with the same `form_key` before, only return that one. Raise
        `Invalid` with a message for each field that is not valid.
        """
        if form_key:
            sent = await cls.objects().where((cls.case_id == case.id) & (cls.form_key == form_key)).first()
            if sent:
                return sent
        values = await _checked(facts, by.zone, at)
        made = cls(customer_id=case.customer_id, case_id=case.id, created_at=at, form_key=form_key, **values)
        await made.save()
        await made._record(case, "appointment.planned", by, at)
        return made

    def facts(self, zone: ZoneInfo) -> AppointmentFacts:
        """Return the present values as form fields, with clock times in the time zone `zone`."""
        begins, ends = self.starts_at.astimezone(zone), self.ends_at.astimezone(zone)
        return AppointmentFacts(
            kind=self.kind, day=begins.date().isoformat(), begins=f"{begins:%H:%M}", ends=f"{ends:%H:%M}",
            agent_id=str(self.agent_id), note=self.note,
        )  # fmt: skip

    async def change(self, case: Case, facts: AppointmentFacts, *, by: AgentReader, at: datetime) -> None:
        """Replace the values of a planned appointment with the values in `facts`.

        The log of the case gets a line if the kind, the times or the agent change, but not if only the note changes.
        Raise `Conflict` if the appointment took place or was cancelled, and `Invalid` as `plan` does.
        """
        if self.done_at or self.cancelled_at:
            raise Conflict("This appointment was held or called off in the meantime.")
        values = await _checked(facts, by.zone, at, known=self)
        shown = ("kind", "starts_at", "ends_at", "agent_id")
        is_moved = any(getattr(self, name) != values[name] for name in shown)
        await self._set(values)
        await self._record(case, "appointment.moved" if is_moved else None, by, at)

    async def give_to(self, agent_id: int, case: Case, *, by: AgentReader, at: datetime) -> None:
        """Hand the appointment over to the agent with the id `agent_id`, and add a line to the log of the case.

        The caller must have checked that the agent has not left.
        """
        await self._set({"agent_id": agent_id})
        await self._record(case, "appointment.moved", by, at)

    async def hold_it(self, case: Case, *, by: AgentReader, at: datetime) -> None:
        """Record that the appointment took place. If this is recorded already, do nothing.

        Raise `Conflict` if the appointment was cancelled.
        """
        await self._become("done_at", self.cancelled_at, case, "appointment.held", by, at)

    async def call_off(self, case: Case, *, by: AgentReader, at: datetime) -> None:
        """Cancel the appointment. If it is cancelled already, do nothing. Raise `Conflict` if it took place."""
        await self._become("cancelled_at", self.done_at, case, "appointment.cancelled", by, at)

    async def plan_again(self, case: Case, *, by: AgentReader, at: datetime) -> None:
        """Make an appointment that took place or was cancelled a planned one again, even if its time has passed.

        If it is planned, do nothing. Raise `Conflict` if it begins after `at` and its agent has left.
        """
        if self.done_at or self.cancelled_at:
            if self.starts_at > at and not await works(self.agent_id, hold=True):
                raise Conflict("The agent of this appointment has left. Plan another one instead.")
            await self._set({"done_at": None, "cancelled_at": None})
            await self._record(case, "appointment.planned", by, at)

    async def _become(
        self, column: str, other: datetime | None, case: Case, kind: str, by: AgentReader, at: datetime
    ) -> None:
        """Mark the appointment as held or cancelled: set the column `column` to `at`, and add a log line of this kind.

        Do nothing if this column is set already. `column` is `done_at` or `cancelled_at`, and `other` is the value of
        the one that is not `column`. Raise `Conflict` if `other` is not None.
        """
        if other is not None:
            raise Conflict("This appointment was held or called off in the meantime.")
        if getattr(self, column) is None:
            await self._set({column: at})
            await self._record(case, kind, by, at)

    async def _set(self, values: dict[str, Any]) -> None:
        columns = values | {"version": self.version + 1}
        await Appointment.update({getattr(Appointment, name): value for name, value in columns.items()}).where(
            Appointment.id == self.id
        )
        for name, value in columns.items():
            setattr(self, name, value)

    async def _record(self, case: Case, kind: str | None, by: AgentReader, at: datetime) -> None:
        """Add a line of this kind to the log of the case, unless `kind` is None, and write a row in the outbox."""
        details = {
            "what": AppointmentKind(self.kind).word.lower(), "with": await agent_name(self.agent_id),
            "begins": self.starts_at.isoformat(), "ends": self.ends_at.isoformat(),
        }  # fmt: skip
        event_id = None
        if kind:
            line = (case.id, case.customer_id, kind)
            event_id = await events.record(*line, by=by, contact_may_know=True, at=at, details=details)
        await outbox.tell(
            kind="case.changed", subject_id=case.id, customer_id=case.customer_id, contact_id=case.contact_id,
            contact_may_know=True, actor=by, at=at, record_id=event_id,
        )  # fmt: skip


async def _checked(
    facts: AppointmentFacts, zone: ZoneInfo, at: datetime, *, known: Appointment | None = None
) -> dict[str, Any]:
    """Validate the form fields of an appointment, and return its column values.

    Raise `Invalid` with a message for each field that is not valid. `zone` is the time zone of the typed clock times.
    `known` is the appointment that is changed, or None for a new one. An agent who has left can keep an appointment,
    unless it is moved to an instant after `at`.
    """
    checked = Checked()
    kind = checked("kind", one_of(tuple(AppointmentKind)), facts.kind)
    on = checked("day", day, facts.day)
    begins, ends = (checked(name, clock_time, getattr(facts, name)) for name in ("begins", "ends"))
    agent = checked("agent_id", identifier, facts.agent_id)
    note = visible(facts.note).strip()
    if len(note) > LONGEST_NOTE:
        checked.refuse("note", f"Use at most {LONGEST_NOTE} characters.")
    checked.done()
    starts_at = checked("begins", lambda _: _instant(on, begins, zone), "")
    ends_at = checked("ends", lambda _: _instant(on + timedelta(days=ends <= begins), ends, zone), "")
    checked.done()
    is_kept = known is not None and agent == known.agent_id and (starts_at <= at or starts_at == known.starts_at)
    if not is_kept and not await works(agent, hold=True):
        raise Invalid({"agent_id": WHO_WORKS})
    return {"kind": kind, "starts_at": starts_at, "ends_at": ends_at, "agent_id": agent, "note": note}


def _instant(on: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the first instant on the day `on` at which the clocks of `zone` show `clock`.

    Raise `ValueError` if the clocks skip that time.
    """
    instant = datetime.combine(on, clock, zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != datetime.combine(on, clock):
        raise ValueError(_SKIPPED)
    return instant


@dataclass(frozen=True, slots=True)
class Planned:
    """An appointment, in any state, as pages show it. `agent` is the name of the agent who meets the customer.

    `note` is "" for contacts, who may not read it. `done_at` is when it was recorded that the appointment took place,
    and `cancelled_at` when it was cancelled; both are None while it is planned.
    """

    id: int
    kind: AppointmentKind
    starts_at: datetime
    ends_at: datetime
    agent_id: int
    agent: str
    note: str
    done_at: datetime | None
    cancelled_at: datetime | None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return an appointment made from a database row with a column for each field; ignore other columns."""
        values = {name: row[name] for name in cls.__slots__}
        return cls(**values | {"kind": AppointmentKind(row["kind"])})

    @property
    def minutes(self) -> int:
        """Return the planned length of the appointment in minutes."""
        return int((self.ends_at - self.starts_at) / timedelta(minutes=1))

    @property
    def is_planned(self) -> bool:
        """Return whether the appointment neither took place nor was cancelled."""
        return self.done_at is None and self.cancelled_at is None


SHOWN = 20
"""The maximum number of appointments that a case lists."""
OPEN = "p.done_at is null and p.cancelled_at is null"
"""SQL condition that the appointment `p` is planned: it neither took place nor was cancelled."""


def appointments_sql(reader: Reader) -> str:
    """Return the SQL query for at most `$3` appointments of the case `$1`; if `$2` is true, only for planned ones.

    Planned appointments come first, in order of time; then the others, latest first. For a contact, each note is "".
    """
    note = "p.note" if reader.is_agent else "'' as note"
    return (
        f"select p.id, p.kind, p.starts_at, p.ends_at, p.agent_id, a.name as agent, {note}, p.done_at, p.cancelled_at"  # noqa: S608
        f" from appointment p join agent a on a.id = p.agent_id where p.case_id = $1 and (not $2 or ({OPEN}))"
        f" order by not ({OPEN}), case when {OPEN} then p.starts_at end, p.starts_at desc, p.id limit $3"
    )


async def appointments_of(case_id: int, reader: Reader, *, planned: bool = False) -> list[Planned]:
    """Return at most `SHOWN` appointments of a case: first the planned ones, in order of time.

    The appointments that took place or were cancelled follow, latest first. With `planned`, only the planned ones are
    returned. The caller must have checked that `reader` may see the case.
    """
    rows = await current().fetch(appointments_sql(reader), case_id, planned, SHOWN)
    return [Planned.of_row(row) for row in rows]


_WITH_NUMBER = """
select p.id, p.kind, p.starts_at, p.ends_at, p.agent_id, a.name as agent, p.note, p.done_at, p.cancelled_at, c.number
from appointment p join agent a on a.id = p.agent_id join cases c on c.id = p.case_id
"""


async def planned_appointment(appointment: int, reader: AgentReader) -> tuple[Planned, int]:
    """Return the appointment with this id, in any state, and the number of its case.

    Raise `NotFound` if there is no such appointment, or if its case was merged into another one.
    """
    sql = f"{_WITH_NUMBER} where p.id = $1 and {Case.visible_sql(reader, 'c')}"
    row = await current().fetchrow(sql, appointment)
    if row is None:
        raise NotFound
    return Planned.of_row(row), row["number"]


IS_TO_COME = "p.agent_id = $1 and p.starts_at > $2 and p.done_at is null and p.cancelled_at is null"
"""SQL condition for the planned appointments `p` of the agent $1 that begin after the instant $2."""


async def appointments_to_come(agent_id: int, at: datetime) -> list[tuple[Planned, int]]:
    """Return an agent's planned appointments that begin after `at`, in order of time, each with its case number."""
    rows = await current().fetch(f"{_WITH_NUMBER} where {IS_TO_COME} order by p.starts_at, p.id", agent_id, at)
    return [(Planned.of_row(row), row["number"]) for row in rows]
