"""Test that an admin destroys a text or a file of a case for good, wherever it is kept, and that nobody else can."""

import asyncio
import uuid
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from portal import notices
from portal.billing.invariants import violations
from portal.database import transaction
from portal.desk import Case, Details, Status
from portal.desk.custom_fields.fields import CaseField
from portal.desk.files.attachments import sweep_uploads
from portal.desk.messages import Writing
from portal.desk.replies import outgoing
from portal.desk.verbs.rating import Rated
from portal.errors import Conflict, Invalid, NotFound
from portal.notices import mailing
from portal.people.readers import SYSTEM
from portal.personal.redacting import delete_redacted, redact, redactable
from portal.storage import Storage, open_storage
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.moving.merging import merge
from portal.web import drafts
from portal.web.gate import Gate
from tests import owner
from tests.browser import Browser
from tests.desk.files import upload
from tests.desk.test_custom_fields import filled, made
from tests.places import furnished
from tests.world import ADA, GIL, HELPDESK, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")
BERLIN = ZoneInfo("Europe/Berlin")
SECRET = "hunter2-is-the-password-of-everything"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(f"file://{tmp_path}/files")


async def dialogue(storage: Storage) -> tuple[Case, dict[str, str]]:
    """Create a case of Ada with the secret in all its texts.

    Return the case, and the key of each text or file that can be redacted, by its noun (such as "a file").
    """
    file = await upload(storage, ADA, f"{SECRET}.txt")
    async with transaction(ADA):
        case = await Case.open(
            by=ADA, subject=SECRET, text=f"It is {SECRET}.", case_type_id=INCIDENT, priority=2, files=[file], at=NOW
        )
    async with transaction(INES):
        await case.note(by=INES, text=f"They use {SECRET}.", at=NOW)
        work = Work(
            minutes=30, work_date=NOW.date(), service_id=HELPDESK, external_comment=f"Set {SECRET}", description=SECRET
        )
        await TimeEntry.log(INES, work, at=NOW, case=case)
    async with transaction(NOOR):
        found = await redactable(case)
    return case, {one.noun: one.key for one in found}


async def gone(case: Case, key: str, reason: str = "A password", by: Any = NOOR) -> None:
    async with transaction(by):
        await redact(await Case.find(case.number, by), key, reason, by=by, zone=BERLIN, at=NOW)


async def kept(dsn: str) -> dict[str, int]:
    """Return, by table, how many rows contain the secret or "hunter2"; tables without such a row are left out."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
        )
        counts = {
            row["name"]: await connection.fetchval(
                f"select count(*) from \"{row['name']}\" t where strpos(to_jsonb(t)::text, $1) > 0"
                " or strpos(to_jsonb(t)::text, 'hunter2') > 0", SECRET,
            )
            for row in tables
        }  # fmt: skip
    finally:
        await connection.close()
    return {name: count for name, count in counts.items() if count}


async def test_what_is_redacted_is_nowhere_in_the_database(dsn: str, storage: Storage) -> None:
    """Redacting every text and the file of a case removes the secret from all tables, such as the log and drafts."""
    case, keys = await dialogue(storage)
    async with transaction(NOOR):
        await case.change_facts(by=NOOR, at=NOW, subject=f"{SECRET} again")
    async with transaction(None) as tx:
        await tx.execute(
            "insert into draft (credential_id, address, fields, kept_at) values ($1, $2, jsonb_build_object('body', $3::text), now())",
            INES.credential_id, f"/agent/cases/{case.number}/replies", f"> It is {SECRET}.\n\nPlease change it.",
        )  # fmt: skip
    assert {"cases", "message", "attachment", "case_event", "case_words", "time_entry", "draft"} <= (
        await kept(dsn)
    ).keys()
    for key in keys.values():
        await gone(case, key)
    assert await kept(dsn) == {}
    async with transaction(ADA, readonly=True) as tx:
        shown = "Redacted by Noor Haddad on 20 Nov 2026: A password"
        assert (await Details.find(case.number, ADA)).case.subject == shown
        assert await tx.fetchval("select text from message") == shown
        assert [row["note"] for row in await tx.fetch("select note from redaction where what = 'file'")] == [shown]
    async with transaction(SYSTEM):
        assert not any((await violations()).values())


TOUCHED = """
select sum(pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid))
    filter (where c.oid = 'case_words'::regclass)::int as written,
  sum(pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_returned(c.oid) * (c.relkind = 'r')::int)
    filter (where c.oid = 'message'::regclass or i.indrelid = 'message'::regclass)::int as read
from pg_class c left join pg_index i on i.indexrelid = c.oid where c.relkind in ('r', 'i')
"""
"""How many rows of search words the transaction wrote, and how many messages it read, by an index or by a scan."""


@pytest.mark.parametrize("what", ["message", "file"])
async def test_what_a_redaction_costs_does_not_grow_with_the_case(dsn: str, storage: Storage, what: str) -> None:
    """Redacting a message or file writes one row of the case's search words, however many messages the case has.

    It reads fewer than 20 messages.
    """
    touched = []
    for turns in (2, 12):
        files = [await upload(storage, INES, "xyzzy.txt")]
        async with transaction(ADA):
            case = await Case.open(by=ADA, subject="Long", text="x", case_type_id=INCIDENT, priority=2, at=NOW)
        async with transaction(INES) as tx:
            for turn in range(turns * 10):
                text = f"{'word ' * 1000} {SECRET if turn == turns else turn}"
                await case.reply(by=INES, text=text, files=files if turn == turns else (), at=NOW)
            texts = await tx.fetch("select id, text from message where case_id = $1", case.id)
            file = await tx.fetchval(
                "select a.id from attachment a join message m on m.id = a.message_id where m.case_id = $1", case.id
            )
        async with owner.connected(dsn) as connection:
            await connection.execute("analyze message, attachment, case_words")
        key = {"message": next(row["id"] for row in texts if SECRET in row["text"]), "file": file}[what]
        async with transaction(NOOR) as tx:
            found = await Case.find(case.number, NOOR)
            await tx.execute("set local enable_seqscan = off")  # as the planner decides for a large table
            before = dict(await tx.fetchrow(TOUCHED))
            await redact(found, f"{what}-{key}", "A password", by=NOOR, zone=BERLIN, at=NOW)
            touched.append({name: count - before[name] for name, count in (await tx.fetchrow(TOUCHED)).items()})
            words = await tx.fetch("select words::text, size from case_words where case_id = $1", case.id)
            assert sum(row["size"] for row in words) == await tx.fetchval(
                "select sum(length(text)) from message where case_id = $1", case.id
            )
            left = " ".join(row["words"] for row in words)
            assert ("hunter2" in left, "xyzzy" in left) == (what == "file", what == "message")
    assert [one["written"] for one in touched] == [1, 1]
    assert max(one["read"] for one in touched) < 20, touched


async def test_search_words_that_do_not_know_their_messages_are_all_written_anew(dsn: str, storage: Storage) -> None:
    """If the stored search words do not name their messages, a redaction writes all search words of the case again.

    Search words are in this state after an upgrade. The result is the same as if they were written for a new case.
    """
    case, keys = await dialogue(storage)
    async with owner.connected(dsn) as connection:
        await connection.execute("update case_words set from_message = null")
        await gone(case, keys["a note"])
        lexemes = "select part, from_message, tsvector_to_array(words) from case_words order by part"
        left = await connection.fetch(lexemes)
        assert [row["from_message"] for row in left] == [0]
        await connection.execute(f"select write_case_words(array[{case.id}::bigint])")
        assert await connection.fetch(lexemes) == left


async def copies(dsn: str, case: Case, text: str) -> None:
    """Store a copy of the text on the case in a held reply, an appointment, a timer, a flag and a rejection.

    A held reply is one that the worker sends after a delay.
    """
    connection = await asyncpg.connect(dsn)
    try:
        entry = await connection.fetchval("select id from time_entry where case_id = $1", case.id)
        of_case, agents = (case.customer_id, case.id), (INES.id, MAX.id)
        for sql, *values in (
            ("insert into outgoing_reply (text, case_number, agent_id, seen_status, form_key, sent_at, goes_out_at)"
             " values ('> ' || $1 || E'\n\nThanks.', $2, $3, 'new', gen_random_uuid(), now(), now() + interval '1 hour')", case.number, INES.id),
            ("insert into appointment (note, customer_id, case_id, agent_id, kind, starts_at, ends_at, created_at)"
             " values ($1, $2, $3, $4, 'visit', now(), now() + interval '1 hour', now())", *of_case, INES.id),
            ("insert into timer (note, customer_id, case_id, agent_id, created_at) values ($1, $2, $3, $4, now())", *of_case, INES.id),
            ("insert into flag (question, answer, entry_id, version, decision, answered_by_id, flagged_by_id, flagged_at, answered_at)"
             " values ('What is: ' || $1 || '?', $1, $2, 1, gen_random_uuid(), $3, $4, now(), now())", entry, *agents),
            ("insert into rejection (reason, entry_id, version, rejected_by_id, rejected_at) values ($1, $2, 1, $3, now())", entry, MAX.id),
        ):  # fmt: skip
            await connection.execute(sql, text, *values)
    finally:
        await connection.close()


async def test_copies_of_a_message_on_its_case_go_with_it(dsn: str, storage: Storage) -> None:
    """Redacting a message also removes its text from all other texts of the case except messages that quote it.

    The texts here are a held reply, an appointment, a timer, a custom field, a flag and a rejection of time. Other
    cases stay as they are. Redacting the message again is refused and changes nothing.
    """
    field = await made("Site")
    case, keys = await dialogue(storage)
    other, _ = await dialogue(storage)
    text = f"It is {SECRET}."
    await copies(dsn, case, text)
    await copies(dsn, other, text)
    async with transaction(INES):
        await case.note(by=INES, text=f"> {text}", at=NOW)
    await filled(case, {field.id: text})
    places = {"outgoing_reply", "appointment", "timer", "flag", "rejection", "case_field_value"}
    before = await kept(dsn)
    assert places <= before.keys()
    await gone(case, keys["a message"])
    after = await kept(dsn)
    assert {name for name in places if after.get(name, 0) == before[name] - 1} == places
    assert after["message"] == before["message"] - 1, "the quote and the note stay"
    async with transaction(INES) as tx:
        held = await tx.fetchval("select text from outgoing_reply where case_number = $1", case.number)
        assert held == "> Redacted by Noor Haddad on 20 Nov 2026: A password\n\nThanks."
    with pytest.raises(NotFound):
        await gone(case, keys["a message"])
    assert await kept(dsn) == after


async def test_a_held_reply_that_goes_out_at_this_moment_is_not_waited_for(dsn: str, storage: Storage) -> None:
    """A redaction does not wait for the lock on a held reply that the worker is just sending.

    A held reply is one that the worker sends after a delay.
    """
    case, keys = await dialogue(storage)
    await copies(dsn, case, f"It is {SECRET}.")
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("delete from outgoing_reply")
            await asyncio.wait_for(gone(case, keys["a message"]), 4)
    finally:
        await connection.close()
    assert "outgoing_reply" not in await kept(dsn)


async def test_a_custom_field_is_redacted_with_every_value_that_its_log_has(
    app: Gate, dsn: str, storage: Storage
) -> None:
    """If Noor redacts a custom field, each value that the field ever had is gone from the case, its log and the search.

    An empty field can be redacted too, because the log still has its former values. Log lines with a former name of the
    field are included. If two admins redact the field at once, one of them gets `NotFound`. Afterwards, the page on
    which the field was redacted gets 404, and redacting the field again raises `NotFound`.
    """
    field = await made("Site")
    case, _ = await dialogue(storage)
    for value in (f"hunter2 {SECRET}", "hunter2", None):
        await filled(case, {field.id: value})
    key = f"field-{field.id}"
    here = f"/agent/cases/{case.number}/redaction"
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = (await noor.get(f"{here}?what={key}")).text
        assert "hunter2" in page
        assert "each that the field had before" in page
    async with transaction(NOOR):
        facts = field.facts
        facts.name = "Place"
        await (await CaseField.find(field.id)).change(facts)
    await filled(case, {field.id: "hunter2 again"})
    before = await kept(dsn)
    outcomes = await asyncio.gather(gone(case, key, "First"), gone(case, key, "Second"), return_exceptions=True)
    assert [type(one) for one in outcomes if one] == [NotFound]
    after = await kept(dsn)
    assert "case_field_value" not in after
    assert before["case_event"] - after.get("case_event", 0) == 3
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.get(f"{here}?what={key}")).status_code == 404
        page = (await noor.get(f"/agent/cases/{case.number}")).text
        assert "redacted a field" in page
    with pytest.raises(NotFound):
        await gone(case, key, by=MAX)


async def test_the_bytes_of_a_file_go_even_if_the_process_dies_after_the_commit(storage: Storage) -> None:
    """R60: if the process dies after a redaction is committed, a later job deletes the bytes of the file.

    Running the job again is harmless.
    """
    case, keys = await dialogue(storage)
    async with transaction(SYSTEM) as tx:
        key = await tx.fetchval("select key from attachment")
    await gone(case, keys["a file"])  # As if the process was killed after this.
    assert storage.folder is not None
    assert list(storage.folder.rglob(f"*{key}*"))
    await delete_redacted(storage)
    await delete_redacted(storage)
    assert not list(storage.folder.rglob(f"*{key}*"))
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from upload") == 0
        assert await sweep_uploads(storage, NOW) == 0


async def test_only_an_admin_redacts_and_a_refusal_changes_nothing(dsn: str, storage: Storage) -> None:
    """R24: code and database refuse a redaction by Max, a manager.

    An admin needs a reason of 1 to 120 characters and an existing key. Each refusal changes nothing.
    """
    case, keys = await dialogue(storage)
    before = await kept(dsn)
    with pytest.raises(NotFound):
        await gone(case, keys["a message"], by=MAX)
    for reason in ("", " ", "x" * 121):
        with pytest.raises(Invalid):
            await gone(case, keys["a message"], reason)
    for key in ("message-999", "message-x", "file-", "nothing"):
        with pytest.raises(NotFound):
            await gone(case, key)
    for reader in (MAX, GIL):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(reader) as tx:
                await tx.execute("select redact($1, 'subject', '', 'x', 'x', now())", case.id)
    assert await kept(dsn) == before


async def test_of_two_admins_at_once_one_redacts(storage: Storage) -> None:
    """If two admins redact a message at once, one of them gets `NotFound`, and the log has one event."""
    case, keys = await dialogue(storage)
    outcomes = await asyncio.gather(
        gone(case, keys["a message"], "First"), gone(case, keys["a message"], "Second"), return_exceptions=True
    )
    assert [type(one) for one in outcomes if one] == [NotFound]
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind = 'redacted'") == 1
        assert await tx.fetchval("select count(*) from redaction") == 1


async def test_a_mail_that_has_not_gone_out_says_that_the_text_was_redacted(storage: Storage) -> None:
    """S3.16: if a reply is redacted before its mail is sent, the mail says who did so and why, instead of the text."""
    case, _ = await dialogue(storage)
    async with transaction(INES):
        await case.reply(by=INES, text=f"Use {SECRET}.", at=NOW)
    async with transaction(SYSTEM) as tx:
        while await notices.pass_on(NOW):
            pass
        await mailing.begin_mails(NOW)
        batch = await tx.fetchval("select max(mail_batch) from notice where credential_id = $1", ADA.credential_id)
        message = await tx.fetchval("select max(id) from message")
    await gone(case, f"message-{message}")
    async with transaction(ADA, readonly=True):
        texts = [item.text for item in await mailing.items_of(batch, ADA)]
    assert texts
    assert all(SECRET not in text for text in texts)
    assert "Redacted by Noor Haddad" in texts[-1]


async def test_the_page_shows_what_goes_and_asks_once_more(app: Gate, storage: Storage) -> None:
    """On the page that redacts, Noor sees the text of a message, gives a reason and confirms.

    The case and its log then show who redacted the message and why. Sending the form again gets 404.
    """
    case, keys = await dialogue(storage)
    here = f"/agent/cases/{case.number}/redaction"
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert SECRET in (await noor.get(here)).text
        assert "Nobody can" in (await noor.get(f"{here}?what={keys['a message']}")).text
        sent = {"what": keys["a message"], "reason": "<b>Oops</b>"}
        asked = await noor.send_form(here, sent)
        assert asked.status_code == 422
        assert "Destroy it for good" in asked.text
        assert SECRET in asked.text
        assert (await noor.send_form(here, {"what": keys["a message"], "reason": ""})).status_code == 422
        done = await noor.send_form(here, sent | {"sure": "yes"})
        assert done.headers["location"] == f"/agent/cases/{case.number}"
        page = (await noor.get(f"/agent/cases/{case.number}")).text
        assert "&lt;b&gt;Oops&lt;/b&gt;" in page
        assert "Noor Haddad redacted a message" in page
        assert (await noor.send_form(here, sent | {"sure": "yes"})).status_code == 404


async def test_time_on_a_document_stays_and_the_page_says_so(app: Gate) -> None:
    """R65: time on an issued document cannot be redacted: the page offers no form, and code and database refuse it."""
    places = await furnished(app.storage)
    key = f"time-{places.entries['issued'].id}"
    here = f"/agent/cases/{places.case.number}/redaction"
    async with await Browser.of(app, NOOR) as noor:
        page = (await noor.get(f"{here}?what={key}")).text
        assert "what a document says stays as it is" in page
        assert "Go on" not in page
        assert (await noor.send_form(here, {"what": key, "reason": "A name", "sure": "yes"})).status_code == 422
    with pytest.raises(Invalid):
        await gone(places.case, key)
    with pytest.raises(Conflict, match="What a document says stays"):
        async with transaction(NOOR) as tx:
            await tx.execute("select redact($1, 'time', $2, 'x', 'x', now())", places.case.id, key.partition("-")[2])


async def test_without_a_choice_nothing_is_redacted_and_the_page_says_so(app: Gate) -> None:
    """A form that does not say what to redact gets 422 and destroys nothing, even if it is confirmed.

    A form with a key that names nothing to redact gets 404.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="One", text="Two", case_type_id=INCIDENT, priority=2, at=NOW)
    here = f"/agent/cases/{case.number}/redaction"
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        for sent in ({}, {"what": ""}, {"sure": "yes"}):
            answer = await noor.send_form(here, sent | {"reason": "Oops"})
            assert (answer.status_code, "Choose what has to go for good." in answer.text) == (422, True)
        for key in ("message", "message-", "message-x", "file-7", "nonsense-1", "-", "subject-1"):
            assert (await noor.send_form(here, {"what": key, "reason": "Oops", "sure": "yes"})).status_code == 404
        assert "Redacted" not in (await noor.get(f"/agent/cases/{case.number}")).text


async def test_drafts_under_a_merged_number_and_of_new_cases_lose_the_text_too(storage: Storage) -> None:
    """Redacting a text deletes the unsent replies and the unsent new cases that quote the text.

    This includes unsent replies under the number of a merged case. An unsent new case without the text stays. So does
    an unsent form for time, although it contains the text.
    """
    case, keys = await dialogue(storage)
    async with transaction(ADA):
        other = await Case.open(by=ADA, subject="Also", text="This.", case_type_id=INCIDENT, priority=2, at=NOW)
    async with transaction(INES):
        await merge([other.number], case.number, by=INES, at=NOW)
    new = f"/agent/cases/new?draft={uuid.uuid4()}"
    for address in (
        f"/agent/cases/{other.number}/replies",
        f"/cases/{other.number}/replies",
        new,
        f"{new}1",
        "/agent/time/new",
    ):
        text = "Nothing" if address == f"{new}1" else f"> It is {SECRET}."
        await drafts.keep(INES.credential_id, address, {"body": [text]}, NOW)
    await gone(case, keys["a message"])
    async with transaction(None) as tx:
        left = [row["address"] for row in await tx.fetch("select address from draft order by address")]
    assert left == [f"{new}1", "/agent/time/new"]


async def test_the_words_of_a_rating_and_a_reply_that_did_not_go_out_are_redacted(dsn: str) -> None:
    """The words of a rating and a reply that could not go out can each be redacted once; a held reply cannot."""
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="One", text="Two", case_type_id=INCIDENT, priority=2, at=NOW)
    async with transaction(INES) as tx:
        for text in ("It waits.", SECRET):
            await outgoing.send(case, Writing(text, (), uuid.uuid4()), by=INES, at=NOW)
        await tx.execute("update outgoing_reply set problem = 'No room.' where text = $1", SECRET)
        await case.change_status(Status.RESOLVED, by=INES, at=NOW)
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).rate(Rated(verdict="good", words="Ada is Ines"), by=ADA, at=NOW)
    async with transaction(NOOR):
        offered = {one.noun: (one.key, one.text) for one in await redactable(case)}
    assert offered["the words of a rating"] == ("rating-", "Ada is Ines")
    assert offered["a reply that did not go out"][1] == SECRET
    for noun in ("the words of a rating", "a reply that did not go out"):
        await gone(case, offered[noun][0])
        with pytest.raises(NotFound):
            await gone(case, offered[noun][0])
    async with transaction(NOOR) as tx:
        assert {one.what for one in await redactable(case)} == {"subject", "message"}
        assert await tx.fetchval("select count(*) from case_rating where words like 'Redacted by Noor Haddad%'") == 1
        assert await tx.fetchval("select count(*) from outgoing_reply where text like 'Redacted by Noor Haddad%'") == 1
