"""Test who is notified of a change, that each person is notified once, and that no outbox row is missed."""

import asyncio
import contextvars
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal import billing, notices
from portal.database import transaction
from portal.desk import Case, Status
from portal.desk.verbs.rating import Rated
from portal.notices import passing
from portal.notices.kinds import KINDS
from portal.people.access import credentials
from portal.people.readers import SYSTEM, Reader
from portal.timekeeping import flags
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from tests.billing.work import NOVEMBER, log
from tests.world import ACME, ADA, ALAN, GIL, HELPDESK, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
LATER = NOW + timedelta(hours=1)
EVERYBODY = {reader.credential_id: reader.name.split()[0] for reader in (INES, MAX, NOOR, ADA, ALAN, GIL)}


async def opened(by: Reader = ADA, **more: Any) -> Case:
    values = {"subject": "VPN drops", "text": "It drops.", "case_type_id": INCIDENT, "at": NOW}
    async with transaction(by):
        return await Case.open(by=by, **(values | more))


async def pass_on(most: int = 500) -> int:
    async with transaction(SYSTEM):
        return await notices.pass_on(LATER, most=most)


async def told() -> set[tuple[str, str]]:
    """Pass on the outbox, delete all notices, and return who was notified and of what kind of event.

    Assert that nobody got two notices of one kind.
    """
    while await pass_on():
        pass
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select credential_id, kind from notice order by id")
        await tx.execute("delete from notice")
    found = [(EVERYBODY[row["credential_id"]], row["kind"]) for row in rows]
    assert len(found) == len(set(found)), found
    return set(found)


async def test_the_database_knows_the_same_kinds_as_the_registry() -> None:
    async with transaction(SYSTEM) as tx:
        check = await tx.fetchval(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = 'notice_kind_check'"
        )
    assert {word for word in check.split("'") if "." in word} == set(KINDS)


async def test_every_agent_is_notified_of_a_new_case_until_it_is_assigned() -> None:
    """S3.4: when a case is opened, all agents except the one who opened it are notified.

    A contact for whom an agent opened the case is notified too. When the case is assigned, only its new agent is
    notified.
    """
    case = await opened()
    assert await told() == {("Ines", "case.opened"), ("Max", "case.opened"), ("Noor", "case.opened")}
    await opened(MAX, contact_id=ALAN.id)
    assert await told() == {("Ines", "case.opened"), ("Noor", "case.opened"), ("Alan", "case.opened")}
    async with transaction(MAX):
        await case.assign(INES.id, by=MAX, at=LATER)
    assert await told() == {("Ines", "case.assigned")}


async def test_a_contact_who_is_erased_while_notices_are_made_is_skipped(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D58: if Alan is erased after his settings were read and before his notice is made, others get their notices."""
    await opened(MAX, contact_id=ALAN.id)
    choices_of = passing.choices_of

    async def then_erased(ids: Any) -> Any:
        found = await choices_of(ids)
        owner = await asyncpg.connect(dsn)
        await owner.execute("delete from credential where id = $1", ALAN.credential_id)
        await owner.close()
        return found

    monkeypatch.setattr(passing, "choices_of", then_erased)
    assert await told() == {("Ines", "case.opened"), ("Noor", "case.opened")}


async def test_a_case_that_somebody_took_is_new_to_nobody() -> None:
    case = await opened()
    await pass_on()
    async with transaction(INES):
        await case.take(by=INES, at=LATER)
    await pass_on()
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select bool_and(read_at = $1) from notice", LATER)


async def test_a_reply_notifies_the_other_side() -> None:
    """S3.4, S3.7: Alan, the contact of the case, and Ines, its agent, are each notified of everybody else's replies."""
    case = await opened(ALAN)
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
    await told()
    async with transaction(INES):
        await case.reply(by=INES, text="We look.", at=NOW)
    assert await told() == {("Alan", "case.replied")}
    async with transaction(ALAN):
        await case.reply(by=ALAN, text="Thank you.", at=NOW)
    assert await told() == {("Ines", "case.replied")}
    async with transaction(ADA):
        await case.reply(by=ADA, text="It is urgent.", at=NOW)
    assert await told() == {("Ines", "case.replied"), ("Alan", "case.replied")}
    async with transaction(MAX):
        await case.reply(by=MAX, text="I help.", at=NOW)
    assert await told() == {("Ines", "case.replied"), ("Alan", "case.replied")}


async def test_a_customers_reply_on_a_case_without_an_agent_notifies_all_agents() -> None:
    """S3.4: on a case without an agent, all agents are notified of a customer's reply, but not of an agent's reply."""
    case = await opened(ALAN)
    await told()
    async with transaction(INES):
        await case.reply(by=INES, text="We look.", at=NOW)
    assert await told() == {("Alan", "case.replied")}
    async with transaction(ALAN):
        await case.reply(by=ALAN, text="Thank you.", at=NOW)
    assert await told() == {("Ines", "case.replied"), ("Max", "case.replied"), ("Noor", "case.replied")}


async def test_a_note_notifies_whom_it_mentions_and_no_contact() -> None:
    """R27: only Ines, whom Max mentions in a note, is notified of it.

    A mention of Max himself, a mail address, and a name without @ notify nobody.
    """
    case = await opened()
    await told()
    async with transaction(MAX):
        await case.note(by=MAX, text="No word to Ada, @ines okafor. Mail a@noor.example, @Max.", at=NOW)
    assert await told() == {("Ines", "case.mentioned")}


async def test_the_contact_is_notified_of_a_status_and_the_agent_if_a_contact_sets_it() -> None:
    case = await opened()
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
    await told()
    for status, tells in [
        (Status.WAITING_FOR_OTHERS, set()), (Status.WAITING_FOR_CUSTOMER, {("Ada", "case.status")}),
        (Status.RESOLVED, {("Ada", "case.status")}), (Status.OPEN, {("Ada", "case.status")}),
    ]:  # fmt: skip
        async with transaction(MAX):
            await case.change_status(status, by=MAX, at=LATER)
        assert await told() == tells, status
    async with transaction(ADA):
        await case.close(by=ADA, at=LATER)
    assert await told() == {("Ines", "case.status")}


async def test_the_agent_and_the_manager_of_the_department_are_notified_of_a_bad_rating() -> None:
    """Nobody is notified of a good rating; the agent and the manager are notified when it is changed to a bad one."""
    case = await opened()
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
        await case.change_status(Status.RESOLVED, by=INES, at=NOW)
    await told()
    for verdict, tells in [("good", set()), ("bad", {("Ines", "case.rated"), ("Max", "case.rated")})]:
        async with transaction(ADA):
            await (await Case.find(case.number, ADA)).rate(Rated(verdict=verdict), by=ADA, at=LATER)
        assert await told() == tells, verdict


async def test_a_decision_on_time_makes_one_notice_for_the_author_however_many_entries() -> None:
    """S2.35, C3: Ines gets one notice that Max rejected three entries, and one notice that he flagged two.

    Max gets one notice that Ines answered the question of a flag.
    """
    async with transaction(MAX):
        entries = [await log(60), await log(30), await log(15, service=None, billing="not_billable")]
        await billing.reject([entry.choice for entry in entries], reason="Which case?", by=MAX, at=NOW)
        asked = [await log(20), await log(25)]
        await billing.flag([entry.choice for entry in asked], question="Which switch?", by=MAX, at=NOW)
    assert await told() == {("Ines", "time.rejected"), ("Ines", "time.flagged")}
    async with transaction(INES):
        await flags.answer(asked[1].id, "The old one.", by=INES, at=NOW)
    assert await told() == {("Max", "time.answered")}


async def test_an_agent_is_notified_of_a_managers_changes_and_not_of_their_own() -> None:
    """D34: Ines is notified when Max changes, deletes or logs her time, and not of what she does herself."""
    work = Work(minutes=60, work_date=NOW.date(), service_id=HELPDESK, external_comment="Switch replaced")
    async with transaction(INES):
        entry = await TimeEntry.log(INES, work, at=NOW)
        entry = await entry.change(INES, Work(minutes=45, work_date=NOW.date(), service_id=HELPDESK), version=1, at=NOW)
    assert await told() == set()
    async with transaction(MAX):
        entry = await billing.change_entry(entry.id, work, version=entry.version, by=MAX, at=NOW)
    assert await told() == {("Ines", "time.changed")}
    async with transaction(MAX):
        await billing.delete_entry(entry.id, version=entry.version, by=MAX, at=NOW)
    assert await told() == {("Ines", "time.changed")}
    async with transaction(MAX):
        await TimeEntry.log(MAX, work, agent_id=INES.id, at=NOW)
    assert await told() == {("Ines", "time.changed")}


async def test_an_issued_invoice_notifies_the_contacts_who_may_see_it() -> None:
    """R26, R27: only Ada is notified of an invoice to Acme: Alan may not see invoices, and Gil belongs to Globex."""
    async with transaction(MAX):
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run
        await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    assert {one for one in await told() if one[1] == "invoice.issued"} == {("Ada", "invoice.issued")}


async def test_nobody_without_access_is_notified() -> None:
    """R12: Ines, whose access was disabled before the notices are made, gets none."""
    await opened()
    async with transaction(NOOR):
        await credentials.disable(INES.credential_id, NOW)
    assert await told() == {("Max", "case.opened"), ("Noor", "case.opened")}


async def test_no_notice_is_made_twice_by_two_workers() -> None:
    """R76: two workers that read the outbox at once take different rows, so that no notice is made twice.

    If a row is read again, no notice is added, and a constraint of the database refuses a duplicate.
    """
    for _ in range(3):
        await opened()
    async with transaction(SYSTEM):
        assert await notices.pass_on(LATER, most=2) == 2
        other = asyncio.create_task(pass_on(), context=contextvars.Context())
        assert await asyncio.wait_for(other, 5) == 1
    assert await pass_on() == 0
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice") == 9
        await tx.execute("update outbox set passed_on = false")
    await pass_on()
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice") == 9
    with pytest.raises(asyncpg.UniqueViolationError):
        async with transaction(SYSTEM) as tx:
            await tx.execute(
                "insert into notice (credential_id, kind, record_id, subject_id, at, in_app)"
                " select credential_id, kind, record_id, subject_id, at, in_app from notice"
            )


async def test_a_row_that_is_committed_late_is_passed_on_although_later_rows_were_before_it() -> None:
    """R76: an outbox row that is committed after rows with higher ids is passed on all the same."""
    async with transaction(INES):
        await Case.open(by=INES, subject="First", text="x", case_type_id=INCIDENT, at=NOW, contact_id=ADA.id)
        await asyncio.create_task(opened(INES, contact_id=ALAN.id), context=contextvars.Context())
        await asyncio.create_task(pass_on(), context=contextvars.Context())
        seen = await asyncio.create_task(_names(), context=contextvars.Context())
        assert seen == {"Alan", "Max", "Noor"}
    await pass_on()
    assert await _names() == {"Alan", "Ada", "Max", "Noor"}


async def _names() -> set[str]:
    async with transaction(SYSTEM) as tx:
        return {EVERYBODY[row["credential_id"]] for row in await tx.fetch("select credential_id from notice")}


async def test_a_contact_needs_no_right_on_the_job_queue_and_sees_own_notices_only() -> None:
    """R24, R26: row-level security lets contacts and agents read and change only their own notices.

    In the outbox, a contact reads only the rows that say that their own notices have changed.
    """
    await opened(MAX, contact_id=ALAN.id)
    await opened(MAX, contact_id=ADA.id)
    await pass_on()
    for reader, expected in [(ALAN, 1), (ADA, 1), (GIL, 0), (MAX, 0), (INES, 2)]:
        async with transaction(reader) as tx:
            rows = await tx.fetch("select credential_id from notice")
            assert [row["credential_id"] for row in rows] == [reader.credential_id] * expected
            assert (
                await tx.execute("update notice set read_at = at where credential_id <> $1", reader.credential_id)
                == "UPDATE 0"
            )
    async with transaction(ADA) as tx:
        kinds = await tx.fetch("select distinct subject_id from outbox where kind = 'notice.changed'")
        assert [row["subject_id"] for row in kinds] == [ADA.credential_id]
