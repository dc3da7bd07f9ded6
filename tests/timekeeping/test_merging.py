"""Test that merging and splitting cases moves everything on them, and that nothing written at the same time is lost.

A merge moves all that is on the *merged case* to the *other case*, and the number of the merged case leads there.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal import billing, notices
from portal.billing import violations
from portal.billing.documents import detail
from portal.database import current, transaction
from portal.desk import Case, Details, Question, Status, agents_list, customers_list, feed_of, named_elsewhere
from portal.desk.appointments import Appointment, AppointmentFacts
from portal.desk.verbs.linking import Linked, link, unlink
from portal.errors import Conflict, Invalid, NotFound, Refusal
from portal.notices.passing import pass_on
from portal.outbox import told_since
from portal.people.readers import SYSTEM
from portal.timekeeping import logged_on
from portal.timekeeping.clock.forgotten import Pick, dismiss, dismissed_by, forgotten_by, suggest_again
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.moving.merging import merge, mergeable
from portal.timekeeping.moving.splitting import split
from portal.timekeeping.versions import of_entry
from portal.timekeeping.work import Work
from portal.web.live import names
from tests.billing.work import NOVEMBER, OCTOBER, log
from tests.desk.test_cases import LATER, everything, opened, reread
from tests.world import ADA, ALAN, GIL, HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def pair(by: Any = ADA) -> tuple[Case, Case]:
    """Open a case by `by` and a case by Ada, and return both. Most tests merge the first case into the second."""
    return await opened(by, subject="Printer offline", text="It beeps."), await opened(subject="Printer jams")


async def merged(*sources: Case, into: Case, by: Any = INES) -> Case:
    async with transaction(by):
        return await merge([case.number for case in sources], into.number, by=by, at=LATER)


async def links_of(case: Case, reader: Any) -> list[Linked]:
    return (await Details.find(case.number, reader)).links


async def counted(sql: str, *values: Any) -> Any:
    async with transaction(SYSTEM) as tx:
        return await tx.fetchval(sql, *values)


async def broken() -> dict[str, list[str]]:
    async with transaction(SYSTEM, readonly=True):
        return await violations()


async def words(case: Case, reader: Any = INES) -> list[tuple[str, int | None]]:
    """Return the text of each event in a case's feed, with the number of the merged case from which the event comes.

    For an event of the case itself, the number is None.
    """
    async with transaction(reader, readonly=True):
        feed = await feed_of(case, reader, files_at="/", company="Halden IT", customer="Acme")
    return [(item.words, item.number) for item in feed.items if item.shape == "event"]


async def test_messages_appointments_and_time_move_together_and_the_log_stays() -> None:
    """D53: a merge moves messages, appointments and time entries; the events in the log stay with the merged case."""
    old, new = await pair()
    async with transaction(INES):
        await old.reply(by=INES, text="Turn it off.", at=NOW)
        await old.note(by=INES, text="Known model.", at=NOW)
        facts = AppointmentFacts(day="2026-11-23", begins="09:00", ends="10:00", agent_id=str(INES.id))
        visit = await Appointment.plan(old, facts, by=INES, at=NOW)
        work = Work(minutes=60, work_date=OCTOBER, service_id=HELPDESK)
        entries = [
            await TimeEntry.log(INES, work, at=NOW, case=old, appointment=visit),
            await TimeEntry.log(INES, work, at=NOW, case=old),
        ]
    events = await counted("select count(*) from case_event where case_id = $1", old.id)
    await merged(old, into=new)
    async with transaction(SYSTEM) as tx:
        for table in ("message", "appointment", "time_entry"):
            assert await tx.fetchval(f"select count(*) from {table} where case_id = $1", old.id) == 0
        assert await tx.fetchval("select count(*) from message where case_id = $1", new.id) == 4
        assert {(await Appointment.find(visit.id, new)).id, *[e.appointment_id for e in entries]} == {visit.id, None}
        assert await tx.fetchval("select count(*) from case_event where case_id = $1", old.id) == events + 1
        versions = await of_entry(entries[0].id)
    assert versions[-1].sentence == "Ines Okafor changed this"
    assert versions[-1].parts == [
        ("Case", f"“#{old.number} Printer offline”", f"“#{new.number} Printer jams”"),
    ]
    assert await broken() == {}


async def test_the_page_shows_the_logs_of_all_merged_cases_with_their_numbers() -> None:
    """D53, S3.10: the page of a case shows the logs of all cases merged into it, also after two merges in a row."""
    first, second = await pair()
    third = await opened(subject="Third")
    await merged(first, into=second)
    await merged(second, into=third)
    found = await words(third)
    assert ("Ada Lindqvist opened the case", first.number) in found
    assert ("Ada Lindqvist opened the case", second.number) in found
    assert ("Ada Lindqvist opened the case", None) in found
    assert (f"Ines Okafor merged #{first.number} “Printer offline” into this case", second.number) in found
    assert (f"Ines Okafor merged #{second.number} “Printer jams” into this case", None) in found
    assert (await reread(first)).id == third.id


async def test_the_old_number_leads_to_the_new_case_wherever_it_is_used() -> None:
    """D53: the number of a merged case leads to the other case: by URL, in lists and searches, and for logging time."""
    old, new = await pair()
    await merged(old, into=new)
    async with transaction(INES, readonly=True):
        details = await Details.find(str(old.number), INES)
        assert (details.case.id, details.merged) == (new.id, [old.number])
        listed = await agents_list(INES, Question(text=f"#{old.number}"))
        assert [row.number for row in listed.rows] == [new.number]
        elsewhere = await named_elsewhere(f"#{old.number}", listed, INES)
        assert elsewhere is not None
        assert elsewhere.id == new.id
        on = await logged_on.named(f"case-{old.number}")
        assert on is not None
        assert on.row_id == new.id
        assert [row.number for row in (await agents_list(INES, Question())).rows] == [new.number]
    async with transaction(ADA, readonly=True):
        for text in ("", f"#{old.number}"):
            assert [row.number for row in (await customers_list(ADA, everything=True, text=text)).rows] == [new.number]


async def test_the_contact_of_a_merged_case_takes_part_in_the_other_one() -> None:
    """D53, R23: Alan, who sees only his own cases, also sees the case into which his case was merged.

    He is notified of replies on that case.
    """
    old, new = await pair(ALAN)
    with pytest.raises(NotFound):
        async with transaction(ALAN):
            await Case.find(new.number, ALAN)
    await merged(old, into=new)
    async with transaction(ALAN):
        assert (await Case.find(old.number, ALAN)).id == new.id
        assert [row.number for row in (await customers_list(ALAN, everything=True)).rows] == [new.number]
    async with transaction(ADA):
        assert (await Details.find(new.number, ADA)).others(ADA) == ["Alan Weber"]
    before = await counted("select pg_current_snapshot()::text")
    async with transaction(INES):
        await (await Case.find(new.number, INES)).reply(by=INES, text="Fixed.", at=LATER)
    async with transaction(SYSTEM):
        await pass_on(LATER)
    async with transaction(ALAN, readonly=True):
        told = (await notices.inbox(ALAN)).notices
    assert [(one.words, one.number) for one in told] == [("Ines Okafor replied", new.number)]
    async with transaction(ALAN, readonly=True):
        missed = await told_since(before, only_cases_of=ALAN.id) or []
    notice = {
        "kind": "case.replied", "subject": new.id, "customer": ALAN.customer_id, "contact": ADA.id,
        "participants": [ALAN.id], "contact_may_know": True,
    }  # fmt: skip
    assert new.id in {row["subject"] for row in missed}
    assert names(ALAN, notice) == [f"case-{new.id}", "cases"]
    assert names(ALAN, notice | {"participants": []}) == []
    participants = "select participant_ids from outbox where kind = 'case.replied' and subject_id = $1"
    assert await counted(participants, new.id) == [ALAN.id]


async def test_earlier_notices_lead_to_the_other_case_and_are_read_there() -> None:
    """D53: a notice about a merged case leads to the other case and is marked as read when that case is read."""
    old, new = await pair()
    async with transaction(INES):
        await old.reply(by=INES, text="On my way.", at=NOW)
    async with transaction(SYSTEM):
        await pass_on(NOW)
    await merged(old, into=new)
    async with transaction(ADA):
        (told,) = (await notices.inbox(ADA)).notices
        assert told.place.startswith(f"/cases/{new.number}#message-")
        await notices.read(ADA, LATER, about=("case", new.id))
        assert await notices.unread(ADA) == 0


async def test_timers_follow_and_links_move_without_doubles() -> None:
    """D53, D54: a timer on the merged case runs on, for the other case; links to third cases move without duplicates.

    A link between the two cases is deleted.
    """
    old, new = await pair()
    other = await opened(GIL, subject="The same at Globex")
    async with transaction(INES):
        on = await logged_on.named(f"case-{old.number}")
        timer = await Timer.start(INES, at=NOW, on=on)
        for one, two in ((old, new), (old, other), (new, other)):
            await link(one, two, by=INES, at=NOW)
    await merged(old, into=new)
    async with transaction(INES):
        assert (await Timer.find(timer.id, INES)).case_id == new.id
        assert [linked.number for linked in await links_of(new, INES)] == [other.number]
    assert await counted("select count(*) from case_link") == 1


async def test_an_approval_stays_and_settled_time_keeps_the_number_of_its_document() -> None:
    """D53: approved time stays approved on the other case, and a draft invoice still names the merged case's number."""
    old, new = await pair()
    async with transaction(SYSTEM):
        settled, approved = await log(60, case_id=old.id), await log(45, case_id=old.id)
    async with transaction(MAX):
        await billing.approve([settled.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [1], by=MAX, at=NOW)
        await billing.approve([approved.choice], by=MAX, at=NOW)
    await merged(old, into=new)
    assert await broken() == {}
    assert await counted("select settled_on_id from time_entry where id = $1", settled.id) == old.id
    assert await counted("select settled_on_id from time_entry where id = $1", approved.id) is None
    assert await counted("select state from time_entry where id = $1", approved.id) == "approved"
    async with transaction(MAX):
        line = await billing.find_entry(MAX, settled.id)
        assert (line.case_number, line.settled_as) == (new.number, old.number)
        draft = await current().fetchval("select id from invoice")
        rows = await detail.live(invoice_id=draft)
        assert {row.case_number for row in rows} == {old.number}
        await billing.delete_draft(draft, by=MAX, at=LATER)
    assert await counted("select settled_on_id from time_entry where id = $1", settled.id) is None
    assert await broken() == {}


async def test_settled_time_keeps_its_first_number_over_two_merges() -> None:
    """D53: a document names the case on which its time was settled, however often that case is merged into others."""
    first, second = await pair()
    third = await opened(subject="Third")
    async with transaction(SYSTEM):
        settled = await log(60, case_id=first.id)
    async with transaction(MAX):
        await billing.approve([settled.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [1], by=MAX, at=NOW)
    await merged(first, into=second)
    await merged(second, into=third)
    assert await counted("select settled_on_id from time_entry where id = $1", settled.id) == first.id
    assert await counted("select case_id from time_entry where id = $1", settled.id) == third.id
    assert await broken() == {}


async def test_merging_into_a_closed_case_opens_it_again_if_work_is_left() -> None:
    old, new = await pair()
    async with transaction(INES):
        await new.close(by=INES, at=NOW)
    await merged(old, into=new)
    assert (await reread(new)).stands is Status.OPEN


@pytest.mark.parametrize(
    ("remains", "goes", "then"),
    [
        (Status.WAITING_FOR_CUSTOMER, Status.NEW, Status.OPEN),
        (Status.WAITING_FOR_OTHERS, Status.OPEN, Status.OPEN),
        (Status.RESOLVED, Status.WAITING_FOR_CUSTOMER, Status.OPEN),
        (Status.WAITING_FOR_CUSTOMER, Status.WAITING_FOR_OTHERS, Status.WAITING_FOR_CUSTOMER),
        (Status.WAITING_FOR_CUSTOMER, Status.CLOSED, Status.WAITING_FOR_CUSTOMER),
        (Status.RESOLVED, Status.CLOSED, Status.RESOLVED),
        (Status.NEW, Status.OPEN, Status.NEW),
    ],
)
async def test_a_question_that_nobody_has_answered_does_not_end_in_a_case_that_waits(
    remains: Status, goes: Status, then: Status
) -> None:
    """D53: a case that waits becomes open if a new or open case is merged into it.

    A resolved case becomes open if the merged case is neither resolved nor closed. Otherwise the case that remains
    keeps its status.
    """
    old, new = await pair()
    async with transaction(INES):
        for case, status in ((old, goes), (new, remains)):
            if status is not Status.NEW:
                await case.change_status(status, by=INES, at=NOW)
    await merged(old, into=new)
    assert (await reread(new)).stands is then


async def test_the_case_that_remains_gets_the_agent_and_the_project_that_it_lacks() -> None:
    """S3.39: the other case, which has no agent and no project, gets both from the merged case; its log says so."""
    old, new = await pair()
    async with transaction(SYSTEM) as tx:
        project = await tx.fetchval(
            "insert into project (customer_id, service_id, name, state, created_at) values (1, 1, 'Move', 'open', $1) returning id",
            NOW,
        )
    async with transaction(INES):
        await old.take(by=INES, at=NOW)
        await old.change_facts(by=INES, at=NOW, project_id=project)
    await merged(old, into=new, by=MAX)
    found = await reread(new)
    assert (found.agent_id, found.project_id) == (INES.id, project)
    assert {
        ("Max Herrmann gave the case to Ines Okafor", None),
        ("Max Herrmann connected the case to the project Move", None),
    } <= set(await words(new))


async def test_a_case_that_is_opened_again_gets_an_agent_who_has_not_left() -> None:
    """S3.39: merging Ines's open case into a resolved case of Max, who has left, opens it and assigns it to Ines."""
    old, new = await pair()
    async with transaction(INES):
        await old.take(by=INES, at=NOW)
    async with transaction(MAX):
        await new.take(by=MAX, at=NOW)
        await new.change_status(Status.RESOLVED, by=MAX, at=NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set ended_at = $1 where id = $2", NOW, MAX.id)
    await merged(old, into=new)
    found = await reread(new)
    assert (found.agent_id, found.stands) == (INES.id, Status.OPEN)


async def test_merging_again_changes_nothing() -> None:
    """Merging the same two cases again, in either direction, changes nothing."""
    old, new = await pair()
    await merged(old, into=new)
    before = await everything()
    assert (await merged(old, into=new)).id == new.id
    assert (await merged(new, into=old)).id == new.id
    assert await everything() == before


async def test_a_refused_merge_changes_nothing() -> None:
    """A merge is refused for cases of two customers, a case with itself, eleven cases, and unknown or merged cases.

    A merge by a contact is refused too. No refused merge changes anything.
    """
    old, new = await pair()
    foreign, third = await opened(GIL), await opened()
    many = [await opened() for _ in range(9)]
    await merged(many[0], into=third)
    before = await everything()
    refused: list[tuple[list[int], int, type[Refusal]]] = [
        ([foreign.number], new.number, Invalid),
        ([new.number], new.number, Invalid),
        ([one.number for one in (*many[1:], old, third, new)], new.number, Invalid),
        ([9999], new.number, NotFound),
        ([many[0].number], new.number, Conflict),
        ([new.number], many[0].number, Conflict),
    ]
    for numbers, into, kind in refused:
        with pytest.raises(kind):
            async with transaction(INES):
                await merge(numbers, into, by=INES, at=LATER)
    with pytest.raises(NotFound):
        async with transaction(ADA):
            await merge([old.number], new.number, by=ADA, at=LATER)  # type: ignore[arg-type]
    assert await everything() == before


async def test_the_page_names_what_would_move_and_why_it_cannot() -> None:
    old, new = await pair(ALAN)
    foreign = await opened(GIL)
    async with transaction(INES, readonly=True):
        cases, problem = await mergeable([new.number, old.number], INES)
        assert [(one.number, one.messages, one.contact_sees_all) for one in cases] == [
            (old.number, 1, False), (new.number, 1, True),
        ]  # fmt: skip
        assert problem == ""
        assert (await mergeable([new.number, foreign.number], INES))[1].startswith(
            "These cases are not of one customer."
        )
        assert (await mergeable([new.number, 9999], INES))[1] == "There is no case #9999."


@pytest.mark.parametrize(
    "sql",
    [
        "insert into message (customer_id, case_id, kind, agent_id, author_name, text, html, at) values (1, $1, 'reply', 1, 'I', 't', 't', now())",
        "insert into appointment (customer_id, case_id, agent_id, kind, starts_at, ends_at, note, created_at)"
        " values (1, $1, 1, 'call', now(), now() + interval '1 hour', '', now())",
        "insert into timer (agent_id, customer_id, case_id, note, created_at) values (1, 1, $1, '', now())",
        "insert into time_entry (customer_id, case_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,"
        " external_comment, description, state, created_at, window_from)"
        " values (1, $1, 1, 1, '2026-10-06', 5, 'not_billable', 0, '', '', 'draft', now(), now())",
    ],
)
async def test_the_database_refuses_whatever_is_written_to_a_merged_case(sql: str) -> None:
    """R88: the database refuses every row that is written to a merged case, and names both numbers in its error."""
    old, new = await pair()
    await merged(old, into=new)
    with pytest.raises(Conflict, match=f"#{old.number} is now part of #{new.number}"):
        async with transaction(INES) as tx:
            await tx.execute(sql, old.id)


async def test_the_database_refuses_to_change_a_merged_case_or_a_message() -> None:
    old, new = await pair()
    await merged(old, into=new)
    third = await opened()
    for sql in (
        "update cases set subject = 'x' where id = $1",
        "update cases set status = 'open', closed_at = null, merged_into_id = null where id = $1",
        "update cases set merged_into_id = $1 where id = $2",
        "update cases set merged_into_id = $2, status = 'closed', closed_at = now(), resolved_at = now() where id = $3",
        "insert into case_link (case_id, other_id, linked_by_id, linked_at) values (least($1::int, $2), greatest($1::int, $2), 1, now())",
        "update message set text = 'x' where case_id = $3",
    ):
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
            async with transaction(SYSTEM) as tx:
                await tx.execute(sql.replace("$3", str(new.id)).replace("$2", str(third.id)).replace("$1", str(old.id)))
    for by in (ADA, MAX, NOOR):
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError, Conflict)):
            async with transaction(by) as tx:
                changed = await tx.execute("update cases set status = 'open', closed_at = null where id = $1", old.id)
                raise Conflict if changed == "UPDATE 0" else AssertionError(changed)


class Gate:
    """Keeps the transaction of a merge open until a concurrent step waits for a lock of the merge or has ended."""

    def __init__(self, old: Case, new: Case) -> None:
        self.old, self.new = old, new
        self.holds = asyncio.Event()

    async def merge(self) -> None:
        async with transaction(NOOR) as tx:
            await merge([self.old.number], self.new.number, by=NOOR, at=LATER)
            self.holds.set()
            for _ in range(200):
                if await tx.fetchval("select count(*) from pg_locks where not granted") or self.done:
                    break
                await asyncio.sleep(0.02)

    done = False

    async def beside(self, step: Callable[[], Awaitable[Any]]) -> Any:
        """Run `step` while the merge holds its locks, and return its result, or the refusal that it raised."""

        async def late() -> Any:
            await self.holds.wait()
            try:
                return await step()
            except Refusal as refusal:
                return refusal
            finally:
                self.done = True

        return (await asyncio.gather(self.merge(), late()))[1]


async def gated(by: Any = ADA) -> Gate:
    return Gate(*await pair(by))


async def test_a_reply_that_is_sent_during_the_merge_lands_on_the_other_case() -> None:
    """D53: replies of an agent and of a contact that are sent during the merge are stored on the other case."""
    for by in (INES, ALAN):
        gate = await gated(ALAN)
        async with transaction(by):
            seen = await Case.find(gate.old.number, by)

        async def reply(by: Any = by, seen: Case = seen) -> None:
            async with transaction(by):
                await seen.reply(by=by, text="Sent in time.", at=LATER)

        assert await gate.beside(reply) is None
        sql = "select count(*) from message where case_id = $1 and text = 'Sent in time.'"
        assert await counted(sql, gate.new.id) == 1
    assert await broken() == {}


async def test_a_status_that_is_set_during_the_merge_is_refused() -> None:
    """A status that is set during the merge is refused, because it was meant for the merged case only.

    The other case keeps its status.
    """
    gate = await gated()
    async with transaction(INES):
        seen = await Case.find(gate.old.number, INES)

    async def close() -> None:
        async with transaction(INES):
            await seen.change_status(Status.RESOLVED, by=INES, at=LATER)

    refusal = await gate.beside(close)
    assert isinstance(refusal, Conflict)
    assert refusal.sentence == f"#{gate.old.number} is now part of #{gate.new.number}. Look at that case."
    assert (await reread(gate.new)).stands is Status.NEW


async def test_a_page_that_locks_the_case_during_the_merge_finds_the_other_one() -> None:
    """D53: a request that looks up the merged case during the merge waits for the merge and gets the other case.

    A request that needs the merged case itself is refused with an error message that names both numbers.
    """
    for itself in (False, True):
        gate = await gated()

        async def hold(itself: bool = itself, gate: Gate = gate) -> int:
            async with transaction(INES):
                return (await Case.find(gate.old.number, INES, hold=True, itself=itself)).id

        found = await gate.beside(hold)
        if itself:
            assert isinstance(found, Conflict)
            assert found.sentence == f"#{gate.old.number} is now part of #{gate.new.number}. Look at that case."
        else:
            assert found == gate.new.id


async def test_time_that_is_logged_during_the_merge_is_refused_with_the_other_number() -> None:
    """D53: logging time on the merged case during the merge is refused; the error names the other case's number.

    Nothing of the entry is stored.
    """
    gate = await gated()

    async def log_it() -> None:
        async with transaction(INES):
            work = Work(minutes=60, work_date=OCTOBER, service_id=HELPDESK)
            await TimeEntry.log(INES, work, at=LATER, case=gate.old)

    refusal = await gate.beside(log_it)
    assert isinstance(refusal, Conflict)
    assert f"#{gate.new.number}" in refusal.sentence
    assert await counted("select count(*) from time_entry") == 0


async def test_a_timer_that_is_logged_during_the_merge_runs_on_for_the_other_case() -> None:
    """D53, D54: logging a timer's time during the merge is refused; the timer then runs on for the other case."""
    gate = await gated()
    async with transaction(INES):
        timer = await Timer.start(INES, at=NOW, on=await logged_on.named(f"case-{gate.old.number}"))

    async def stop() -> None:
        async with transaction(INES):
            held = await Timer.find(timer.id, INES, hold=True)
            work = Work(minutes=60, work_date=OCTOBER, service_id=HELPDESK)
            entry = await TimeEntry.log(INES, work, at=LATER, case=gate.old)
            await held.finish(entry.id, INES, at=LATER)

    assert isinstance(await gate.beside(stop), Conflict)
    async with transaction(INES):
        found = await Timer.find(timer.id, INES)
    assert (found.case_id, found.ended_at) == (gate.new.id, None)
    assert await broken() == {}


async def test_time_that_is_changed_during_the_merge_keeps_the_change() -> None:
    """D34, D53: an entry that its author changes during the merge is both changed and moved, without a deadlock."""
    gate = await gated()
    async with transaction(INES):
        entry = await TimeEntry.log(
            INES, Work(minutes=60, work_date=OCTOBER, service_id=HELPDESK), at=NOW, case=gate.old
        )

    async def change() -> None:
        async with transaction(INES):
            work = Work(minutes=75, work_date=OCTOBER, service_id=HELPDESK)
            await (await TimeEntry.find(entry.id, INES)).change(INES, work, version=1, at=LATER)

    assert await gate.beside(change) is None
    async with transaction(SYSTEM):
        found = await TimeEntry.find(entry.id, SYSTEM)
    assert (found.actual_minutes, found.case_id) == (75, gate.new.id)
    assert await broken() == {}


async def test_an_approval_and_a_billing_run_wait_for_the_merge() -> None:
    """D53: time that is approved or billed during the merge is approved or billed on the other case."""
    for verb in ("approve", "run"):
        gate = await gated()
        async with transaction(SYSTEM):
            entry = await log(60, case_id=gate.old.id)
        if verb == "run":
            async with transaction(MAX):
                await billing.approve([entry.choice], by=MAX, at=NOW)

        async def decide(verb: str = verb, entry: Any = entry) -> Any:
            async with transaction(MAX):
                if verb == "approve":
                    return await billing.approve([entry.choice], by=MAX, at=LATER)
                return await billing.run(NOVEMBER, [1], by=MAX, at=LATER)

        assert not isinstance(await gate.beside(decide), Refusal)
        assert await counted("select state from time_entry where id = $1", entry.id) == "approved"
        assert await counted("select case_id from time_entry where id = $1", entry.id) == gate.new.id
        assert await broken() == {}


async def test_of_two_merges_at_once_the_second_is_refused() -> None:
    """A merge that waits for another merge of the same case is refused.

    This holds for a merge into a third case and for one in the other direction. Repeating the first merge afterwards
    changes nothing.
    """
    gate = await gated()
    third = await opened(subject="Third")

    async def same() -> Any:
        return await merged(gate.old, into=gate.new)

    async def crossing() -> Any:
        return await merged(gate.old, into=third)

    refusal = await gate.beside(crossing)
    assert isinstance(refusal, Conflict)
    assert (await reread(gate.old)).id == gate.new.id
    again = Gate(*await pair())

    async def backwards() -> Any:
        return await merged(again.new, into=again.old)

    assert isinstance(await again.beside(backwards), Conflict)
    assert (await same()).id == gate.new.id
    assert await broken() == {}


async def test_chosen_messages_become_a_new_case_that_is_linked() -> None:
    """A split moves the chosen messages and the chosen time to a new case, and links both cases.

    The log of the new case names the old one, and the customer sees the log entry and the link.
    """
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="And the other matter?", at=NOW)
        entry = await TimeEntry.log(INES, Work(minutes=15, work_date=OCTOBER, service_id=HELPDESK), at=NOW, case=case)
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="The scanner is broken too.", at=LATER)
    chosen = await counted("select id from message where text like 'The scanner%'")
    async with transaction(INES):
        made = await split(case, {chosen}, {entry.id}, " Scanner broken ", by=INES, at=LATER)
        again = await split(case, {chosen}, {entry.id}, "Scanner broken", by=INES, at=LATER)
        linked = [one.number for one in await links_of(made, INES)]
    assert (again.id, made.subject, made.contact_id, linked) == (made.id, "Scanner broken", ADA.id, [case.number])
    assert await counted("select case_id from message where id = $1", chosen) == made.id
    assert await counted("select case_id from time_entry where id = $1", entry.id) == made.id
    async with transaction(ADA, readonly=True):
        assert [one.number for one in await links_of(case, ADA)] == [made.number]
    assert (f"Ines Okafor split this case off #{case.number}", None) in await words(made, ADA)
    assert await broken() == {}


async def test_a_refused_split_changes_nothing() -> None:
    """A split is refused without a subject, or if approved time is chosen, or if the chosen messages do not fit.

    Messages do not fit if none is chosen, if only notes or all replies are chosen, or if one is of another case. A
    split by a contact is refused too. No refused split changes anything.
    """
    case, foreign = await opened(), await opened(GIL)
    async with transaction(INES):
        await case.note(by=INES, text="For us.", at=NOW)
        await case.reply(by=INES, text="Yes?", at=NOW)
    async with transaction(SYSTEM):
        entry = await log(60, case_id=case.id)
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
    ids = {
        name: await counted("select id from message where text = $1 and case_id = any($2)", text, [case.id, foreign.id])
        for name, text in (("note", "For us."), ("reply", "Yes?"))
    }
    first = await counted("select min(id) from message where case_id = $1", case.id)
    theirs = await counted("select id from message where case_id = $1", foreign.id)
    before = await everything()
    for messages, entries, subject, by, kind in (
        (set(), set(), "New", INES, Invalid),
        ({ids["reply"]}, set(), "  ", INES, Invalid),
        ({ids["note"]}, set(), "New", INES, Invalid),
        ({ids["reply"], first}, set(), "New", INES, Invalid),
        ({theirs}, set(), "New", INES, Conflict),
        ({ids["reply"]}, {entry.id}, "New", INES, Invalid),
        ({ids["reply"]}, set(), "New", ADA, NotFound),
    ):
        with pytest.raises(kind):
            async with transaction(by):
                await split(case, messages, entries, subject, by=by, at=LATER)  # type: ignore[arg-type]
    assert await everything() == before


async def test_a_link_is_seen_from_both_cases_and_by_customers_only_if_they_see_both() -> None:
    """R23, R29: agents see a link between two cases on both cases and in the log.

    Contacts see the link on a case only if they may see both cases, and never in the log. Adding or removing a link
    twice changes nothing more, and a link of a case with itself is refused.
    """
    hers, his, theirs = await opened(), await opened(ALAN), await opened(GIL)
    async with transaction(INES):
        for other in (his, theirs, his):
            await link(hers, other, by=INES, at=NOW)
        assert {one.number for one in await links_of(hers, INES)} == {his.number, theirs.number}
        assert [one.number for one in await links_of(theirs, INES)] == [hers.number]
    for reader, case, seen in ((ADA, hers, [his.number]), (ALAN, his, []), (GIL, theirs, [])):
        async with transaction(reader, readonly=True) as tx:
            assert [one.number for one in await links_of(case, reader)] == seen
            assert await tx.fetchval("select count(*) from case_link") == (1 if reader in (ADA, ALAN) else 0)
    assert [kind for kind, *_ in [(row["kind"],) for row in await events_of(hers)]] == ["opened", "linked", "linked"]
    assert await words(hers, ADA) == []
    async with transaction(INES):
        for _ in range(2):
            await unlink(his, hers, by=INES, at=LATER)
        assert [one.number for one in await links_of(hers, INES)] == [theirs.number]
        with pytest.raises(Invalid):
            await link(hers, hers, by=INES, at=LATER)


async def events_of(case: Case) -> list[dict[str, Any]]:
    async with transaction(INES) as tx:
        rows = await tx.fetch("select kind, details from case_event where case_id = $1 order by id", case.id)
    return [{"kind": row["kind"], "details": json.loads(row["details"])} for row in rows]


async def test_forgotten_time_and_its_dismissal_follow_the_merge() -> None:
    """Forgotten time of the merged case is suggested on the other case, and can be dismissed there."""
    old, new = await pair()
    async with transaction(INES):
        await old.change_status(Status.RESOLVED, by=INES, at=NOW)
    tomorrow = NOW + timedelta(days=1)
    await merged(old, into=new)
    async with transaction(INES):
        (found,) = await forgotten_by(INES, tomorrow)
        assert (found.number, found.ended) == (new.number, "resolved")
        pick = Pick(new.number, found.day)
        assert await dismiss(INES, [pick], at=tomorrow) == 1
        assert await forgotten_by(INES, tomorrow) == []
        await suggest_again(INES, pick)
        assert await dismissed_by(INES, tomorrow) == []
