"""Time entries: the class `TimeEntry`, and what authors and managers may do with an entry.

The methods run in the caller's transaction. Submitted and approved entries are changed and deleted through
`portal.billing`, which withdraws the approval first. The functions that `portal.billing` calls for this (`revise`,
`mark_withdrawn` and others) are here and in `states.py`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from piccolo.columns import UUID, BigInt, BigSerial, Boolean, Date, Integer, Numeric, Text, Timestamptz
from piccolo.columns.combination import WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.contracts.projects import Project
from portal.database import current
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import AgentReader, Reader, System
from portal.timekeeping import traces, versions
from portal.timekeeping.instants import Span
from portal.timekeeping.policy.picks import refuse_pick
from portal.timekeeping.policy.switches import OFF, Rules, TimeRules
from portal.timekeeping.repeated import says_the_same
from portal.timekeeping.rules import OPEN, why_fixed
from portal.timekeeping.versions import FIXED, LABELS, Verb
from portal.timekeeping.work import NO_AGENT, Work, content_of, ground_of
from portal.words import EntryState, ProjectState

if TYPE_CHECKING:
    from portal.desk.appointments import Appointment
    from portal.desk.cases import Case

PROJECT_SERVICE = "Time on a project is logged under the project's service."

VISIBLE = {"portal_agent": "true"}
"""SQL condition for the entries that a reader may see, by the reader's database role, for the raw SQL of lists.

The role of contacts has no condition: contacts read only copies of entries on documents, and the view `approved_time`.
"""


class TimeEntry(Table, tablename="time_entry"):
    """The minutes that one agent, its author, worked on one day.

    `version` counts the changes to the entry's content, so that an approval refers to exactly the content that was
    approved (D34). `rejected_version` is the version that was rejected last, or None. `entered_by_id` is the agent who
    logged the time. If `rounded_by_day`, approval rounds the sum of the day's entries instead of each entry (D4).
    `window_from` is the instant from which the author has a limited time to change the entry: when it was logged or
    last rejected. `settled_on_id` is set only if a document settled the entry and the entry's case was merged into
    another case later: it is the id of the former case.
    """

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
    rounded_by_day = Boolean(default=False)
    override_reason = Text(null=True, default=None)
    stretches = Text(null=True, default=None)
    hourly_rate = Numeric(digits=(12, 4), null=True, default=None)
    external_comment = Text(default=None)
    description = Text(default=None)
    state = Text(default=None)
    version = Integer(default=1)
    created_at = Timestamptz(default=None)
    window_from = Timestamptz(default=None)
    submitted_at = Timestamptz(null=True, default=None)
    submission_id = BigInt(null=True, default=None)
    rejected_version = Integer(null=True, default=None)
    form_key = UUID(null=True, default=None)
    settled_on_id = BigInt(null=True, default=None)

    @property
    def kind(self) -> str:
        """Return what the entry is linked to: `case`, `project`, `service` or, for general time, `general` (S2.40)."""
        if self.case_id:
            return "case"
        return "project" if self.project_id else "service" if self.service_id else "general"

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Return a query of the entries that `reader` may see: all of them for agents.

        Raise `NotFound` for contacts: they read only the copies of entries on documents, and the view `approved_time`
        (D57).
        """
        if reader.is_contact:
            raise NotFound
        return cls.objects().where(WhereRaw(VISIBLE[reader.database_role]))

    @classmethod
    async def find(cls, entry_id: int, reader: Reader | System) -> Self:
        """Return the entry with this id. Raise `NotFound` if there is none that `reader` may see."""
        entry = await cls.visible_to(reader).where(cls.id == entry_id).first()
        if entry is None:
            raise NotFound
        return entry

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return a `TimeEntry` for a complete row of the table that raw SQL has read."""
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
        appointment: "Appointment | None" = None,
        agent_id: int | None = None,
        form_key: uuid.UUID | None = None,
    ) -> Self:
        """Create a draft entry for work on `case`, on `project`, under a service or as general time; return it (S0.23).

        `agent_id` is the id of the agent who worked, if that is not `by` (S1.15). Work on a project is logged under the
        project's service. If this `form_key` was sent before, return the existing entry; if the content differs
        although nobody has changed the entry since, raise `Invalid`. Raise `Forbidden` if the admins' rules do not let
        `by` log time for that agent (S1.16), `Conflict` if time tracking is off, and `Invalid` with an error message
        for each bad field: `on`, `duration`, `work_date`, `project`, `service`, `task`, `kind`, `role`, `agent`,
        `external_comment`, `description`, `counts`, `override_reason`.
        """
        await refuse_pick(by, agent_id)
        if form_key and (known := await cls._of_form(by, form_key)):
            known._check_repeated(work, case, project, agent_id or by.id)
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
            case_id=case.id if case else None,
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
            appointment_id=appointment.id if appointment else None,
            customer_id=ground.customer_id,
            agent_id=worked_by,
            entered_by_id=by.id,
            state=EntryState.DRAFT.value,
            created_at=at,
            window_from=at,
            form_key=form_key,
        )
        await entry.save()
        version_id = await versions.keep_content(Verb.LOGGED, entry, {}, by, at)
        await traces.leave(entry, "time.logged", by, at, version_id=version_id)
        return entry

    @classmethod
    async def _of_form(cls, by: AgentReader, form_key: uuid.UUID) -> Self | None:
        """Return the entry that `by` has already created with the form whose key is `form_key`, or None.

        If another request is creating that entry at the same moment, wait until it has finished.
        """
        await current().execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", str(form_key))
        return await cls.visible_to(by).where((cls.form_key == form_key) & (cls.entered_by_id == by.id)).first()

    def _check_repeated(self, work: Work, case: "Case | None", project: Project | None, agent_id: int) -> None:
        """Raise `Invalid` if the entry's form is sent a second time with different content.

        The different content is not stored anywhere, so the agent has to be told. If the entry was changed since it was
        created, nothing is raised, because then even the same form differs from the entry.
        """
        same = says_the_same(
            self,
            replace(work, service_id=project.service_id) if project else work,
            agent_id=agent_id,
            case_id=case.id if case else None,
            project_id=project.id if project else None,
        )
        if self.version == 1 and not same:
            raise Invalid(
                {"duration": "You sent this form before, with something else. Send it once more to log this too."}
            )

    @property
    def span(self) -> Span | None:
        """Return the instants between which the work was done, or None if only the day is known (D10)."""
        return Span(self.started_at, self.ended_at, self.time_zone) if self.started_at else None

    @property
    def is_open(self) -> bool:
        """Return whether the entry is a draft or rejected, so that its author may submit it."""
        return EntryState(self.state) in OPEN

    def why_fixed(self, by: AgentReader, at: datetime, rules: Rules) -> str | None:
        """Return the reason why `by` may not change or delete this entry at `at`; None if `by` may.

        This ignores invoices and statements that have settled the entry, and locked periods.
        """
        return why_fixed(by, self.agent_id, EntryState(self.state), self.window_from, at, rules.own_edit_hours)

    async def change(self, by: AgentReader, work: Work, *, version: int, at: datetime) -> Self:
        """Replace the content of a draft or rejected entry, whose state stays the same, and return the changed entry.

        `version` is the version that `by` has seen. Raise `Forbidden` if `by` is neither the author nor a manager, or
        if the time in which the author may change the entry is over. Raise `Conflict` if the entry is submitted or
        approved, because only billing changes such entries. Also raise `Conflict` and `Invalid` as `revise` does.
        """
        await self._refuse_fixed(by, at)
        return await self.revise(by, work, version=version, at=at)

    async def revise(self, by: AgentReader, work: Work, *, version: int, at: datetime) -> Self:
        """Replace the content of the entry without checking whether `by` may do that, and return the changed entry.

        The callers check that: `change`, and billing, which withdraws any approval before it calls this (D34). A change
        stores a version of the entry, a line in the log of the case and a row of the outbox; if nothing differs,
        nothing is stored. Raise `Invalid` for content that breaks a rule. Raise `Conflict` if somebody changed the
        entry since `version`, if the entry is approved, or if time tracking is off.
        """
        if self.project_id and work.service_id != self.service_id:
            raise Invalid({"service": PROJECT_SERVICE})
        ground = await ground_of(
            work,
            self.agent_id,
            at,
            customer_id=self.customer_id if self.case_id else None,
            project_id=self.project_id,
            known_task_id=self.task_id,
            known_kind_id=self.general_kind_id,
        )
        content = content_of(work, ground, known_date=self.work_date, known_span=self.span)
        told = {name: [getattr(self, name), value] for name, value in content.items() if getattr(self, name) != value}
        if not told and version == self.version:
            return self
        entry = await self._set({**content, "customer_id": ground.customer_id}, version)
        version_id = await versions.keep_content(Verb.CHANGED, entry, told, by, at)
        await traces.leave(entry, "time.changed", by, at, told, version_id=version_id)
        return entry

    async def discard(self, by: AgentReader, *, version: int, at: datetime) -> None:
        """Delete a draft or rejected entry (S2.22). The log of its case, if it has one, gets a line about the deletion.

        Raise `Forbidden` as `change` does, and `Conflict` as `change` and `erase` do.
        """
        await self._refuse_fixed(by, at)
        if version != self.version:
            raise Conflict(_CHANGED)
        await self.erase(by, at=at)

    async def erase(self, by: AgentReader, *, at: datetime) -> None:
        """Delete the entry without checking whether `by` may do that.

        The callers check that: `discard`, and billing, which also withdraws any approval. The deletion is recorded as
        the last version of the entry, in the log of the case and in the outbox. Raise `Conflict` if somebody else
        changed the entry in the meantime, if it is approved, if its period is locked, or if time tracking is off.
        """
        condition = (TimeEntry.id == self.id) & (TimeEntry.version == self.version) & (TimeEntry.state == self.state)
        self._refuse_approved()
        rules = await TimeRules.find()
        if reason := OFF if not rules.tracks_time else rules.why_locked(self.work_date, at):
            raise Conflict(reason)
        if not await TimeEntry.delete().where(condition).returning(TimeEntry.id):
            raise Conflict(_CHANGED)
        gone = {name: [value, None] for name in FIXED | LABELS if (value := getattr(self, name)) not in (None, "")}
        version_id = await versions.keep_content(Verb.DELETED, self, gone, by, at)
        await traces.leave(self, "time.deleted", by, at, version_id=version_id)

    async def _refuse_fixed(self, by: AgentReader, at: datetime) -> None:
        if reason := self.why_fixed(by, at, await TimeRules.find()):
            raise Forbidden(reason)
        if not self.is_open:
            raise Conflict("This time is submitted: take it back first.")

    def _refuse_approved(self) -> None:
        if self.state == EntryState.APPROVED:
            raise Conflict("This time is approved: the approval has to be withdrawn first.")

    async def _set(self, values: dict[str, Any], version: int) -> Self:
        """Update the row with these values and the next version, and return the changed entry.

        Raise `Conflict` if the version in the database is not `version`, or if the state has changed.
        """
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
    """Return `work` with the project's service.

    Raise `Invalid` if `case` is given too, if the project is not open, or if `work` has another service.
    """
    if case:
        raise Invalid({"project": "Choose a case or a project, not both."})
    if project.state != ProjectState.OPEN:
        raise Invalid(
            {"project": f"The project “{project.name}” is {project.state}: time can be logged on open projects."}
        )
    if work.service_id not in (None, project.service_id):
        raise Invalid({"service": PROJECT_SERVICE})
    return replace(work, service_id=project.service_id)


_CHANGED = "Somebody else has changed this time in the meantime. Look at it again."

__all__ = ["TimeEntry", "Work"]
