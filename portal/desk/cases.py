"""`Case`: one matter with a number that people quote; who may see it, how it is found, and everything that may happen to it.

Verbs run in the caller's transaction, lock the row first, append a line to the case's log and a row to the outbox. What somebody else has
changed since the case was loaded is a `Conflict`; what is as it should be already is left alone, so that a repeat is harmless.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self, Unpack

from piccolo.columns import BigInt, BigSerial, SmallInt, Text, Timestamptz
from piccolo.columns.combination import WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal import outbox
from portal.database import current
from portal.desk import events, messages, opening
from portal.desk.facts import Facts, checked_facts, checked_subject
from portal.desk.files.attachments import Upload
from portal.desk.messages import Writing
from portal.desk.names import agent_name, contact_name, works
from portal.desk.workflow import SETTABLE, Priority, Status, after_reply, columns_of
from portal.errors import Conflict, Invalid, NotFound
from portal.numbers import number_in
from portal.people.readers import AgentReader, ContactReader, Reader, System


class Case(Table, tablename="cases"):
    """One matter of a customer. Rows change by verbs only; `updated_at` is the instant of the last one."""

    id: BigSerial = BigSerial(primary_key=True)
    number = BigInt(default=None)
    customer_id = BigInt(default=None)
    contact_id = BigInt(default=None)
    subject = Text(default=None)
    subject_folded = Text(default=None)
    case_type_id = BigInt(default=None)
    priority = SmallInt(default=None)
    status = Text(default=None)
    agent_id = BigInt(null=True, default=None)
    department_id = BigInt(null=True, default=None)
    service_id = BigInt(null=True, default=None)
    project_id = BigInt(null=True, default=None)
    opened_at = Timestamptz(default=None)
    opened_by_agent_id = BigInt(null=True, default=None)
    updated_at = Timestamptz(default=None)
    first_replied_at = Timestamptz(null=True, default=None)
    resolved_at = Timestamptz(null=True, default=None)
    closed_at = Timestamptz(null=True, default=None)

    @property
    def stands(self) -> Status:
        """Its status as a word of the workflow."""
        return Status(self.status)

    @property
    def urgency(self) -> Priority:
        """Its priority as a word."""
        return Priority(self.priority)

    @staticmethod
    def visible_sql(reader: Reader | System, alias: str = "cases") -> str:
        """Who may see which cases, as a condition on `alias`: agents all, contacts their customer's, or with that right withheld their own (R23)."""
        if not isinstance(reader, ContactReader):
            return "true"
        own = "" if reader.sees_all_cases else f" and {alias}.contact_id = {int(reader.id)}"
        return f"{alias}.customer_id = {int(reader.customer_id)}{own}"

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """The cases that this reader may see."""
        return cls.objects().where(WhereRaw(cls.visible_sql(reader)))

    @classmethod
    async def find(cls, number: str | int, reader: Reader | System, *, hold: bool = False) -> Self:
        """Return the case with this number; with `hold` nobody else can change it until the transaction ends.

        Raises `NotFound` if there is none or it is not the reader's.
        """
        query = cls.visible_to(reader).where(cls.number == number_of(number))
        case = await (query.lock_rows("UPDATE") if hold else query).first()
        if case is None:
            raise NotFound
        return case

    @classmethod
    def of_row(cls, values: dict[str, Any]) -> Self:
        """The case of a whole row, as raw SQL returns it."""
        case = cls(**values)
        case._exists_in_db = True
        return case

    @classmethod
    async def open(
        cls,
        *,
        by: Reader,
        subject: str,
        text: str,
        case_type_id: int,
        priority: int = Priority.NORMAL,
        files: Sequence[Upload] = (),
        at: datetime,
        contact_id: int | None = None,
        customer_id: int | None = None,
        form_key: uuid.UUID | None = None,
    ) -> Self:
        """Open a case with its first message, for the contact who asks or, by an agent, for `contact_id` (of `customer_id`, if given).

        Its service is the customer's default for the type, else the customer's default, else none. The same form again gives the case that
        it made. Raises `Invalid` by field: `subject`, `body`, `case_type`, `priority`, `contact`, `files`;
        `TooMany` where a contact opens more than 30 an hour.
        """
        writing = Writing(text, files, form_key)
        if known := await messages.written_before(writing, by):
            return await cls._of_id(known, by)
        origin = await opening.origin_of(by.id if by.is_contact else contact_id, case_type_id, customer_id)
        checked, problems = checked_subject(subject)
        problems |= (
            writing.problems()
            | origin.problems
            | ({} if priority in list(Priority) else {"priority": "Choose one of the list."})
        )
        if problems:
            raise Invalid(problems)
        agent_id = None if by.is_contact else by.id
        if isinstance(by, ContactReader):
            await opening.refuse_too_many(by, at)
        html = await messages.html_of(writing)
        row = await current().fetchrow(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, service_id, opened_at, opened_by_agent_id,"
            " updated_at)"
            " values ($1, $2, $3, $4, $5, 'new', $6, $7, $8, $7) returning *",
            origin.customer_id, origin.contact_id, checked, case_type_id, priority, origin.service_id, at, agent_id,
        )  # fmt: skip
        case = cls.of_row(dict(row))
        await events.record(case.id, case.customer_id, "opened", by=by, contact_may_know=True, at=at)
        await messages.write(case.id, case.customer_id, "reply", writing, html, by=by, at=at)
        await case._tell("case.opened", by, at)
        return case

    async def reply(
        self,
        *,
        by: Reader,
        text: str,
        files: Sequence[Upload] = (),
        at: datetime,
        then: Status | None = None,
        form_key: uuid.UUID | None = None,
    ) -> None:
        """Say something that both sides read. An agent's opens a new case and may set a status with it; a contact's opens what was waiting or done.

        Raises `Invalid` (`body`, `files`), `NotFound` where the case or a file is not theirs.
        """
        writing = Writing(text, files, form_key)
        writing.check()
        if await messages.written_before(writing, by, "reply", self.id):
            return
        html = await messages.html_of(writing)
        await self._lock(by)
        await messages.write(self.id, self.customer_id, "reply", writing, html, by=by, at=at)
        changes: dict[str, Any] = {"updated_at": at}
        if by.is_agent and not self.first_replied_at:
            changes["first_replied_at"] = at
        status = after_reply(self.stands, by_agent=by.is_agent, then=then)
        await self._set(changes | await self._moved(status, by, at))
        await self._tell("case.replied", by, at)

    async def note(
        self,
        *,
        by: AgentReader,
        text: str,
        files: Sequence[Upload] = (),
        at: datetime,
        form_key: uuid.UUID | None = None,
    ) -> None:
        """Write down something that only agents read. Raises like `reply`."""
        writing = Writing(text, files, form_key)
        writing.check()
        if await messages.written_before(writing, by, "note", self.id):
            return
        html = await messages.html_of(writing)
        await self._lock(by)
        await messages.write(self.id, self.customer_id, "note", writing, html, by=by, at=at)
        await self._tell("case.noted", by, at, contact_may_know=False)

    async def take(self, *, by: AgentReader, at: datetime) -> None:
        """Give it to `by`, if nobody has it or who has it has left. Raises `Conflict` where somebody else has it."""
        if self.agent_id not in (None, by.id) and await works(self.agent_id):
            raise Conflict(f"{await agent_name(self.agent_id)} has this case already.")
        await self.assign(by.id, by=by, at=at)

    async def assign(self, agent_id: int | None, *, by: AgentReader, at: datetime) -> None:
        """Give it to an agent, or to nobody (None). Raises `Invalid` (`agent`), `Conflict` where somebody was faster."""
        _agents_only(by)
        seen = self.agent_id
        name = None if agent_id in (None, seen) else await agent_name(agent_id, who_works=True)
        await self._lock(by)
        if self.agent_id == agent_id:
            return
        if self.agent_id != seen:
            holder = "Nobody" if self.agent_id is None else await agent_name(self.agent_id)
            raise Conflict(f"{holder} has this case by now. Look at it again.")
        await self._set({"agent_id": agent_id, "updated_at": at})
        await self._record("assigned", by, at, to=name)
        await self._tell("case.changed", by, at)

    async def change_status(self, status: Status, *, by: AgentReader, at: datetime, seen: Status | None = None) -> None:
        """Set where it stands; `seen` is what `by` saw, if not what this case says.

        Raises `Conflict` where somebody was faster, `Invalid` (`status`) for New.
        """
        _agents_only(by)
        if status not in SETTABLE:
            raise Invalid({"status": "Choose one of the list."})
        await self._change_status(status, by, at, seen)

    async def close(self, *, by: Reader, at: datetime) -> None:
        """Nothing is left to do; contacts may say so too."""
        await self._change_status(Status.CLOSED, by, at)

    async def reopen(self, *, by: Reader, at: datetime) -> None:
        """There is something to do after all; a case that is neither resolved nor closed stays as it is."""
        if self.stands.is_done:
            await self._change_status(Status.OPEN, by, at)

    async def change_facts(self, *, by: AgentReader, at: datetime, **facts: Unpack[Facts]) -> None:
        """Change subject, type, priority, service or contact. Raises `Invalid` by field, `Conflict` where somebody changed one of them meanwhile."""
        _agents_only(by)
        checked = await checked_facts(facts, self.customer_id)
        seen = {column: getattr(self, column) for column in checked}
        await self._lock(by)
        changed = {column: fact for column, fact in checked.items() if getattr(self, column) != fact.value}
        if any(getattr(self, column) != seen[column] for column in changed):
            raise Conflict
        if not changed:
            return
        former = {"subject": self.subject}
        if "contact_id" in changed:
            former["contact"] = await contact_name(self.contact_id)
        for fact in changed.values():
            was = {"from": former[fact.kind]} if fact.kind in former else {}
            await self._record(fact.kind, by, at, **was, to=fact.word)
        await self._set({column: fact.value for column, fact in changed.items()} | {"updated_at": at})
        await self._tell("case.changed", by, at)

    async def _change_status(self, status: Status, by: Reader, at: datetime, seen: Status | None = None) -> None:
        seen = seen or self.stands
        await self._lock(by)
        if self.stands is status:
            return
        if self.stands is not seen:
            raise Conflict(f"The status is {self.stands.word} by now. Look at it again.")
        await self._set({"updated_at": at} | await self._moved(status, by, at))
        await self._tell("case.changed", by, at)

    async def _moved(self, status: Status, by: Reader, at: datetime) -> dict[str, Any]:
        """The columns that a move into `status` changes, none if it stands there already; the move is in the log."""
        if status is self.stands:
            return {}
        await self._record("status", by, at, **{"from": self.status, "to": status.value})
        return columns_of(status, self.resolved_at, at)

    async def _lock(self, by: Reader) -> None:
        """Hold the row until the end of the transaction and read it anew, as `by` may see it; `NotFound` where they may not."""
        locking = f"select * from cases where id = $1 and {self.visible_sql(by)} for update"  # noqa: S608
        row = await current().fetchrow(locking, self.id)
        if row is None:
            raise NotFound
        self._take_over(dict(row))

    async def _set(self, values: dict[Any, Any]) -> None:
        await Case.update(values).where(Case.id == self.id)
        self._take_over(values)

    def _take_over(self, values: dict[str, Any]) -> None:
        for column, value in values.items():
            setattr(self, column, value)

    async def _record(self, kind: str, by: Reader, at: datetime, **details: object) -> None:
        await events.record(self.id, self.customer_id, kind, by=by, contact_may_know=True, at=at, details=details)

    async def _tell(self, kind: str, by: Reader, at: datetime, *, contact_may_know: bool = True) -> None:
        await outbox.tell(
            kind=kind,
            subject_id=self.id,
            customer_id=self.customer_id,
            contact_id=self.contact_id,
            contact_may_know=contact_may_know,
            actor=by,
            at=at,
        )

    @classmethod
    async def _of_id(cls, case_id: int, reader: Reader) -> Self:
        case = await cls.visible_to(reader).where(cls.id == case_id).first()
        if case is None:
            raise NotFound
        return case


def _agents_only(by: Reader) -> None:
    # The areas' guards come first; this keeps a verb from doing it for a contact whoever calls it.
    if not by.is_agent:
        raise NotFound


def number_of(number: str | int) -> int:
    """A case number as people quote it in an address; `NotFound` where it can be none."""
    if (found := number_in(number)) is None:
        raise NotFound
    return found
