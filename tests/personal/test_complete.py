"""Test that export and erasure cover every table that refers to a person or contains a mail address (D58)."""

import re

import pytest

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.personal.export import SECTIONS

pytestmark = pytest.mark.usefixtures("dsn")

RECORD = "part of the record of a document, an entry or a case, not a fact about the person"
NOT_EXPORTED = {
    "redaction.redacted_by_id": "the log of the case, which is exported, has a line of each redaction",
    "absence.deputy_id": "the absence is that of another agent",
    "approval.approved_by_id": RECORD,
    "approval.withdrawn_by_id": RECORD,
    "canned_reply.agent_id": "a text for many cases, without facts about the person",
    "billing_run.run_by_id": RECORD,
    "bulk_change.agent_id": "what changed is in the log of each case; deleted after a week",
    "entry_question.ended_by_id": RECORD,
    "billing_schedule.set_by_id": RECORD,
    "case_link.linked_by_id": RECORD,
    "case_look.credential_id": "which rows of a list are bold, and what the empty search lists",
    "cases.opened_by_agent_id": RECORD,
    "company.email": "the mail address of the company",
    "cost_rate.agent_id": "a calculation of the company",
    "credit_note.issued_by_id": RECORD,
    "statement.made_by_id": RECORD,
    "customer.email": "the accounts address of the customer",
    "dispatch_rule.agent_id": "a rule of the company",
    "dispatch_turn.agent_id": "who of a department is next",
    "draft.credential_id": "passed to `write_zip` as `drafts`",
    "entry_version.by_id": RECORD,
    "export.agent_id": "a file of timesheets, which is deleted after a day",
    "flag.answered_by_id": RECORD,
    "flag.flagged_by_id": RECORD,
    "flag.lifted_by_id": RECORD,
    "help_article.author_id": "part of the article",
    "help_reading.credential_id": "counted as a view, deleted after a day",
    "invitation.made_by_id": RECORD,
    "invoice.issued_by_id": RECORD,
    "invoice_mail.asked_by_id": RECORD,
    "invoice_mail.email": "the accounts address of the customer",
    "mail_refusal.email": "the records of mails say so, too",
    "own_view.agent_id": "a setting of the agent's list of cases",
    "outbox.agent_id": "ids of what the other files tell, deleted after a week",
    "outbox.contact_id": "ids of what the other files tell, deleted after a week",
    "message.taken_by_id": RECORD,
    "outgoing_reply.agent_id": "a message of the case ten seconds later",
    "payment.recorded_by_id": RECORD,
    "payment.taken_back_by_id": RECORD,
    "rate.agent_id": "a calculation of the company",
    "recovery_code.credential_id": "secrets",
    "rejection.rejected_by_id": RECORD,
    "release.released_by_id": RECORD,
    "submission.submitted_by_id": RECORD,
    "time_entry.entered_by_id": RECORD,
}
"""Columns that the export leaves out, with the reason."""
NOT_ERASED = {
    "case_look.credential_id": "when a contact without a name last opened a case",
    "case_rating.contact_id": "the rating stays, of a contact without a name",
    "cases.contact_id": "the case stays, of a contact without a name",
    "company.email": "the mail address of the company",
    "customer.email": "the accounts address of the customer",
    "help_reading.credential_id": "counted as a view, deleted after a day",
    "invoice_seen.contact_id": "the proof that the invoice was seen stays, of a contact without a name",
    "outbox.contact_id": "an id, deleted after a week",
}
"""Columns that erasing a contact leaves as they are, with the reason."""

_COLUMNS = """
select r.relname || '.' || a.attname as name, array_agg(f.relname::text) as refers_to
from pg_constraint k join pg_class r on r.oid = k.conrelid join pg_class f on f.oid = k.confrelid
cross join unnest(k.conkey, k.confkey) as pair (here, there)
join pg_attribute a on a.attrelid = r.oid and a.attnum = pair.here
join pg_attribute b on b.attrelid = f.oid and b.attnum = pair.there
where k.contype = 'f' and f.relname in ('contact', 'credential', 'agent') and b.attname = 'id' group by 1
union all
select c.table_name || '.' || c.column_name, array['a mail address'] from information_schema.columns c
join pg_tables t on t.tablename = c.table_name and t.schemaname = 'public'
where c.table_schema = 'public' and c.column_name ~ '(^|_)email(_|$)'
"""


async def columns(*kinds: str) -> set[str]:
    """Return, as `table.column`, the columns that refer to one of the tables `kinds` or contain a mail address."""
    async with transaction(SYSTEM, readonly=True) as tx:
        return {row["name"] for row in await tx.fetch(_COLUMNS) if set(row["refers_to"]) & {*kinds, "a mail address"}}


def is_read(column: str, sql: str) -> bool:
    """Return whether the statement `sql` reads the table of `column`, given as `table.column`, and names the column."""
    table, name = column.split(".")
    return bool(re.search(rf"\b(from|join) {table}\b", sql) and re.search(rf"\b{name}\b", sql))


async def test_the_export_has_every_table_that_refers_to_a_person() -> None:
    """D58: each column that refers to a person or contains a mail address is in the export or in `NOT_EXPORTED`."""
    own = {"credential.agent_id", "credential.contact_id", "credential.login_id"}
    exported = {one for one in await columns("contact", "credential", "agent") for s in SECTIONS if is_read(one, s.sql)}
    missing = await columns("contact", "credential", "agent") - exported - own
    assert missing == set(NOT_EXPORTED), (missing - set(NOT_EXPORTED), set(NOT_EXPORTED) - missing)


async def test_erasing_reaches_every_table_that_refers_to_a_contact() -> None:
    """D58: erasing changes each table with a column that refers to a contact or contains a mail address.

    The columns in `NOT_ERASED` are the only exceptions.
    """
    async with transaction(SYSTEM, readonly=True) as tx:
        sql = await tx.fetchval("select pg_get_functiondef('erase_contact'::regproc)")
        sql += await tx.fetchval("select pg_get_functiondef('forget_refusals'::regproc)")
    written = set(re.findall(r"(?:delete from|update) (\w+)", sql))
    missing = {one for one in await columns("contact", "credential") if one.split(".")[0] not in written}
    assert missing == set(NOT_ERASED), (missing - set(NOT_ERASED), set(NOT_ERASED) - missing)
