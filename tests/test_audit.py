"""Test the audit log: the transaction of each important change adds a line that nobody can forge or change."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal import audit, billing
from portal.contracts.company import Company
from portal.contracts.rates import Rate, RateFacts
from portal.database import transaction
from portal.people.access import invitations
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.people.factors import authenticator, recovery
from portal.people.readers import SYSTEM, Reader
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, Logged, log
from tests.browser import Browser, text_of
from tests.faults.verbs import issue, token_of
from tests.people.changing import change_password
from tests.world import ACME, ADA, INES, MAX, NOOR, NOW, PASSWORD

RATE = RateFacts(hourly_rate="99.50", currency="EUR", effective_from="2030-01-01", customer_id=str(ACME))


async def lines(dsn: str, after: int = 0) -> list[asyncpg.Record]:
    """Return the audit lines with an id greater than `after`, oldest first, read with the owner's rights."""
    owner = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await owner.fetch("select * from audit where id > $1 order by id", after)
    finally:
        await owner.close()
    return rows


async def raise_ines() -> None:
    async with transaction(NOOR):
        agent = await Agent.find(INES.id)
        facts = await agent.facts()
        facts.grade = "manager"
        await agent.change(facts, NOW)


async def take_invoices_from_ada() -> None:
    async with transaction(NOOR):
        contact = await Contact.find(ADA.id, SYSTEM)
        facts = await contact.facts()
        facts.sees_invoices = False
        await contact.change(facts, NOW)


async def add_a_rate() -> None:
    async with transaction(NOOR):
        await Rate.create(RATE, NOW)


async def change_the_bank() -> None:
    async with transaction(NOOR):
        company = await Company.needed()
        facts = await company.facts()
        facts.iban = "DE89370400440532013000"
        facts.bic = ""
        await Company.set_up(facts)


async def invite() -> None:
    async with transaction(NOOR):
        await invitations.invite(INES.credential_id, NOW)


async def change_a_password() -> None:
    await change_password(ADA.credential_id, "violet kettle under seven bridges", NOW)


async def submitted() -> Logged:
    async with transaction(INES):
        return await log()


async def approve() -> None:
    entry = await submitted()
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)


async def withdraw() -> None:
    entry = await submitted()
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.withdraw(entry.id, by=MAX, at=NOW)


async def change_submitted_time() -> None:
    entry = await submitted()
    async with transaction(NOOR) as tx:
        await tx.execute("update time_entry set actual_minutes = 45 where id = $1", entry.id)


async def run() -> None:
    await approve()
    async with transaction(MAX):
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)


async def issue_one() -> None:
    prepared = await issue()
    async with transaction(MAX):
        await billing.issue(int(prepared.about), by=MAX, at=NOW)


async def sign_in() -> None:
    await token_of(ADA)


ACTIONS: list[tuple[Callable[[], Awaitable[None]], str, dict[str, Any], Reader | None]] = [
    (sign_in, "session.insert", {"credential_id": [None, ADA.credential_id]}, ADA),
    (raise_ines, "agent.update", {"grade": ["agent", "manager"]}, NOOR),
    (take_invoices_from_ada, "contact.update", {"sees_invoices": [True, False]}, NOOR),
    (invite, "invitation.insert", {"token_hash": None}, NOOR),
    (change_a_password, "credential.update", {"password_hash": None}, None),
    (add_a_rate, "rate.insert", {"hourly_rate": [None, 99.5]}, NOOR),
    (change_the_bank, "company.update", {"iban": None}, NOOR),
    (change_submitted_time, "time_entry.update", {"actual_minutes": [60, 45]}, NOOR),
    (approve, "time_entry.update", {"state": ["submitted", "approved"]}, MAX),
    (withdraw, "time_entry.update", {"state": ["approved", "submitted"]}, MAX),
    (run, "billing_run.insert", {"run_by_id": [None, MAX.id]}, MAX),
    (issue_one, "invoice.update", {"state": ["draft", "issued"]}, MAX),
]


@pytest.mark.parametrize(("act", "what", "changes", "who"), ACTIONS, ids=[one[0].__name__ for one in ACTIONS])
async def test_what_matters_is_recorded_with_who_and_what(
    dsn: str, act: Any, what: str, changes: dict[str, Any], who: Reader | None
) -> None:
    """R89, D58: each important change adds an audit line with the person who made it and the values before and after.

    If a name, a mail address, bank details or a secret changed, the line names the field but not its values.
    """
    before = await lines(dsn)
    await act()
    found = [row for row in await lines(dsn, len(before) and before[-1]["id"]) if row["what"] == what]
    told = [json.loads(row["changes"]) for row in found]
    fitting = [row for row, one in zip(found, told, strict=True) if changes.items() <= one.items()]
    assert len(fitting) == 1, told
    assert fitting[0]["credential_id"] == (who.credential_id if who else None)
    text = json.dumps(told)
    assert not re.search(r"@|argon2|Ines|Ada|DE8937", text), text


async def test_an_action_that_cannot_be_recorded_does_not_happen(dsn: str) -> None:
    """R89: if the audit line of an action cannot be written, the action is rolled back."""
    owner = await asyncpg.connect(dsn)
    await owner.execute("alter table audit add constraint full_up check (what <> 'rate.insert') not valid")
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await add_a_rate()
        assert await owner.fetchval("select count(*) from rate where effective_from = '2030-01-01'") == 0
    finally:
        await owner.execute("alter table audit drop constraint full_up")
        await owner.close()


@pytest.mark.parametrize("reader", [None, ADA, NOOR, SYSTEM], ids=["sign-in", "contact", "admin", "system"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into audit (address, request, what, changes) values ('', '', 'forged', '{}')",
        "update audit set what = 'nothing'",
        "delete from audit",
        "truncate audit",
    ],
)
async def test_no_role_of_the_app_can_write_it(dsn: str, reader: Any, statement: str) -> None:
    """R88, R90: no database role of the app can insert, change or delete audit lines directly."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(reader) as tx:
            await tx.execute(statement)


async def test_not_even_the_owner_changes_it_by_mistake(dsn: str) -> None:
    """R90: a trigger prevents even the owner of the tables from changing or deleting audit lines."""
    await add_a_rate()
    owner = await asyncpg.connect(dsn)
    for statement in ("update audit set what = 'nothing'", "delete from audit"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)
    await owner.close()


@pytest.mark.parametrize("table", ["message", "attachment", "case_event", "statement"])
async def test_what_was_said_and_stated_is_append_only(dsn: str, table: str) -> None:
    """R90: no database role of the app can change or delete messages, attachments, case events or statements.

    The test looks at privileges on whole tables. Agents may update one column, the case of a message, because they move
    messages to another case of the same customer (D53).
    """
    owner = await asyncpg.connect(dsn)
    triggers = await owner.fetch("select tgname from pg_trigger where tgrelid = to_regclass($1)", table)
    may = {
        (role, verb)
        for role in ("portal_app", "portal_agent", "portal_contact")
        for verb in ("update", "delete", "truncate")
        if await owner.fetchval("select has_table_privilege($1, $2, $3)", role, table, verb)
    }
    await owner.close()
    assert "append_only" in {row["tgname"] for row in triggers}
    assert may == set()


async def test_a_change_over_the_web_says_from_where_and_in_which_request(app: Gate, dsn: str) -> None:
    """R89: the audit line of Ada's sign-in over HTTP has the IP address and the id of the request."""
    async with Browser(app) as browser:
        answer = await browser.send_form("/sign-in", {"email": ADA.email, "password": PASSWORD})
        assert answer.status_code == 303
    (row,) = [row for row in await lines(dsn) if row["what"] == "session.insert"]
    assert row["address"] == "127.0.0.1"
    assert re.fullmatch(r"[0-9a-f]{16}", row["request"])


async def test_a_factor_leaves_no_secret(app: Gate, dsn: str) -> None:
    """R9, R89: setting up and removing a second factor adds audit lines that contain no secret."""
    import pyotp

    secret = authenticator.new_secret()
    async with transaction(None):
        await authenticator.set_up(ADA.credential_id, secret, pyotp.TOTP(secret).at(NOW), app.settings.sealer, NOW)
        await authenticator.remove(ADA.credential_id)
        await recovery.remove(ADA.credential_id)
    found = [row for row in await lines(dsn) if row["what"].startswith("authenticator")]
    assert [row["what"] for row in found] == ["authenticator.insert", "authenticator.delete"]
    assert {json.loads(row["changes"])["secret"] for row in found} == {None}


async def test_each_use_of_a_factor_is_no_change_and_another_one_is(app: Gate, dsn: str) -> None:
    """R89: using a second factor adds no audit line; replacing it adds one."""
    import pyotp

    secrets = [authenticator.new_secret() for _ in range(2)]
    sealer, later = app.settings.sealer, NOW + timedelta(minutes=5)
    async with transaction(None):
        await authenticator.set_up(ADA.credential_id, secrets[0], pyotp.TOTP(secrets[0]).at(NOW), sealer, NOW)
        assert await authenticator.use(ADA.credential_id, pyotp.TOTP(secrets[0]).at(later), sealer, later)
        await authenticator.set_up(ADA.credential_id, secrets[1], pyotp.TOTP(secrets[1]).at(later), sealer, later)
    found = [row["what"] for row in await lines(dsn) if row["what"].startswith("authenticator")]
    assert found == ["authenticator.insert", "authenticator.update"]


async def test_new_recovery_codes_are_one_line_that_names_none(app: Gate, dsn: str) -> None:
    """R89: new recovery codes add one audit line, which contains none of the codes."""
    async with transaction(None):
        codes = await recovery.renew(ADA.credential_id)
    (row,) = [row for row in await lines(dsn) if row["what"].startswith("recovery_code")]
    assert (row["subject_id"], json.loads(row["changes"])) == (ADA.credential_id, {"codes": [None, len(codes)]})
    async with await Browser.of(app, NOOR) as noor:
        assert f"made {len(codes)} new recovery codes for" in text_of((await noor.get("/agent/setup/changes")).text)


async def test_admins_read_it_page_by_page(app: Gate) -> None:
    """Noor reads the audit log in pages, latest change first; an invalid cursor causes no server error."""
    for _ in range(audit.PAGE + 5):
        await token_of(ADA)
    await raise_ines()
    async with await Browser.of(app, NOOR) as noor:
        page = (await noor.get("/agent/setup/changes")).text
        assert "Noor Haddad" in page
        assert "Noor Haddad changed the grade of Ines Okafor from agent to manager" in text_of(page)
        earlier = re.search(r"/agent/setup/changes\?before=[0-9]+", page)
        assert earlier
        rest = (await noor.get(earlier[0])).text
        assert "from agent to manager" not in rest
        assert "Ada Lindqvist signed in" in text_of(rest)
        for nonsense in ("x", "-1", "9" * 30, "%00"):
            assert (await noor.get(f"/agent/setup/changes?before={nonsense}")).status_code in {200, 404}
