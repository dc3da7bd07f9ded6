"""Test that texts of one line have no line breaks: forms turn them into blanks, and the database refuses them (R75)."""

import asyncpg
import pytest

from portal.database import transaction
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from tests.world import ACME, ADA, NOW

pytestmark = pytest.mark.usefixtures("dsn")

LONG = {
    "absence.note", "appointment.note", "canned_reply.text", "case_rating.words", "credit_note.reason", "detail_row.external_comment",
    "entry_version.note", "flag.answer", "flag.question",
    "help_text.html", "help_text.text", "invoice.note", "message.html", "message.text", "outgoing_reply.text", "rejection.reason",
    "time_entry.description",
    "time_entry.external_comment", "time_entry.override_reason",
}  # fmt: skip
"""Columns of texts that may have several lines."""
COPIED = {
    "approval.role_name", "case_event.actor_name", "credit_line.exemption_reason", "credit_line.label", "credit_line.service_name",
    "detail_row.covered_by", "detail_row.performed_by", "detail_row.service_name", "invoice_line.exemption_reason", "invoice_line.label",
    "invoice_line.service_name", "invoice_mail.email", "mail_refusal.email", "outgoing_mail.email", "statement.contract_name",
}  # fmt: skip
"""Columns whose text the portal copies or puts together from columns that refuse line breaks."""
OWN = {
    "bulk_change.value", "bulk_member.became", "bulk_member.former", "bulk_member.reason",
    "agent.locale", "agent.time_zone", "allocation.rate_source", "attachment.media_type", "attachment.name", "attempt.key", "audit.address",
    "audit.request", "audit.what", "authenticator.secret", "business_calendar.region", "business_calendar.time_zone", "case_event.kind",
    "case_field_value.kind",
    "company.time_zone", "contact.locale", "contact.time_zone", "credential.password_hash", "detail_row.factors", "draft.address", "export.filters",
    "invoice_mail.reason", "mail_refusal.kind", "mail_refusal.reason", "outbox.kind", "outgoing_mail.kind", "outgoing_mail.reason",
    "outgoing_reply.problem", "outgoing_reply.seen_status", "outgoing_reply.then_status",
    "redaction.note",
    "run_customer.sentence", "service.provider_project", "service.provider_project_value", "service.time_provider", "session.address",
    "session.browser", "skipped_entry.sentence", "time_entry.stretches", "time_entry.time_zone", "time_rules.lock_time_zone", "time_sum.billing",
    "time_sum.state", "upload.media_type", "upload.name",
}  # fmt: skip
"""Columns that people do not type freely: the portal writes them, offers their values, or cleans them as file names."""
BREAKS = ["\r\n", "\n", "\r", "\t", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\x07", "\x7f"]


async def test_every_column_of_one_line_refuses_line_breaks() -> None:
    """Each text column refuses every kind of line break and control character, or is in `LONG`, `COPIED` or `OWN`.

    A text of one line is accepted, whatever its letters and signs.
    """
    async with transaction(SYSTEM, readonly=True) as tx:
        checks = {row["name"]: row["sql"] for row in await tx.fetch(
            "select conrelid::regclass::text || '.' || a.attname as name, pg_get_constraintdef(c.oid) as sql from pg_constraint c"
            " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1] where conname like '%\\_is\\_one\\_line'"
        )}  # fmt: skip
        free = {row["name"] for row in await tx.fetch(_FREE)}
        assert free - set(checks) - LONG - COPIED - OWN == set(), (
            "give these columns a check as in m0305, or say why not"
        )
        assert (LONG | COPIED | OWN) - free == set(), "these columns are gone, or have a check"
        for name, sql in checks.items():
            column = name.partition(".")[2]
            rule = sql.removeprefix("CHECK ")
            for text in [f"Ada{one}Bcc: eve@evil.example" for one in BREAKS]:
                assert not await tx.fetchval(f"select {rule} from (select $1::text as {column}) x", text), (name, text)
            assert await tx.fetchval(
                f"select {rule} from (select $1::text as {column}) x", "Zoë ‘Ǆ’ 👩🏽\u200d🚀 \u0639"
            )


_FREE = """
select c.relname || '.' || a.attname as name
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.atttypid = 'text'::regtype and c.relname not like 'pgqueuer%'
  and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                  and pg_get_constraintdef(k.oid) ~ '= ANY|~ ''\\^|_is_one_line')
"""
"""The columns of type text without a check that says which values or which characters they may have."""


@pytest.mark.parametrize("one", BREAKS)
async def test_a_name_with_line_breaks_is_folded_by_the_form_and_refused_by_the_database(one: str) -> None:
    """R75: the form turns a line break in a contact's name into a blank or removes it, and the database refuses it.

    The name is written to mail headers, where a line break would begin another header.
    """
    facts = ContactFacts(name=f"Bea{one}Bcc: eve@evil.example", email="bea@acme.example", time_zone="Europe/Berlin")
    async with transaction(SYSTEM):
        contact = await Contact.create(await Customer.find(ACME, SYSTEM), facts, NOW)
    assert contact.name in ("Bea Bcc: eve@evil.example", "BeaBcc: eve@evil.example")
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction(SYSTEM) as tx:
            await tx.execute("update contact set name = $1 where id = $2", facts.name, ADA.id)
