"""The writes that must never be half done: how each is prepared, sent with its form, and counted afterwards."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal import billing
from portal.database import current, transaction
from portal.desk import Case
from portal.desk.messages import Writing
from portal.desk.replies import outgoing
from portal.people.access import credentials, invitations, sessions
from portal.people.readers import SYSTEM, Reader
from tests.billing.work import NOVEMBER, log
from tests.faults.child import FormToSend
from tests.world import ACME, ADA, HELPDESK, INCIDENT, INES, MAX, NOW

FILE = ("client.log", b"08:12 started\n" * 5000)
FRESH = "violet kettle under seven bridges"


@dataclass(frozen=True)
class Prepared:
    """A prepared form, and the query that counts what the form creates: 0 before it is carried out, 1 after.

    `about` is the parameter of the query. If a job of the worker finishes what the request could not, `waiting` is a
    query that counts what the job still has to do; otherwise, it is None.
    """

    form: FormToSend
    count: str
    about: Any
    reader: Reader = SYSTEM
    """The reader in whose transaction the rows are counted."""
    waiting: str | None = None

    async def done(self) -> int:
        """Return how many rows the form has created."""
        async with transaction(self.reader) as tx:
            return int(await tx.fetchval(self.count, self.about))

    async def is_left_to_a_job(self) -> bool:
        """Return whether a job of the worker still has to do something for the form."""
        if self.waiting is None:
            return False
        async with transaction(SYSTEM) as tx:
            return bool(await tx.fetchval(self.waiting))


async def token_of(reader: Reader, at: datetime = NOW) -> str:
    """Begin a session of the reader and return its token."""
    async with transaction(None):
        return await sessions.begin(reader.credential_id, address="-", browser="-", at=at)


async def age_cases() -> None:
    """Move Ada's cases two hours back, so that she has not reached the limit of new cases in an hour."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update cases set opened_at = opened_at - interval '2 hours', updated_at = updated_at - interval '2 hours'"
            " where contact_id = $1",
            ADA.id,
        )


async def a_case() -> int:
    """Open a case as Ada and return its number."""
    await age_cases()
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN", text="It drops.", case_type_id=INCIDENT, at=NOW)
    return case.number


async def open_a_case() -> Prepared:
    await age_cases()
    marker = uuid.uuid4().hex
    typed = {
        "subject": marker,
        "body": "It drops.",
        "case_type": str(INCIDENT),
        "priority": "2",
        "form_key": str(uuid.uuid4()),
    }
    form = FormToSend(await token_of(ADA), "/cases/new", "/cases/new", typed, (FILE,))
    return Prepared(form, "select count(*) from cases where subject = $1", marker)


async def reply_with_files() -> Prepared:
    number, marker = await a_case(), uuid.uuid4().hex
    typed = {"body": marker, "form_key": str(uuid.uuid4())}
    form = FormToSend(
        await token_of(ADA), f"/cases/{number}", f"/cases/{number}/replies", typed, (FILE, ("second.log", FILE[1]))
    )
    count = "select count(*) from message m where text = $1 and (select count(*) from attachment a where a.message_id = m.id) = 2"
    return Prepared(form, count, marker)


async def take_a_reply_back() -> Prepared:
    number, marker, key = await a_case(), uuid.uuid4().hex, uuid.uuid4()
    async with transaction(INES):
        case = await Case.find(number, INES)
        await outgoing.send(case, Writing(marker, (), key), by=INES, at=NOW)
    page = f"/agent/cases/{number}"
    form = FormToSend(await token_of(INES), page, f"{page}/replies/{key}/withdrawal", {})
    count = """
    select case when withdrawn = in_the_text_box then withdrawn::int else 2 end from (
     select exists(select from outgoing_reply where text = $1 and withdrawn_at is not null) as withdrawn,
      exists(select from draft where fields ->> 'body' = $1) as in_the_text_box) as found
    """
    return Prepared(form, count, marker, INES)


async def log_time() -> Prepared:
    number, marker = await a_case(), uuid.uuid4().hex
    typed = {"duration": "1h 30m", "external_comment": marker, "form_key": str(uuid.uuid4()), "service": str(HELPDESK)}
    page, path = f"/agent/time/new?on=case-{number}", "/agent/time/new"
    return Prepared(
        FormToSend(await token_of(INES), page, path, typed | {"on": f"case-{number}"}),
        "select count(*) from time_entry where external_comment = $1",
        marker,
    )


async def approve() -> Prepared:
    async with transaction(INES):
        entry = await log()
    form = FormToSend(await token_of(MAX), "/agent/approvals", "/agent/approvals", {"entry": f"{entry.id}:1"})
    return Prepared(form, "select count(*) from approval where entry_id = $1", entry.id)


async def approved() -> int:
    async with transaction(MAX):
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
    return entry.id


async def run_billing() -> Prepared:
    entry = await approved()
    typed = {"until": NOVEMBER.isoformat(), "customer": str(ACME)}
    form = FormToSend(await token_of(MAX), "/agent/billing", "/agent/billing/runs", typed)
    waiting = (
        "select count(*) from run_customer c where done_at is null and exists ("
        "select from pgqueuer q where q.entrypoint = 'bill' and convert_from(q.payload, 'utf8')::json ->> 'run' = c.run_id::text)"
    )
    return Prepared(form, "select count(*) from settled_entry where entry_id = $1", entry, waiting=waiting)


async def issue() -> Prepared:
    await approved()
    async with transaction(MAX):
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert made is not None
    (draft,) = made.draft_ids
    path = f"/agent/drafts/{draft}"
    count = (
        "select count(*) from invoice i where id = $1 and number is not null"
        " and exists (select from document d where d.invoice_id = i.id)"
    )
    return Prepared(FormToSend(await token_of(MAX), path, f"{path}/issue", {}), count, draft)


async def _issued() -> billing.Invoice:
    """Issue an invoice for an hour of work. It also bills the time that earlier credit notes have freed."""
    await approved()
    async with transaction(MAX):
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert made is not None
        return await billing.issue(made.draft_ids[0], by=MAX, at=NOW)


async def pay() -> Prepared:
    invoice, key = await _issued(), uuid.uuid4()
    typed = {"amount": "100", "paid_on": NOW.date().isoformat(), "form_key": str(key)}
    path = f"/agent/invoices/{invoice.number}"
    form = FormToSend(await token_of(MAX), path, f"{path}/payments", typed)
    return Prepared(form, "select count(*) from payment where form_key = $1", key)


async def credit() -> Prepared:
    invoice, key = await _issued(), uuid.uuid4()
    typed = {
        "scope": "everything",
        "then": "free",
        "reason": "Agreed.",
        "sum": f"{invoice.gross:.2f}",
        "form_key": str(key),
    }
    path = f"/agent/invoices/{invoice.number}/credit"
    count = (
        "select count(*) from credit_note n where form_key = $1"
        " and (select count(*) from document d where d.credit_note_id = n.id) = 2"
        " and not exists (select from settled_entry d where d.invoice_id = n.invoice_id)"
    )
    return Prepared(FormToSend(await token_of(MAX), path, path, typed), count, key)


async def correct() -> Prepared:
    """Make a statement (time that is not charged), and prepare the form that corrects the whole statement.

    The statement also has time that earlier corrections have freed.
    """
    async with transaction(MAX) as tx:
        entry = await log(billing="no_charge")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert made is not None
        statement, key = made.statement_ids[0], uuid.uuid4()
        left = await tx.fetchval(
            "select sum(e.billable_minutes) from settled_entry d join time_entry e on e.id = d.entry_id where d.statement_id = $1",
            statement,
        )
    typed = {"scope": "everything", "then": "free", "reason": "Agreed.", "left": str(left), "form_key": str(key)}
    path = f"/agent/statements/{statement}/correction"
    count = (
        "select count(*) from statement s where form_key = $1 and exists (select from document d where d.statement_id = s.id)"
        " and not exists (select from settled_entry d where d.statement_id = s.corrects_id)"
    )
    return Prepared(FormToSend(await token_of(MAX), path, path, typed), count, key)


async def choose_a_password() -> Prepared:
    async with transaction(SYSTEM) as tx:
        contact = await tx.fetchval(
            "insert into contact (customer_id, name, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at)"
            " values ($1, 'Peter Klein', false, false, false, 'en_GB', 'Europe/Berlin', $2) returning id",
            ACME, NOW,
        )  # fmt: skip
        credential = await credentials.open_for_contact(ACME, contact, f"{uuid.uuid4().hex}@acme.example", NOW)
        token = await invitations.invite(credential, NOW)
    path = f"/invitations/{token}"
    count = (
        "select count(*) from credential c where id = $1 and has_password"
        " and not exists (select from invitation i where i.credential_id = c.id and i.ended_at is null)"
    )
    return Prepared(FormToSend("", path, path, {"password": FRESH, "again": FRESH}), count, credential)


VERBS: dict[str, Callable[[], Awaitable[Prepared]]] = {
    "open a case": open_a_case,
    "reply with files": reply_with_files,
    "take a reply back": take_a_reply_back,
    "log time": log_time,
    "approve": approve,
    "run the billing": run_billing,
    "issue": issue,
    "pay": pay,
    "credit": credit,
    "correct a statement": correct,
    "choose a password": choose_a_password,
}


async def missing_files(storage: Any) -> list[str]:
    """Return the storage keys of attachments whose stored file differs from the file that was sent.

    Raise `NotFound` if a file does not exist.
    """
    async with transaction(SYSTEM):
        rows = await current().fetch("select key, sha256 from attachment")
    missing = []
    for row in rows:
        found = hashlib.sha256()
        async for chunk in storage.read(row["key"]):
            found.update(chunk)
        if found.digest() != row["sha256"]:
            missing.append(row["key"])
    return missing
