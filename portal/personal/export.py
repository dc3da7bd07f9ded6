"""Write all data about one person into a ZIP file: a JSON file for each kind of data, and the files that they sent.

The ZIP file is written while it is sent, page by page, so that the memory does not grow with the number of rows. The
ZIP file contains no password hash, token or key, and nothing that others wrote.
"""

import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from portal.database import current, transaction
from portal.desk.workflow.priorities import priority_sql
from portal.exports.zips import Sink, write_file
from portal.people.readers import SYSTEM
from portal.storage import Storage

PAGE = 500
"""The number of rows that are read at once."""


@dataclass(frozen=True, slots=True)
class Person:
    """The person whose data are exported. An agent has no `contact_id`, and a contact has no `agent_id` (None).

    A contact without a mail address has no credential, and so no login.
    """

    credential_id: int | None
    login_id: int | None
    agent_id: int | None
    contact_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Section:
    """One JSON file of the ZIP file.

    `sql` selects the rows of the person. `of` is the name of an attribute of `Person`, whose value is the parameter
    `$1`. If the value is None, the section is left out.
    """

    name: str
    of: str
    sql: str


async def record(credential_id: int) -> None:
    """Record in the audit log that the reader of the transaction downloads the personal data of a person.

    `credential_id` is the credential of the person whose data is downloaded. The database refuses this unless the
    reader is that person or an admin.
    """
    await current().execute("select record_personal_export($1)", credential_id)


async def record_contact(contact_id: int) -> None:
    """Record in the audit log that an admin downloads the data of a contact who has no credential."""
    await current().execute("select record_contact_export($1)", contact_id)


async def find(credential_id: int) -> Person:
    """Return the person with this credential.

    The caller's transaction must run as `SYSTEM`.
    """
    row = await current().fetchrow("select * from person_of($1)", credential_id)
    return Person(credential_id, row["login_id"], row["agent_id"], row["contact_id"], row["name"])


async def write_zip(person: Person, storage: Storage, drafts: Sequence[str]) -> AsyncIterator[bytes]:
    """Yield the ZIP file with all data about a person, in chunks.

    `drafts` are the texts that the person has typed into forms and not sent, each as JSON. The caller passes these
    texts, because they are stored by a package that this package may not import. Call this function outside a
    transaction: each page of rows is read in a short transaction of its own, so that a slow download holds no
    connection.
    """
    sink: Any = Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for section in SECTIONS:
            if getattr(person, section.of) is None:
                continue
            with archive.open(f"{section.name}.json", "w") as out:
                out.write(b"[")
                first = True
                async for rows in _pages(section, person):
                    for row in rows:
                        out.write(b"\n" if first else b",\n")
                        out.write(row.encode())
                        first = False
                    yield sink.take()
                out.write(b"\n]\n")
        archive.writestr("drafts.json", "[\n" + ",\n".join(drafts) + "\n]\n")
        async for file in _files(person):
            name = f"files/{file['id']}/{file['name']}"
            async with aclosing(write_file(archive, sink, name, file["key"], storage.read(file["key"]))) as written:
                async for chunk in written:
                    yield chunk
    yield sink.take()


async def _pages(section: Section, person: Person) -> AsyncIterator[list[str]]:
    """Yield the rows of a section as JSON texts, a page at a time."""
    sql = f"select to_jsonb(x)::text as row from ({section.sql}) x limit {PAGE} offset $2"  # noqa: S608
    offset, rows = 0, None
    while rows is None or len(rows) == PAGE:
        rows = await _read(sql, getattr(person, section.of), offset)
        yield [row["row"] for row in rows]
        offset += PAGE


async def _files(person: Person) -> AsyncIterator[Any]:
    """Yield id, name and storage key of each file that the person has sent with a message."""
    after, rows = "00000000-0000-0000-0000-000000000000", None
    while rows is None or len(rows) == PAGE:
        rows = await _read(_FILES, person.contact_id, person.agent_id, after, PAGE)
        for row in rows:
            yield row
            after = row["id"]


async def _read(sql: str, *values: Any) -> list[Any]:
    """Return the rows of a query, read in a transaction of its own."""
    async with transaction(SYSTEM, readonly=True) as tx:
        return list(await tx.fetch(sql, *values))


_FILES = """
select a.id, a.name, a.key from attachment a join message m on m.id = a.message_id
where (m.contact_id = $1 or m.agent_id = $2) and a.id > $3::uuid order by a.id limit $4
"""


SECTIONS = (
    Section(
        "person",
        "contact_id",
        "select t.*, u.name as customer from contact t join customer u on u.id = t.customer_id where t.id = $1",
    ),
    Section(
        "person",
        "agent_id",
        "select a.*, d.name as department, r.name as role from agent a join department d on d.id = a.department_id"
        " left join role r on r.id = a.role_id where a.id = $1",
    ),
    Section(
        "sign-in",
        "credential_id",
        "select id, email, created_at, accepted_at, disabled_at from credential where id = $1",
    ),
    Section(
        "sessions",
        "credential_id",
        "select created_at, last_used_at, confirmed_at, ended_at, address, browser, factor from session"
        " where credential_id = $1 order by id",
    ),
    Section(
        "second-factors",
        "login_id",
        "select 'authenticator app' as kind, null as name, created_at, null::timestamptz as last_used_at from authenticator"
        " where credential_id = $1 union all select 'passkey', name, created_at, last_used_at from passkey"
        " where credential_id = $1 order by created_at",
    ),
    Section(
        "links",
        "credential_id",
        "select kind, created_at, expires_at, ended_at, mailed_at from invitation where credential_id = $1 order by id",
    ),
    Section(
        "unsent-files",
        "credential_id",
        "select name, media_type, size, started_at from upload where credential_id = $1 order by started_at, key",
    ),
    Section("notices", "credential_id", "select * from notice where credential_id = $1 order by id"),
    Section("choices-of-notices", "credential_id", "select * from notice_choice where credential_id = $1"),
    Section(
        "mails",
        "credential_id",
        "select kind, email, state, reason, begun_at, changed_at from outgoing_mail where credential_id = $1 order by id",
    ),
    Section(
        "changes",
        "credential_id",
        "select at, address, what, subject_id, jsonb_strip_nulls(changes) as changes from audit where credential_id = $1 order by id",
    ),
    Section(
        "cases",
        "contact_id",
        f"select number, subject, status, {priority_sql('k')} as priority, opened_at, closed_at from cases k"  # noqa: S608
        " where contact_id = $1 order by id",
    ),
    Section(
        "cases-watched",
        "contact_id",
        "select k.number, w.added_at from case_watcher w join cases k on k.id = w.case_id where w.contact_id = $1 order by k.number",
    ),
    Section(
        "fields-of-cases",
        "contact_id",
        "select k.number as case_number, f.name, coalesce(v.text, v.number::text, v.day::text, o.name) as value from case_field_value v"
        " join cases k on k.id = v.case_id join case_field f on f.id = v.field_id left join case_field_choice o on o.id = v.choice_id"
        " where k.contact_id = $1 and f.for_contacts order by v.case_id, v.field_id",
    ),
    Section(
        "messages",
        "contact_id",
        "select m.id, k.number as case_number, m.at, m.text from message m join cases k on k.id = m.case_id"
        " where m.contact_id = $1 order by m.id",
    ),
    Section(
        "ratings",
        "contact_id",
        "select k.number as case_number, r.verdict, r.words, r.rated_at from case_rating r join cases k on k.id = r.case_id"
        " where r.contact_id = $1 order by r.case_id",
    ),
    Section(
        "messages",
        "agent_id",
        "select m.id, k.number as case_number, m.kind, m.at, m.text from message m join cases k on k.id = m.case_id"
        " where m.agent_id = $1 order by m.id",
    ),
    Section(
        "log-of-cases",
        "contact_id",
        "select k.number as case_number, e.kind, e.at, e.details from case_event e join cases k on k.id = e.case_id"
        " where e.contact_id = $1 order by e.id",
    ),
    Section(
        "log-of-cases",
        "agent_id",
        "select k.number as case_number, e.kind, e.at, e.details from case_event e join cases k on k.id = e.case_id"
        " where e.agent_id = $1 order by e.id",
    ),
    Section(
        "invoices-opened",
        "contact_id",
        "select i.number, s.* from invoice_seen s join invoice i on i.id = s.invoice_id where s.contact_id = $1 order by i.id",
    ),
    Section(
        "mails-of-invoices",
        "contact_id",
        "select i.number, m.asked_at, m.due_at, m.state, m.ended_at, m.reason from invoice_mail m join invoice i on i.id = m.invoice_id"
        " where m.contact_id = $1 order by m.id",
    ),
    Section(
        "cases",
        "agent_id",
        "select number, subject, status, opened_at, closed_at from cases where agent_id = $1 order by id",
    ),
    Section("time", "agent_id", "select * from time_entry where agent_id = $1 order by id"),
    Section("timers", "agent_id", "select * from timer where agent_id = $1 order by id"),
    Section("appointments", "agent_id", "select * from appointment where agent_id = $1 order by id"),
    Section(
        "working-hours", "agent_id", "select * from working_hours where agent_id = $1 order by effective_from, weekday"
    ),
    Section("absences", "agent_id", "select * from absence where agent_id = $1 order by id"),
    Section("departments-approved", "agent_id", "select * from designation where agent_id = $1 order by department_id"),
    Section(
        "services-approved", "agent_id", "select * from service_designation where agent_id = $1 order by service_id"
    ),
    Section("projects", "agent_id", "select * from project_member where agent_id = $1 order by project_id"),
    Section(
        "days-without-time",
        "agent_id",
        "select case_id, work_date, dismissed_at from forgotten_dismissal where agent_id = $1 order by work_date, case_id",
    ),
    Section("mentions", "agent_id", "select message_id from mention where agent_id = $1 order by message_id"),
)
"""The sections of the ZIP file. The cost rates of agents are left out: they are calculations of the company."""
