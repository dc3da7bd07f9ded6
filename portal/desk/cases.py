"""Cases: the class `Case`, who may see a case, and what agents and contacts may do with it.

Methods that change a case run in the caller's transaction. Each locks the row, then writes the change, a line in the
case's log and a row in the outbox, which makes open pages update. If somebody else has changed the same thing since the
case was loaded, a method raises `Conflict`. If nothing would change, it does nothing, so a repeated request is
harmless.
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
from portal.database.rows import insert_whole
from portal.desk import events, mentions, messages, opening
from portal.desk.facts import Facts, checked_facts
from portal.desk.files.attachments import StoredFile
from portal.desk.messages import Writing
from portal.desk.names import agent_name, contact_name, works
from portal.desk.workflow import SETTABLE, Priority, Status, after_reply, columns_of
from portal.errors import Conflict, Invalid, NotFound
from portal.numbers import number_in
from portal.people.readers import AdministratorReader, AgentReader, ContactReader, Reader, System

LogLine = tuple[str, dict[str, object]]
"""A line of a case's log: the kind of the event, and its details."""


class Case(Table, tablename="cases"):
    """A customer's request or problem, with a number that people quote.

    Rows change only through the methods below. `updated_at` is the instant of the latest reply or change to a column.
    `contact_id` is the contact who asks, `agent_id` the agent to whom the case is assigned.
    """

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
        """Return the column `status` as a member of `Status`."""
        return Status(self.status)

    @property
    def urgency(self) -> Priority:
        """Return the column `priority` as a member of `Priority`."""
        return Priority(self.priority)

    @staticmethod
    def visible_sql(reader: Reader | System, alias: str = "cases") -> str:
        """Return an SQL condition on the table alias `alias` for the cases that `reader` may see (R23).

        Agents see all cases. Contacts see those of their customer, or only their own if they may not see their
        colleagues' cases.
        """
        if not isinstance(reader, ContactReader):
            return "true"
        own = "" if reader.sees_all_cases else f" and {alias}.contact_id = {int(reader.id)}"
        return f"{alias}.customer_id = {int(reader.customer_id)}{own}"

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Return a query for the cases that `reader` may see."""
        return cls.objects().where(WhereRaw(cls.visible_sql(reader)))

    @classmethod
    async def find(cls, number: str | int, reader: Reader | System, *, hold: bool = False) -> Self:
        """Return the case with the number `number`; with `hold`, lock its row until the transaction ends.

        Raise `NotFound` if there is no such case or the reader may not see it.
        """
        query = cls.visible_to(reader).where(cls.number == number_of(number))
        case = await (query.lock_rows("UPDATE") if hold else query).first()
        if case is None:
            raise NotFound
        return case

    @classmethod
    def of_row(cls, values: dict[str, Any]) -> Self:
        """Return a `Case` object for a row of the table that raw SQL has read with all its columns."""
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
        files: Sequence[StoredFile] = (),
        at: datetime,
        contact_id: int | None = None,
        customer_id: int | None = None,
        form_key: uuid.UUID | None = None,
    ) -> Self:
        """Open a case with its first message, and return it.

        If a contact opens it, `by` becomes the contact of the case. If an agent opens it, the contact with the id
        `contact_id` does; with `customer_id`, that contact must belong to this customer. Sending the same `form_key`
        again returns the case that was opened with it. Raise `Invalid` with a sentence for each wrong field (`subject`,
        `body`, `case_type`, `priority`, `contact`, `files`), and `TooMany` if a contact opens more than 30 cases in an
        hour.
        """
        writing = Writing(text, files, form_key)
        if known := await messages.written_before(writing, by):
            return await cls._of_id(known, by)
        origin = await opening.origin_of(by.id if by.is_contact else contact_id, case_type_id, customer_id)
        checked = opening.checked(origin, subject, writing, priority)
        if isinstance(by, ContactReader):
            await opening.refuse_too_many(by, at)
        html = await messages.html_of(writing)
        columns = {
            "customer_id": origin.customer_id, "contact_id": origin.contact_id, "subject": checked, "case_type_id": case_type_id,
            "priority": priority, "status": Status.NEW.value, "service_id": origin.service_id, "opened_at": at, "updated_at": at,
            "opened_by_agent_id": None if by.is_contact else by.id,
        }  # fmt: skip
        case = cls.of_row(await insert_whole(cls, columns))
        await events.record(case.id, case.customer_id, "opened", by=by, contact_may_know=True, at=at)
        message_id = await messages.write(case.id, case.customer_id, "reply", writing, html, by=by, at=at)
        await case._tell("case.opened", by, at, message_id)
        return case

    async def reply(
        self,
        *,
        by: Reader,
        text: str,
        files: Sequence[StoredFile] = (),
        at: datetime,
        then: Status | None = None,
        form_key: uuid.UUID | None = None,
    ) -> None:
        """Write a reply, which both sides read, and set the status that follows from it (see `workflow.after_reply`).

        `then` is the status that an agent has chosen for the case after the reply. Sending the same `form_key` again
        does nothing. Raise `Invalid` (`body`, `files`), and `NotFound` if `by` may not see the case or did not upload
        one of the files.
        """
        message_id = await self._write("reply", Writing(text, files, form_key), by, at)
        if message_id is None:
            return
        first = {"first_replied_at": at} if by.is_agent and not self.first_replied_at else {}
        columns, lines = self._moved(after_reply(self.stands, by_agent=by.is_agent, then=then), at)
        await self._change(first | columns, lines, by, at, told_as="case.replied", record_id=message_id)

    async def note(
        self,
        *,
        by: AgentReader,
        text: str,
        files: Sequence[StoredFile] = (),
        at: datetime,
        form_key: uuid.UUID | None = None,
    ) -> None:
        """Write a note, which only agents read, and record whom it mentions (`mentions.named_in`).

        Raise `Invalid` and `NotFound` as `reply` does.
        """
        message_id = await self._write("note", Writing(text, files, form_key), by, at)
        if message_id is not None:
            await mentions.record(message_id, self.customer_id, text)
            await self._tell("case.noted", by, at, message_id)

    async def take(self, *, by: AgentReader, at: datetime) -> None:
        """Assign the case to the agent `by`. Raise `Conflict` if it is assigned to another agent who has not left."""
        if self.agent_id not in (None, by.id) and await works(self.agent_id):
            raise Conflict(f"{await agent_name(self.agent_id)} has this case already.")
        await self.assign(by.id, by=by, at=at)

    async def assign(self, agent_id: int | None, *, by: AgentReader, at: datetime) -> None:
        """Assign the case to the agent with this id, or to nobody if `agent_id` is None.

        Raise `Invalid` (`agent`) if the agent has left or does not exist, and `Conflict` if the case was assigned to
        somebody else in the meantime.
        """
        _agents_only(by)
        seen = self.agent_id
        name = None if agent_id in (None, seen) else await agent_name(agent_id, who_works=True)
        await self._lock(by)
        if self.agent_id == agent_id:
            return
        if self.agent_id != seen:
            holder = "Nobody" if self.agent_id is None else await agent_name(self.agent_id)
            raise Conflict(f"{holder} has this case now. Look at it again.")
        await self._change({"agent_id": agent_id}, [("assigned", {"to": name})], by, at, told_as="case.assigned")

    async def change_status(self, status: Status, *, by: AgentReader, at: datetime, seen: Status | None = None) -> None:
        """Set the status. `seen` is the status on the page that `by` saw; None stands for the status of this object.

        Raise `Conflict` if somebody else changed the status in the meantime, and `Invalid` (`status`) for New, which
        cannot be set.
        """
        _agents_only(by)
        if status not in SETTABLE:
            raise Invalid({"status": "Choose one from the list."})
        await self._change_status(status, by, at, seen)

    async def close(self, *, by: Reader, at: datetime) -> None:
        """Close the case. Contacts may close a case too."""
        await self._change_status(Status.CLOSED, by, at)

    async def reopen(self, *, by: Reader, at: datetime) -> None:
        """Set a resolved or closed case to Open; do nothing for a case in another status."""
        if self.stands.is_done:
            await self._change_status(Status.OPEN, by, at)

    async def change_facts(self, *, by: Reader, at: datetime, **facts: Unpack[Facts]) -> None:
        """Change those of subject, type, priority, service, project and contact that are given.

        Administrators of the customer may change only the contact. The log gets a line for each change. Raise
        `Conflict` if somebody changed one of them meanwhile, `Invalid` for a value that the case cannot have.
        """
        if not (isinstance(by, AdministratorReader) and facts.keys() == {"contact_id"}):
            _agents_only(by)
        checked = await checked_facts(facts, self.customer_id)
        seen = {column: getattr(self, column) for column in checked}
        await self._lock(by)
        changed = {column: fact for column, fact in checked.items() if getattr(self, column) != fact.value}
        if any(getattr(self, column) != seen[column] for column in changed):
            raise Conflict
        if not changed:
            return
        contact = {"contact": await contact_name(self.contact_id)} if "contact_id" in changed else {}
        former = {"subject": self.subject} | contact
        lines: list[LogLine] = [
            (fact.kind, ({"from": former[fact.kind]} if fact.kind in former else {}) | {"to": fact.word})
            for fact in changed.values()
        ]
        await self._change({column: fact.value for column, fact in changed.items()}, lines, by, at)

    async def _change_status(self, status: Status, by: Reader, at: datetime, seen: Status | None = None) -> None:
        seen = seen or self.stands
        await self._lock(by)
        if self.stands is status:
            return
        if self.stands is not seen:
            raise Conflict(f"The status is {self.stands.word} now. Look at it again.")
        await self._change(*self._moved(status, at), by, at, told_as="case.moved")

    def _moved(self, status: Status, at: datetime) -> tuple[dict[str, Any], list[LogLine]]:
        """Return the column values and the log lines of a change to `status`; both are empty if the case has that status."""
        if status is self.stands:
            return {}, []
        return columns_of(status, self.resolved_at, at), [("status", {"from": self.status, "to": status.value})]

    async def _write(self, kind: str, writing: Writing, by: Reader, at: datetime) -> int | None:
        """Lock the case, write a message of this kind (`reply` or `note`), and return its id.

        Return None if this form was sent before.
        """
        writing.check()
        if await messages.written_before(writing, by, kind, self.id):
            return None
        html = await messages.html_of(writing)
        await self._lock(by)
        return await messages.write(self.id, self.customer_id, kind, writing, html, by=by, at=at)

    async def _lock(self, by: Reader) -> None:
        """Lock the row until the transaction ends, and set the columns of this object to their present values.

        Raise `NotFound` if `by` may not see the case.
        """
        locking = f"select * from cases where id = $1 and {self.visible_sql(by)} for update"  # noqa: S608
        row = await current().fetchrow(locking, self.id)
        if row is None:
            raise NotFound
        self._take_over(dict(row))

    async def _change(
        self,
        columns: dict[Any, Any],
        lines: list[LogLine],
        by: Reader,
        at: datetime,
        *,
        told_as: str = "case.changed",
        record_id: int | None = None,
    ) -> None:
        """Update the locked row, add lines to the case's log, and write an outbox row, from which notices are made.

        `columns` holds the new values, `told_as` the kind of the outbox row. `record_id` is the id of the message that was
        written; if it is None, the outbox row names the first of the lines.
        """
        columns = {"updated_at": at} | columns
        await Case.update(columns).where(Case.id == self.id)
        self._take_over(columns)
        for kind, details in lines:
            line = (self.id, self.customer_id, kind)
            event_id = await events.record(*line, by=by, contact_may_know=True, at=at, details=details)
            record_id = record_id or event_id
        await self._tell(told_as, by, at, record_id)

    def _take_over(self, values: dict[str, Any]) -> None:
        for column, value in values.items():
            setattr(self, column, value)

    async def _tell(self, kind: str, by: Reader, at: datetime, record_id: int | None) -> None:
        await outbox.tell(
            kind=kind, subject_id=self.id, customer_id=self.customer_id, contact_id=self.contact_id,
            contact_may_know=kind != "case.noted", actor=by, at=at, record_id=record_id,
            agent_id=self.agent_id if kind == "case.assigned" else None,
        )  # fmt: skip

    @classmethod
    async def _of_id(cls, case_id: int, reader: Reader) -> Self:
        case = await cls.visible_to(reader).where(cls.id == case_id).first()
        if case is None:
            raise NotFound
        return case


def _agents_only(by: Reader) -> None:
    # The route guards refuse contacts first. This check protects the methods whatever code calls them.
    if not by.is_agent:
        raise NotFound


def number_of(number: str | int) -> int:
    """Return the case number that a URL contains. Raise `NotFound` if the text is not a number."""
    if (found := number_in(number)) is None:
        raise NotFound
    return found
