"""`TimeEntry`: minutes of one agent on one day, and the verbs of those who write it.

Verbs run in the caller's transaction. A submitted or approved entry is changed or deleted through billing, which takes the approval back
first; the steps that it needs (`revise`, `mark_submitted`, ...) are here and in `states.py`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from piccolo.columns import UUID, BigInt, BigSerial, Date, Integer, Numeric, Text, Timestamptz
from piccolo.columns.combination import WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.contracts.projects import Project
from portal.database import current
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import AgentReader, Reader, System
from portal.timekeeping import changes, traces
from portal.timekeeping.rules import OPEN, why_fixed
from portal.timekeeping.work import NO_AGENT, Work, content_of, ground_of
from portal.visible import visible
from portal.words import EntryState, ProjectState

if TYPE_CHECKING:
    from portal.desk.cases import Case

PROJECT_SERVICE = "Time on a project is logged under the project's service."

VISIBLE = {"portal_agent": "true"}
"""`visible_to` for the lists in raw SQL, by the reader's database role."""


class TimeEntry(Table, tablename="time_entry"):
    """One agent's minutes on one day. `version` counts the changes of what it says, so that an approval names what it approved (D34)."""

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(null=True, default=None)
    case_id = BigInt(null=True, default=None)
    service_id = BigInt(null=True, default=None)
    general_kind_id = BigInt(null=True, default=None)
    role_id = BigInt(null=True, default=None)
    task_id = BigInt(null=True, default=None)
    project_id = BigInt(null=True, default=None)
    appointment_id = BigInt(null=True, default=None)
    agent_id = BigInt(default=None)
    entered_by_id = BigInt(default=None)
    work_date = Date(default=None)
    started_at = Timestamptz(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
    time_zone = Text(null=True, default=None)
    actual_minutes = Integer(default=None)
    billing = Text(default=None)
    billable_minutes = Integer(default=None)
    override_reason = Text(null=True, default=None)
    hourly_rate = Numeric(digits=(12, 4), null=True, default=None)
    external_comment = Text(default=None)
    description = Text(default=None)
    state = Text(default=None)
    version = Integer(default=1)
    created_at = Timestamptz(default=None)
    window_from = Timestamptz(default=None)
    submitted_at = Timestamptz(null=True, default=None)
    form_key = UUID(null=True, default=None)

    @property
    def kind(self) -> str:
        """Return `case`, `project`, `service` or `general`, by its links (S2.40)."""
        if self.case_id:
            return "case"
        return "project" if self.project_id else "service" if self.service_id else "general"

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Agents see all time. For contacts there is none here (`NotFound`): what they may read of it is copied onto their invoice (D57)."""
        if reader.is_contact:
            raise NotFound
        return cls.objects().where(WhereRaw(VISIBLE[reader.database_role]))

    @classmethod
    async def find(cls, entry_id: int, reader: Reader | System) -> Self:
        """Raises `NotFound`."""
        entry = await cls.visible_to(reader).where(cls.id == entry_id).first()
        if entry is None:
            raise NotFound
        return entry

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The entry of a whole row, as raw SQL returns it."""
        entry = cls(**dict(row))
        entry._exists_in_db = True
        return entry

    @classmethod
    async def log(
        cls,
        by: AgentReader,
        work: Work,
        *,
        at: datetime,
        case: "Case | None" = None,
        project: Project | None = None,
        agent_id: int | None = None,
        form_key: uuid.UUID | None = None,
    ) -> Self:
        """Store work on `case`, on `project`, under a service, or general; not yet submitted (S0.23).

        `agent_id`: who worked it, if not `by` (S1.15). Work on a project is under the project's service.
        The same `form_key` again gives the entry that is there already, or is refused where it says something else.
        Raises `Forbidden` where an agent writes for somebody else (S1.16), `Invalid` by field: `duration`, `work_date`, `project`, `service`,
        `task`, `agent`, `external_comment`, `description`, `counts`, `override_reason`.
        """
        if agent_id not in (None, by.id) and not by.is_manager:
            raise Forbidden("Only a manager may enter time for somebody else.")
        if form_key and (known := await cls._of_form(by, form_key)):
            known._check_repeated(work, case, project)
            return known
        worked_by = agent_id or by.id
        if project:
            work = _on_project(work, project, case)
        place = case or project
        ground = await ground_of(
            work,
            worked_by,
            at,
            customer_id=place.customer_id if place else None,
            case_type_id=case.case_type_id if case else None,
            project_id=project.id if project else None,
        )
        if ground.agent_has_left:
            raise Invalid({"agent": NO_AGENT})
        content = content_of(work, ground)
        entry = cls(
            **content,
            case_id=case.id if case else None,
            project_id=project.id if project else None,
            customer_id=ground.customer_id,
            agent_id=worked_by,
            entered_by_id=by.id,
            state=EntryState.DRAFT.value,
            created_at=at,
            window_from=at,
            form_key=form_key,
        )
        await entry.save()
        await traces.leave(entry, "time.logged", by, at)
        return entry

    @classmethod
    async def _of_form(cls, by: AgentReader, form_key: uuid.UUID) -> Self | None:
        """What the form made when it was sent before; of two that arrive together the second waits here for the first."""
        await current().execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", str(form_key))
        return await cls.visible_to(by).where((cls.form_key == form_key) & (cls.entered_by_id == by.id)).first()

    def _check_repeated(self, work: Work, case: "Case | None", project: Project | None) -> None:
        """Raise `Invalid` for a form that was sent before with something else in it: that is not there yet, and must not be dropped."""
        before = (
            self.case_id,
            self.project_id,
            self.task_id,
            self.actual_minutes,
            self.work_date,
            self.external_comment,
            self.description,
        )
        comment, description = visible(work.external_comment).strip(), visible(work.description).strip()
        place = (case.id if case else None, project.id if project else None, work.task_id)
        now = (*place, work.minutes, work.work_date, comment, description)
        if self.version == 1 and before != now:
            raise Invalid(
                {"duration": "You sent this form before, with something else. Send it once more to log this too."}
            )

    @property
    def is_open(self) -> bool:
        """Whether it is with its author, who may submit it."""
        return EntryState(self.state) in OPEN

    def why_fixed(self, by: AgentReader, at: datetime) -> str | None:
        """Why `by` may not change or delete this; None if they may (as long as nothing has settled it)."""
        return why_fixed(by, self.agent_id, EntryState(self.state), self.window_from, at)

    async def change(self, by: AgentReader, work: Work, *, version: int, at: datetime) -> Self:
        """Say it anew, all of it, within the author's window; a rejected entry stays rejected until it is submitted again.

        `version` is the one that `by` has seen. Raises `Forbidden` (not theirs, or too late), `Conflict` (changed meanwhile, or
        already submitted: then it is billing's verb), `Invalid` as `log` does.
        """
        self._refuse_fixed(by, at)
        return await self.revise(by, work, version=version, at=at)

    async def revise(self, by: AgentReader, work: Work, *, version: int, at: datetime) -> Self:
        """The change itself, for `change` and for billing, which has checked who and has withdrawn an approval before (D34)."""
        if self.project_id and work.service_id != self.service_id:
            raise Invalid({"service": PROJECT_SERVICE})
        ground = await ground_of(
            work,
            self.agent_id,
            at,
            customer_id=self.customer_id if self.case_id else None,
            project_id=self.project_id,
            known_task_id=self.task_id,
        )
        content = content_of(work, ground, known_date=self.work_date)
        told = {name: [getattr(self, name), value] for name, value in content.items() if getattr(self, name) != value}
        if not told and version == self.version:
            return self
        entry = await self._set({**content, "customer_id": ground.customer_id}, version)
        await changes.keep(entry, told, by, at)
        await traces.leave(entry, "time.changed", by, at, told)
        return entry

    async def discard(self, by: AgentReader, *, version: int, at: datetime) -> None:
        """Remove it within the author's window (S2.22); on a case its log keeps that it was there. Raises as `change` does."""
        self._refuse_fixed(by, at)
        if version != self.version:
            raise Conflict(_CHANGED)
        await self.erase(by, at=at)

    async def erase(self, by: AgentReader, *, at: datetime) -> None:
        """The deletion itself, for `discard` and for billing (which has withdrawn an approval before). Raises `Conflict` if somebody was faster."""
        condition = (TimeEntry.id == self.id) & (TimeEntry.version == self.version) & (TimeEntry.state == self.state)
        self._refuse_approved()
        if not await TimeEntry.delete().where(condition).returning(TimeEntry.id):
            raise Conflict(_CHANGED)
        await traces.leave(self, "time.deleted", by, at)

    def _refuse_fixed(self, by: AgentReader, at: datetime) -> None:
        if reason := self.why_fixed(by, at):
            raise Forbidden(reason)
        if not self.is_open:
            raise Conflict("This time is submitted: take it back first.")

    def _refuse_approved(self) -> None:
        if self.state == EntryState.APPROVED:
            raise Conflict("This time is approved: the approval has to be withdrawn first.")

    async def _set(self, values: dict[str, Any], version: int) -> Self:
        """Compare and set on the version that was seen and the state that was found; the loser gets a `Conflict` (design manner 9)."""
        self._refuse_approved()
        rows = await (
            TimeEntry.update(
                {TimeEntry.version: version + 1} | {getattr(TimeEntry, name): value for name, value in values.items()}
            )
            .where((TimeEntry.id == self.id) & (TimeEntry.version == version) & (TimeEntry.state == self.state))
            .returning(*TimeEntry.all_columns())
        )
        if not rows:
            raise Conflict(_CHANGED)
        return type(self).of_row(rows[0])


def _on_project(work: Work, project: Project, case: "Case | None") -> Work:
    """Return `work` under the project's service. Raises `Invalid` where it cannot be logged on the project."""
    if case:
        raise Invalid({"project": "Choose a case or a project, not both."})
    if project.state != ProjectState.OPEN:
        raise Invalid(
            {"project": f"The project “{project.name}” is {project.state}: time can be logged on open projects."}
        )
    if work.service_id not in (None, project.service_id):
        raise Invalid({"service": PROJECT_SERVICE})
    return replace(work, service_id=project.service_id)


_CHANGED = "Somebody else has changed this time meanwhile. Look at it again."

__all__ = ["TimeEntry", "Work"]
