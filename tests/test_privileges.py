"""Test the privileges of each database role: only the sign-in role reads secrets, and no role has more than it needs.

See R15, R24 and R88.
"""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.errors import Conflict
from portal.people.access import credentials, invitations, sessions
from portal.people.agents import Agent
from portal.people.readers import SYSTEM
from tests.world import ADA, ALAN, GIL, INES, MAX, NOOR, NOW

ROLES = ("portal_app", "portal_agent", "portal_administrator", "portal_contact", "public")

SECRETS = {
    "credential.password_hash": {"portal_app": "select update"},
    "session.token_hash": {"portal_app": "select insert update"},
    "invitation.token_hash": {
        "portal_app": "select insert update",
        "portal_agent": "insert",
        "portal_administrator": "insert",
    },
    "authenticator.secret": {"portal_app": "select insert update"},
    "recovery_code.code_hash": {"portal_app": "select insert update"},
    "passkey.public_key": {"portal_app": "select insert update"},
}
"""Columns with secrets, and for each column the privileges that each role has on it.

Agents invite people, so their role may insert the hash of an invitation token, but never read it.
"""
NO_SECRETS = {
    "attachment.key", "upload.key", "attachment.sha256", "document.sha256", "attempt.key", "message.form_key",
    "pgqueuer.dedupe_key", "passkey.handle", "logo.sha256", "time_entry.form_key", "credential.has_password",
    "upload.form_key", "upload.sha256", "timer.form_key", "appointment.form_key", "export.file_key", "invoice_mail.form_key",
    "payment.form_key", "entry_question.form_key", "recovery_code.hashed_for", "credit_note.form_key",
    "statement.form_key",
    "outgoing_reply.form_key",
}  # fmt: skip
"""Columns whose names sound like secrets, although their values let nobody sign in."""
SOUNDS_SECRET = "(hash|secret|token|password|key|handle|sha256)"


@pytest.fixture
async def owner(dsn: str) -> Any:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_every_column_that_sounds_like_a_secret_has_an_answer(owner: Any) -> None:
    """Every column whose name suggests a secret is listed in `SECRETS` or in `NO_SECRETS`."""
    rows = await owner.fetch(
        "select table_name || '.' || column_name as name from information_schema.columns"
        " where table_schema = 'public' and column_name ~ $1",
        SOUNDS_SECRET,
    )
    assert {row["name"] for row in rows} == SECRETS.keys() | NO_SECRETS


@pytest.mark.parametrize("name", SECRETS)
async def test_a_secret_is_the_sign_in_roles_alone(owner: Any, name: str) -> None:
    """R15: each role has exactly the privileges that `SECRETS` lists, so only the sign-in role reads or changes secrets."""
    table, _, column = name.partition(".")
    for role in ROLES:
        verbs = [
            verb
            for verb in ("select", "insert", "update", "references")
            if await owner.fetchval("select has_column_privilege($1, $2, $3, $4)", role, table, column, verb)
        ]
        assert " ".join(verbs) == SECRETS[name].get(role, ""), role


@pytest.mark.parametrize("table", ["credential", "session", "invitation", "attempt", "draft"])
async def test_the_agents_role_deletes_nothing_of_how_people_sign_in(owner: Any, table: str) -> None:
    """R88: the roles of agents and contacts can delete no sessions, links, sign-in attempts, drafts or accounts."""
    for role in ("portal_agent", "portal_contact"):
        for verb in ("delete", "truncate", "trigger"):
            assert not await owner.fetchval("select has_table_privilege($1, $2, $3)", role, table, verb)


READS = """
select c.relname || case when has_table_privilege($1, c.oid, 'select') then '' else
         ' (' || string_agg(a.attname, ', ' order by a.attnum) || ')' end as name
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')
  and has_column_privilege($1, c.oid, a.attnum, 'select')
group by c.oid, c.relname
"""


async def reads(owner: Any, role: str) -> set[str]:
    return {row["name"] for row in await owner.fetch(READS, role)}


async def test_the_sign_in_role_reads_how_people_sign_in_and_nothing_else(owner: Any) -> None:
    """R24: the sign-in role, which serves pages without a session, reads only what signing in and the help need.

    The sign-in role reads no data of customers. Row-level security shows it only the help articles for everybody.
    """
    assert await reads(owner, "portal_app") == {
        "attempt", "authenticator", "company", "credential", "draft",
        "help_article", "help_picture", "help_text", "help_views", "invitation", "logo", "migration", "passkey",
        "pgqueuer (id, priority, entrypoint, dedupe_key)", "recovery_code", "refused_ending", "session",
        "time_rules",
        "upload (credential_id, started_at, size)",
    }  # fmt: skip


async def test_contacts_read_what_their_pages_show_and_nothing_internal(owner: Any) -> None:
    """R27, D57: the contacts' role cannot read rates, approvals, time, the audit or details of agents.

    In the tables that the role can read, row-level security hides the rows of other customers. Four tables whose
    content is the same for every customer have no row-level security.
    """
    found = await reads(owner, "portal_contact")
    assert found == {
        "agent (id, name, ended_at)", "approved_time",
        "appointment (id, customer_id, case_id, agent_id, kind, starts_at, ends_at, done_at, cancelled_at)",
        "attachment", "authenticator (credential_id, created_at)",
        "business_calendar", "business_day", "business_window", "case_event", "case_field", "case_field_choice",
        "case_field_value", "case_link", "case_look", "case_priority", "case_rating", "case_watcher",
        "case_status (id, category, name, customer_name, position, pauses, ended_at)", "case_type", "cases",
        "company", "contact", "contract",
        "credential (id, email, customer_id, contact_id, has_password, login_id, accepted_at)", "credit_line",
        "credit_note", "credit_vat", "customer", "deadline",
        "deadline_target (customer_id, service_id, priority, reply_minutes, solve_minutes)", "default_service",
        "detail_row", "document", "draft", "entry_question",
        "file_preview", "follow_up_rule", "help_article", "help_picture", "help_text", "help_views",
        "invitation (id, credential_id, created_at, expires_at, ended_at, kind, mail, mailed_at)", "invoice",
        "invoice_balance", "invoice_line", "invoice_seen", "invoice_vat",
        "logo", "message", "notice", "notice_choice",
        "mail_refusal", "outbox", "pause", "payment (id, customer_id, invoice_id, currency, amount, paid_on, taken_back_at)",
        "passkey (id, credential_id, handle, name, created_at, last_used_at)", "price_change", "project (id, customer_id, name)",
        "recovery_code (credential_id)", "redaction", "rolled_minutes", "service",
        "session (id, credential_id, created_at, last_used_at, ended_at, address, browser, factor)", "statement", "upload",
        "voucher", "voucher_ledger", "voucher_service", "voucher_use", "warning",
    }  # fmt: skip
    unguarded = await owner.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity"
        " and has_any_column_privilege('portal_contact', oid, 'select')"
    )
    assert {row["relname"] for row in unguarded} == {"agent", "case_type", "company", "logo"}, (
        "the same for every customer"
    )


async def test_only_these_functions_run_with_the_owners_rights(owner: Any) -> None:
    """Exactly the listed functions run with the owner's privileges, each callable only by the listed roles.

    Functions of triggers need not be listed, because nobody can call them.
    """
    rows = await owner.fetch(
        "select p.proname, p.prorettype = 'trigger'::regtype as of_trigger, p.proconfig::text as settings,"
        " array(select r from unnest($1::text[]) r where has_function_privilege(r, p.oid, 'execute')) as roles"
        " from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef",
        list(ROLES),
    )
    assert all("search_path=public, pg_temp" in row["settings"] for row in rows)
    assert {row["proname"]: row["roles"] for row in rows if not row["of_trigger"]} == {
        "app_login": ["portal_administrator", "portal_contact"],
        "customer_case_hits": ["portal_administrator", "portal_contact"],
        "common_lexemes": ["portal_agent", "portal_administrator", "portal_contact"],
        "count_help_view": ["portal_agent", "portal_administrator", "portal_contact"],
        "app_manages_contacts": ["portal_administrator", "portal_contact"],
        "drawn_minutes": ["portal_agent", "portal_administrator", "portal_contact"],
        "app_shared_cases": ["portal_administrator", "portal_contact"],
        "app_shares_case": ["portal_administrator", "portal_contact"],
        "app_sign_ins": ["portal_administrator", "portal_contact"],
        "dispatch_case": ["portal_agent", "portal_administrator", "portal_contact"],
        "dispatch_choice": ["portal_agent"],
        "erase_contact": ["portal_agent"],
        "hand_over_login": [],
        "notices_of": ["portal_agent"],
        "lock_own_customer": ["portal_administrator", "portal_contact"],
        "is_usable": ["portal_agent", "portal_administrator", "portal_contact"],
        "person_of": ["portal_app", "portal_agent"],
        "record_contact_export": ["portal_agent"],
        "record_personal_export": ["portal_agent", "portal_administrator", "portal_contact"],
        "record_export": ["portal_agent", "portal_administrator", "portal_contact"],
        "redact": ["portal_agent"],
        "set_first_password": ["portal_agent"],
        "used_minutes": ["portal_agent", "portal_administrator", "portal_contact"],
        "unread_since": ["portal_agent", "portal_administrator", "portal_contact"],
        "take_turns": ["portal_app", "portal_agent", "portal_administrator"],
    }


async def test_contacts_write_only_what_they_ask_of_a_question(owner: Any) -> None:
    """R88: contacts can ask questions about time, but can neither end nor change nor delete them in the database."""
    columns = await owner.fetch(
        "select attname from pg_attribute where attrelid = 'entry_question'::regclass and attnum > 0 and not attisdropped"
        " and has_column_privilege('portal_contact', attrelid, attnum, 'insert') order by 1"
    )
    assert [row["attname"] for row in columns] == [
        "asked_at", "case_number", "customer_id", "detail_position", "entry_id", "form_key", "invoice_id"
    ]  # fmt: skip
    assert not await owner.fetchval("select has_any_column_privilege('portal_contact', 'entry_question', 'update')")
    assert not await owner.fetchval("select has_table_privilege('portal_contact', 'entry_question', 'delete')")


@pytest.mark.usefixtures("dsn")
class TestVerbs:
    """Test SQL that the agents' role may not run, and functions that do for agents what their role may not."""

    @pytest.mark.parametrize(
        "statement",
        [
            "select password_hash from credential",
            "select * from credential",
            "update credential set password_hash = null",
            "insert into credential (email, agent_id, password_hash, created_at) values ('x@y.example', 1, 'x', now())",
            "select token_hash from session",
            "update session set token_hash = sha256('x')",
            "update session set last_used_at = now(), confirmed_at = now()",
            "select token_hash from invitation",
            "update invitation set token_hash = sha256('x')",
            "update invitation set expires_at = now()",
            "insert into invitation (kind, token_hash, credential_id, created_at, expires_at)"
            " values ('reset', sha256('x'), 3, now(), now())",
            "select key from attempt",
            "delete from attempt",
            "update draft set fields = '{}'",
        ],
    )
    async def test_the_agents_role_is_refused(self, statement: str) -> None:
        """R15, R88: the agents' role is refused this statement."""
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(NOOR) as tx:
                await tx.execute(statement)

    async def test_a_first_password_never_replaces_another(self) -> None:
        async with transaction(None) as tx:
            before = await tx.fetchval("select password_hash from credential where id = $1", MAX.credential_id)
            await tx.execute("update credential set password_hash = null where id = $1", INES.credential_id)
        async with transaction(SYSTEM):
            for agent in (MAX, INES):
                await credentials.set_first_password(agent.credential_id, "chosen")
        async with transaction(None) as tx:
            rows = await tx.fetch("select id, password_hash from credential where agent_id in (1, 2)")
        assert {row["id"]: row["password_hash"] for row in rows} == {
            MAX.credential_id: before,
            INES.credential_id: "chosen",
        }

    @pytest.mark.parametrize("reader", [None, NOOR], ids=["the sign-in role", "the agents' role"])
    async def test_what_has_ended_stays_ended(self, reader: Any) -> None:
        """R12, R17: neither the sign-in role nor the agents' role can make an ended session or link valid again."""
        async with transaction(None):
            await sessions.begin(GIL.credential_id, address="-", browser="-", at=NOW)
            await invitations.begin_reset(GIL.credential_id, NOW)
            await sessions.end_all(GIL.credential_id, NOW)
            await invitations.end_all(GIL.credential_id, NOW)
        for table in ("session", "invitation"):
            for changed in ("null", "now() + interval '1 day'"):
                with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="stays ended"):
                    async with transaction(reader) as tx:
                        await tx.execute(f"update {table} set ended_at = {changed}")

    async def test_agents_still_invite_end_and_see_access(self) -> None:
        """R17, R18: Noor can invite Alan, disable his account, change Ada's mail address, and see who has accepted.

        As the last admin, she cannot end her own access.
        """
        async with transaction(NOOR):
            token = await invitations.invite(ALAN.credential_id, NOW)
            assert all(row["accepted_at"] for row in await Agent.listed())
            with pytest.raises(Conflict):
                await (await Agent.find(NOOR.id)).end(NOW)
        async with transaction(None):
            assert (await invitations.find(token, NOW + timedelta(hours=1))).name == "Alan Weber"
        async with transaction(NOOR):
            await credentials.disable(ALAN.credential_id, NOW)
            await credentials.change_email(ADA.credential_id, "ada.l@acme.example", NOW)
