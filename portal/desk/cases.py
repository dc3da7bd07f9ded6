"""Cases: the class `Case`, who may see a case, and how a case is opened.

The methods that change a case are in the modules of `portal/desk/verbs`. They run in the caller's transaction. Each
method locks the row, then writes the change, a line in the case's log and a row in the outbox, so that pages that
people have open are updated. If somebody else has changed the same thing since the case was loaded, a method raises
`Conflict`. If nothing would change, it does nothing, so a repeated request is harmless.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from piccolo.columns import BigInt, BigSerial, Boolean, SmallInt, Text, Timestamptz
from piccolo.columns.combination import WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.database import current
from portal.database.rows import insert_whole
from portal.desk import messages, opening
from portal.desk.custom_fields import values as own_values
from portal.desk.custom_fields.offered import offered, read_all
from portal.desk.dispatch import dispatching
from portal.desk.files.attachments import StoredFile
from portal.desk.messages import Writing
from portal.desk.names import contact_name
from portal.desk.verbs import assigning, changing, editing, following, moving, rating, sharing, snoozing
from portal.desk.verbs import writing as writes
from portal.desk.workflow import Priority, Status
from portal.errors import Conflict, NotFound
from portal.numbers import number_in
from portal.people.readers import ContactReader, Reader, System


class Case(Table, tablename="cases"):
    """A customer's request or problem, with a number that people quote.

    Rows change only through the methods below. `contact_id` is the contact who asks, and `agent_id` the agent to whom
    the case is assigned. `department_id` is the department to which a rule of dispatch or an agent gave the case.
    `opened_by_agent_id` is None if the contact opened the case. `status` is the category of the status `status_id`.
    `updated_at` is the instant of the latest reply or change to a column; deadlines, reminders and the begin of a
    snooze do not count. `first_replied_at` is when the contact got the first reply of an agent.

    `merged_into_id` is the case into which this case was merged: pages and lists show that case instead, and the number
    of this case leads to it. `follows_id` is the closed case that this case continues. `clock_from` is when the clock
    began, if a merge or a split has set this; None means that the clock began when the case was opened. `due_at` is the
    first deadline that is not met, and `soon_at` when that deadline comes near; both are None while the clock is
    paused. `waits_since` is since when the case waits for an answer of the customer, and `reminded_at` when the
    customer was reminded to answer. `closes_at` is when the case closes if nobody answers, as the customer was told.
    `snoozed_until` is when a snoozed case returns to the working views. A `confidential` case is hidden from all
    contacts of the customer except its contact and its watchers.
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
    status_id = BigInt(default=None)
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
    merged_into_id = BigInt(null=True, default=None)
    clock_from = Timestamptz(null=True, default=None)
    due_at = Timestamptz(null=True, default=None)
    soon_at = Timestamptz(null=True, default=None)
    waits_since = Timestamptz(null=True, default=None)
    reminded_at = Timestamptz(null=True, default=None)
    closes_at = Timestamptz(null=True, default=None)
    snoozed_until = Timestamptz(null=True, default=None)
    follows_id = BigInt(null=True, default=None)
    confidential = Boolean(default=False)
    status_word: str
    """The name of the status for the reader. It is set only by functions whose docstring says so."""

    @property
    def stands(self) -> Status:
        """Return the category of the status (the column `status`) as a member of `Status`."""
        return Status(self.status)

    @property
    def clock_began_at(self) -> datetime:
        """Return when the clock of the case began: `clock_from` if it is set, otherwise when the case was opened."""
        opened_at: datetime = self.opened_at
        return self.clock_from or opened_at

    @property
    def urgency(self) -> Priority:
        """Return the column `priority` as a member of `Priority`."""
        return Priority(self.priority)

    @staticmethod
    def visible_sql(reader: Reader | System, alias: str = "cases") -> str:
        """Return an SQL condition on the table alias `alias` for the cases that `reader` may see (R23).

        Agents see all cases. Contacts with the right to see all cases see the cases of their customer. All other
        contacts see only their own cases, cases that they watch, and cases into which a case of theirs was merged.
        Nobody sees a merged case. The condition does not hide confidential cases: row-level security hides them from
        contacts who do not take part in them.
        """
        shown = f"{alias}.merged_into_id is null"
        if not isinstance(reader, ContactReader):
            return shown
        # An array instead of a subquery, so that PostgreSQL can use an index for both parts of the condition.
        own = f" and ({alias}.contact_id = {int(reader.id)} or {alias}.id = any((select app_shared_cases())::bigint[]))"
        return f"{alias}.customer_id = {int(reader.customer_id)} and {shown}{'' if reader.sees_all_cases else own}"

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Return a query for the cases that `reader` may see."""
        return cls.objects().where(WhereRaw(cls.visible_sql(reader)))

    @classmethod
    async def seen_among(cls, numbers: Collection[int], reader: Reader) -> set[int]:
        """Return the numbers in `numbers` whose cases `reader` may see.

        For a merged case, this means that `reader` may see the case into which it was merged.
        """
        sql = f"""
            select n.number from cases n join cases c on c.id = coalesce(n.merged_into_id, n.id)
            where n.number = any($1) and {cls.visible_sql(reader, "c")}"""  # noqa: S608
        return {row["number"] for row in await current().fetch(sql, list(numbers))} if numbers else set()

    @classmethod
    async def find(
        cls, number: str | int, reader: Reader | System, *, hold: bool = False, itself: bool = False
    ) -> Self:
        """Return the case with the number `number`, or the case into which it was merged.

        `number` may be a text from a URL. With `hold`, lock the row of the returned case until the transaction ends;
        rows that refer to the case can still be inserted. With `itself`, raise `Conflict` if the case was merged:
        callers that change the status or a fact use this, because their change is meant for the case on the page, not
        for the one into which it was merged. Raise `NotFound` if there is no such case or the reader may not see it.
        """
        query = cls.visible_to(reader).where(WhereRaw(f"cases.id = {numbered('{}')}", number_of(number)))
        query = query.lock_rows("NO KEY UPDATE") if hold else query
        # A case that was merged while the query waited for its lock no longer matches; its number now finds another case.
        case = await query.first() or (await query.first() if hold else None)
        if case is None:
            raise NotFound
        if itself and case.number != number_of(number):
            raise Conflict(changing.part_of(number_of(number), case.number))
        return case

    @classmethod
    def of_row(cls, values: dict[str, Any]) -> Self:
        """Return a `Case` for a row that raw SQL has read with all columns of the table."""
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
        after: Sequence[changing.LogLine] = (),
        taken: bool = False,
        called: bool = False,
        follows: "Case | None" = None,
        confidential: bool = False,
        own: Mapping[int, str] | None = None,
    ) -> Self:
        """Open a case with its first message, dispatch it, and return it.

        The rules of dispatch choose the agent; with `taken`, the agent who opens the case gets it (S3.8). If a contact
        opens the case, that contact is the contact of the case. If an agent opens the case, `contact_id` is the id of
        the case's contact. This contact must belong to the customer with the id `customer_id`, if that id is given.
        With `called`, an agent has typed what this contact said on the phone, and the text is stored as the contact's
        message. Without `called`, an agent's text is a reply, so no first reply is owed (D49). `after` are further log
        lines, added after the line `opened`. `follows` is the closed case that the new case continues; its watchers
        also watch the new case. `confidential` hides the new case from the contact's colleagues. `own` is what was
        typed into custom fields, by the id of the field; None if the form has no custom fields. Sending the same
        `form_key` again returns the case that was opened with it. Raise `Invalid` with a message for each field that is
        not valid (`subject`, `body`, `case_type`, `priority`, `contact`, `files`, `field_1`). Raise `TooMany` if a
        contact opens more than 30 cases in an hour.
        """
        writing = Writing(text, files, form_key)
        if known := await messages.written_before(writing, by):
            return await cls._of_id(known, by)
        contact_id = by.id if by.is_contact else contact_id
        origin = await opening.origin_of(contact_id, case_type_id, priority, customer_id, by_contact=by.is_contact)
        fields = [] if own is None else await offered(by, case_type_id=case_type_id)
        values, problems = read_all(fields, own or {}, by, case_type_id)
        checked = opening.checked(origin, subject, writing, problems)
        if isinstance(by, ContactReader):
            await opening.refuse_too_many(by, at)
        html = await messages.html_of(writing)
        columns = {
            "customer_id": origin.customer_id, "contact_id": origin.contact_id, "subject": checked, "case_type_id": case_type_id,
            "priority": priority, "status": Status.NEW.value, "service_id": origin.service_id, "opened_at": at, "updated_at": at,
            "opened_by_agent_id": None if by.is_contact else by.id,
            "first_replied_at": None if by.is_contact or called else at, "follows_id": follows.id if follows else None,
            "confidential": confidential,
        }  # fmt: skip
        case = cls.of_row(await insert_whole(cls, columns))
        if follows:
            await sharing.copy_watchers(follows, case)
        await own_values.store_new(case, fields, values)
        caller = (case.contact_id, await contact_name(case.contact_id)) if called and not by.is_contact else None
        message_id = await messages.write(
            case.id, case.customer_id, "reply", writing, html, by=by, at=at, caller=caller
        )
        await changing.finish(case, [("opened", {}), *after], by, at, told_as="case.opened", record_id=message_id)
        if taken and not isinstance(by, ContactReader):
            await case.take(by=by, at=at)
        else:
            await case.dispatch(by=by, at=at, opening=True)
        return case

    reply = writes.reply
    note = writes.note
    take = assigning.take
    assign = assigning.assign
    give_to_department = assigning.give_to_department
    change_status = moving.change_status
    close = moving.close
    reopen = moving.reopen
    rate = rating.rate
    wait_for_customer = moving.wait_for_customer
    answer = following.answer
    snooze = snoozing.snooze
    wake = snoozing.wake
    change_facts = editing.change_facts
    watch = sharing.watch
    unwatch = sharing.unwatch
    set_confidential = sharing.set_confidential
    hand_over = sharing.hand_over
    dispatch = dispatching.dispatch
    """The methods of the modules in `portal/desk/verbs` and `portal/desk/dispatch`."""

    def take_over(self, values: Mapping[str, Any]) -> None:
        """Set attributes of this object to the column values `values`. The stored row is not changed."""
        for column, value in values.items():
            setattr(self, column, value)

    @classmethod
    async def _of_id(cls, case_id: int, reader: Reader) -> Self:
        case = await cls.visible_to(reader).where(cls.id == case_id).first()
        if case is None:
            raise NotFound
        return case


def numbered(number: str) -> str:
    """Return the SQL expression for the id of the case with the number `number`, which is an SQL expression too.

    If the case was merged, the expression returns the id of the case into which it was merged.
    """
    return f"(select coalesce(n.merged_into_id, n.id) from cases n where n.number = {number})"  # noqa: S608


def number_of(number: str | int) -> int:
    """Return a case number as an int. A text, as in a URL, is parsed; raise `NotFound` if it is not a number."""
    if (found := number_in(number)) is None:
        raise NotFound
    return found
