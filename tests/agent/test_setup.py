"""Test the set-up forms that lead from an empty database to the first invoice, and who may use them."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from portal.database import transaction
from portal.people.agents import create_admin
from portal.people.readers import SYSTEM, AgentReader
from portal.web.gate import Gate
from tests.browser import Browser
from tests.queries import counted
from tests.world import (
    ACME,
    ACME_CONTRACT,
    ADA,
    HELPDESK,
    INES,
    MAX,
    NOOR,
    PASSWORD,
    PRIORITIES,
    SENIOR,
    STATUSES,
    SUPPORT,
)

COMPANY = {
    "name": "Halden IT", "legal_name": "Halden IT GmbH", "street": "Hafenstraße 7", "postcode": "20457", "city": "Hamburg", "country": "DE",
    "vat_id": "DE100000008", "email": "office@desk.example", "phone": "", "bank_name": "Hanse Bank", "iban": "DE02 1203 0000 0000 2020 51",
    "bic": "BYLADEM1001", "currency": "EUR", "time_zone": "Europe/Berlin", "vat_rate": "7.7", "first_number": "2026-0147",
}  # fmt: skip
ROLE = {"name": "Senior consultant", "hourly_rate": "120", "effective_from": "2026-01-01"}
AGENT = {
    "name": "Ines Okafor", "email": "ines@desk.example", "grade": "agent", "role_id": "1", "department_id": "1",
    "time_zone": "Europe/Berlin", "locale": "en_GB",
}  # fmt: skip
CUSTOMER = {
    "name": "Acme", "legal_name": "", "street": "Speicherweg 12", "postcode": "20457", "city": "Hamburg", "country": "DE",
    "vat_id": "DE100000016",
}  # fmt: skip
CONTRACT = {
    "name": "Support 2026", "start_on": "2026-01-01", "valid_until": "", "currency": "EUR", "vat_rate": "19", "payment_days": "14",
    "cycle": "monthly", "anchor": "", "order_reference": "4500-7731",
}  # fmt: skip
SERVICE = {
    "name": "Helpdesk", "settlement": "time_spent", "effective_start": "", "rollup": "service", "taxable": "yes", "exemption_reason": "",
    "rounding_minimum": "0", "rounding_increment": "15", "rounding_mode": "up",
}  # fmt: skip
CONTACT = {
    "name": "Ada Lindqvist", "email": "ada@acme.example", "phone": "", "sees_all_cases": "yes", "sees_invoices": "yes",
    "time_zone": "Europe/Berlin", "locale": "en_GB",
}  # fmt: skip


@pytest.fixture
async def root(app: Gate, dsn: str) -> AsyncIterator[Browser]:
    """Create the first admin in an empty database, as the command line does, and yield the admin's browser."""
    connection = await asyncpg.connect(dsn)
    tables = await connection.fetch(
        "select tablename from pg_tables where schemaname = 'public' and tablename !~ '^(migration|pgqueuer)'"
    )
    await connection.execute(f"truncate {', '.join(row['tablename'] for row in tables)} restart identity cascade")
    await connection.execute(STATUSES + PRIORITIES)
    await connection.close()
    async with transaction(SYSTEM):
        admin = await create_admin(
            name="Noor Haddad", address=NOOR.email, password=PASSWORD, zone="Europe/Berlin", at=datetime.now(UTC)
        )
        credential = (await admin.credential())["id"]
    reader = AgentReader(admin.id, credential, admin.name, NOOR.email, "admin", "en_GB", "Europe/Berlin")
    async with await Browser.of(app, reader) as browser:
        yield browser


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def without_mail(app: Gate) -> None:
    """Remove the mail server, so that invitation links are shown to copy; `tests/mail` tests links that are mailed."""
    app.settings = replace(app.settings, smtp_url=None)


async def sent(browser: Browser, path: str, fields: dict[str, str]) -> str:
    """Send a form that must be accepted, and return the URL that the response redirects to."""
    answer = await browser.send_form(path, fields)
    assert answer.status_code == 303, re.findall(r'class="wrong".*?<span>(.*?)</span>', answer.text, re.S)
    return answer.headers["location"]


async def test_eight_forms_lead_from_nothing_to_all_that_an_invoice_needs(root: Browser, app: Gate) -> None:
    assert "What is missing before the first invoice?" in (await root.get("/agent/setup")).text
    for path in ("company", "departments", "roles", "rates", "agents", "agents/new", "case-types"):
        assert (await root.get(f"/agent/setup/{path}")).status_code == 200
    assert "No customers yet" in (await root.get("/agent/customers")).text

    await sent(root, "/agent/setup/company", COMPANY)
    await sent(root, "/agent/setup/roles", ROLE)
    invited = await root.send_form("/agent/setup/agents/new", AGENT)
    assert invited.status_code == 200
    acme = await sent(root, "/agent/customers/new", CUSTOMER)
    new_service = await sent(root, f"{acme}/contracts/new", CONTRACT)
    await sent(root, new_service, SERVICE)
    contact = await root.send_form(f"{acme}/contacts/new", CONTACT)
    assert contact.status_code == 200

    shown = (await root.get("/agent/setup")).text
    assert "Nobody may approve" in shown  # Nobody may approve Noor's own time before a second approver exists.
    await root.send_form(
        "/agent/setup/agents/new",
        AGENT | {"name": "Max Herrmann", "email": "max@desk.example", "grade": "manager", "approves": "1"},
    )
    shown = (await root.get("/agent/setup")).text
    assert "No role yet" not in shown
    for address in (acme, "/agent/customers"):
        assert "Hamburg, Germany" in " ".join((await root.get(address)).text.split())
    page = (await root.get(acme)).text
    for word in ("Ada Lindqvist", "Support 2026", "Helpdesk", "DE100000016", "19\u00a0%", "Every type"):
        assert word in page
    async with transaction(SYSTEM) as tx:
        assert [row["name"] for row in await tx.fetch("select name from case_type order by position")] == [
            "Incident",
            "Question",
            "Change request",
            "Our mistake",
        ]
        assert await tx.fetchval("select service_id from default_service where case_type_id is null") == 1

    link = re.search(r'value="http://127\.0\.0\.1:8000(/invitations/[^"]+)"', invited.text)
    assert link
    async with Browser(app) as ines:
        answer = await ines.send_form(link[1], {"password": "kettle-mauve-oxbow-17", "again": "kettle-mauve-oxbow-17"})
        assert answer.status_code == 303
        assert (await ines.get("/agent/customers")).status_code == 200


async def test_the_link_is_shown_once_and_a_new_one_ends_it(root: Browser) -> None:
    """R7, R8: an invitation link is shown only in the response that creates it, and a new link replaces the old one."""
    await sent(root, "/agent/setup/company", COMPANY)
    first = await root.send_form("/agent/setup/agents/new", AGENT | {"role_id": ""}, host="127.0.0.1:8000")
    assert "/invitations/" in first.text
    assert first.headers["cache-control"] == "no-store"
    assert "/invitations/" not in (await root.get("/agent/setup/agents/2")).text.replace("/agents/2/invitations", "")
    second = await root.send_form("/agent/setup/agents/2/invitations")
    assert second.status_code == 200
    links = [re.search(r"/invitations/([\w-]{43})", answer.text) for answer in (first, second)]
    assert links[0]
    assert links[1]
    assert links[0][1] != links[1][1]
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from invitation where ended_at is null") == 1


FORMS = {
    "/agent/setup/company": COMPANY,
    "/agent/setup/departments": {"name": "On site", "parent_id": ""},
    f"/agent/setup/departments/{SUPPORT}": {"name": "Support", "parent_id": ""},
    "/agent/setup/roles": ROLE | {"name": "Architect"},
    f"/agent/setup/roles/{SENIOR}": {"name": "Senior"},
    "/agent/setup/rates": {
        "hourly_rate": "1", "currency": "EUR", "effective_from": "2026-01-01", "role_id": "", "customer_id": "1", "service_id": "", "agent_id": "",
    },
    "/agent/setup/agents/new": AGENT | {"email": "new@desk.example"},
    f"/agent/setup/agents/{INES.id}": AGENT,
    "/agent/setup/general-kinds": {"name": "Sales"},
    "/agent/setup/general-kinds/1": {"name": "Team meeting"},
    "/agent/setup/case-types": {"name": "Visit", "billable": "no"},
    "/agent/setup/case-types/1": {"name": "Incident", "billable": "yes"},
    "/agent/customers/new": CUSTOMER | {"name": "Initech"},
    "/agent/customers/1/edit": CUSTOMER,
    "/agent/customers/1/contacts/new": CONTACT | {"email": "new@acme.example"},
    "/agent/customers/1/contacts/1": CONTACT,
    "/agent/customers/1/contracts/new": CONTRACT,
    "/agent/customers/1/contracts/1": CONTRACT,
    "/agent/customers/1/contracts/1/services/new": SERVICE | {"name": "On site"},
    "/agent/customers/1/contracts/1/services/1": SERVICE,
}  # fmt: skip
VERBS = (
    "/agent/setup/rates/1/withdrawal",
    f"/agent/setup/agents/{MAX.id}/invitations",
    f"/agent/setup/agents/{MAX.id}/ending",
    f"/agent/setup/agents/{MAX.id}/resumption",
    "/agent/setup/general-kinds/1/ending",
    "/agent/setup/general-kinds/1/resumption",
    "/agent/setup/case-types/1/ending",
    "/agent/setup/case-types/1/resumption",
    "/agent/customers/1/ending",
    "/agent/customers/1/resumption",
    "/agent/customers/1/contacts/2/invitations",
    "/agent/customers/1/contacts/2/ending",
    "/agent/customers/1/contacts/2/resumption",
    "/agent/customers/1/default-service",
)
PAGES = ("/agent/setup", "/agent/setup/agents", *(path for path in FORMS))


async def test_every_page_and_verb_is_for_admins_only(app: Gate) -> None:
    """R22: on every set-up URL, agents and managers get 403, contacts get 404, and visitors are sent to sign in."""
    for reader, status in ((INES, 403), (MAX, 403), (ADA, 404), (None, 303)):
        async with await Browser.of(app, reader) if reader else Browser(app) as browser:
            assert {path: (await browser.get(path)).status_code for path in PAGES} == dict.fromkeys(PAGES, status)
            token = await browser.csrf()
            answers = {path: (await browser.post(path, data={"csrf": token})).status_code for path in (*FORMS, *VERBS)}
            assert answers == dict.fromkeys((*FORMS, *VERBS), status)


async def test_every_form_is_shown_saved_and_saved_again(app: Gate) -> None:
    """Noor can open and save every set-up form; the same form sent again is accepted or refused with 422.

    Every button of the set-up can be pressed twice; only withdrawing a rate a second time gets 404.
    """
    async with await Browser.of(app, NOOR) as noor:
        for path, fields in FORMS.items():
            assert (await noor.get(path)).status_code == 200, path
            first = await noor.send_form(path, fields)
            assert first.status_code == (200 if path.endswith(("agents/new", "contacts/new")) else 303), path
            assert (await noor.send_form(path, fields)).status_code in {303, 422}, path
        for path in VERBS:
            for _ in range(2):
                answer = await noor.send_form(path)
                assert answer.status_code in {200, 303} or (
                    path.endswith("withdrawal") and answer.status_code == 404
                ), path


async def test_a_refused_form_comes_back_with_what_was_typed_and_changes_nothing(app: Gate, dsn: str) -> None:
    connection = await asyncpg.connect(dsn)

    async def everything() -> list[str]:
        tables = "company customer contact agent credential department role rate contract service case_type".split()
        return [str(await connection.fetch(f"select * from {table} order by id")) for table in tables]

    before = await everything()
    async with await Browser.of(app, NOOR) as noor:
        for path, fields in FORMS.items():
            wrong = fields | ({"hourly_rate": "dear"} if "/rates" in path else {"name": " "})
            answer = await noor.send_form(path, wrong)
            assert answer.status_code == 422, path
            assert 'aria-invalid="true"' in answer.text, path
            for name, value in wrong.items():
                if value.strip() and name not in {"sees_all_cases", "approves"}:
                    assert value in answer.text, (path, name)
            assert (await noor.send_form(path, fields | {"id": "7"})).status_code == 400, path
    assert await everything() == before
    await connection.close()


async def test_a_number_that_no_row_has_is_404(app: Gate) -> None:
    async with await Browser.of(app, NOOR) as noor:
        for number in ("999", "0", "99999999999999999999"):
            assert (await noor.get(f"/agent/customers/{number}")).status_code == 404
        for path in (*FORMS, *VERBS):
            for number in ("999", "0", "99999999999999999999"):
                wrong = re.sub(r"\d+(?=\D*$)", number, path)
                if wrong != path:
                    assert (await noor.send_form(wrong, FORMS.get(path))).status_code == 404, wrong
                    if path in FORMS:
                        assert (await noor.get(wrong)).status_code == 404, wrong


async def test_what_belongs_to_another_customer_is_404_through_this_one(app: Gate) -> None:
    """R28, R29: contacts, contracts and services of Globex get 404 under the URLs of Acme.

    A form with an additional field that names another customer gets 400.
    """
    async with await Browser.of(app, NOOR) as noor:
        for path in ("contacts/3", "contracts/2", "contracts/2/services/2", "contracts/1/services/2"):
            fields = CONTACT if "contacts" in path else CONTRACT if path.endswith("contracts/2") else SERVICE
            assert (await noor.get(f"/agent/customers/1/{path}")).status_code == 404
            assert (await noor.send_form(f"/agent/customers/1/{path}", fields)).status_code == 404
        chosen = await noor.send_form("/agent/customers/1/default-service", {"case_type_id": "", "service_id": "2"})
        assert chosen.status_code == 404
        typed = await noor.send_form("/agent/customers/1/default-service", {"case_type_id": "999", "service_id": "1"})
        assert typed.status_code == 404
        assert (
            await noor.send_form("/agent/customers/1/contracts/new", CONTRACT | {"customer_id": "2"})
        ).status_code == 400


async def test_the_bank_asks_for_the_password_a_while_after_signing_in(app: Gate) -> None:
    """R20: if Noor last entered her password more than ten minutes ago, the form of the company asks for it.

    A missing or wrong password gets 422, and nothing changes.
    """
    async with await Browser.of(app, NOOR) as fresh:
        assert 'name="password"' not in (await fresh.get("/agent/setup/company")).text
    async with await Browser.of(app, NOOR, at=datetime.now(UTC) - timedelta(minutes=11)) as noor:
        assert 'name="password"' in (await noor.get("/agent/setup/company")).text
        for password in ("", "wrong"):
            refused = await noor.send_form("/agent/setup/company", COMPANY | {"city": "Bremen", "password": password})
            assert refused.status_code == 422
            assert "password" in refused.text
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select city from company") == "Hamburg"
        await sent(noor, "/agent/setup/company", COMPANY | {"city": "Bremen", "password": PASSWORD})


async def test_the_only_admin_cannot_end_themselves(app: Gate) -> None:
    """R31: the only admin cannot end their own access; the request gets 409."""
    async with await Browser.of(app, NOOR) as noor:
        answer = await noor.send_form(f"/agent/setup/agents/{NOOR.id}/ending")
        assert answer.status_code == 409
        assert "only admin" in answer.text


async def test_agents_see_customers_and_change_nothing(app: Gate) -> None:
    async with await Browser.of(app, INES) as ines:
        found = await ines.get("/agent/customers", params={"q": "hamb"})
        assert "Acme" in found.text
        assert "Globex" not in found.text
        assert "No customer fits" in (await ines.get("/agent/customers", params={"q": "<b>"})).text
        shown = (await ines.get("/agent/customers/1")).text
        assert "Helpdesk" in shown
        for link in ("/edit", "/contacts/new", "/contracts/new", "/ending", "/default-service"):
            assert link not in shown


async def test_lists_and_details_ask_the_database_as_often_for_many_as_for_few(app: Gate) -> None:
    """The lists and pages of customers and of the set-up take at most a fixed number of SQL statements each.

    The number includes the statements for the session, the bell, and the counts of the navigation. The page of a
    customer shows cases, projects, contracts, hours, invoices and contacts, and asks the database once for each of them
    (S3.32).
    """
    async with await Browser.of(app, NOOR) as noor:
        for path, most in (
            ("/agent/customers", 7), ("/agent/customers/1", 23), ("/agent/setup", 8), ("/agent/setup/agents", 8), ("/agent/setup/rates", 12),
        ):  # fmt: skip
            with counted() as statements:
                assert (await noor.get(path)).status_code == 200
            assert len(statements) <= most, (path, statements)


async def test_a_case_type_gets_a_service_of_its_own(app: Gate) -> None:
    async with await Browser.of(app, NOOR) as noor:
        await sent(noor, "/agent/customers/1/contracts/1/services/new", SERVICE | {"name": "On site"})
        await sent(noor, "/agent/customers/1/default-service", {"case_type_id": "3", "service_id": "3"})
        assert "All others" in (await noor.get("/agent/customers/1")).text
        await sent(noor, "/agent/customers/1/default-service", {"case_type_id": "3", "service_id": ""})
        async with transaction(SYSTEM) as tx:
            assert [
                tuple(row)
                for row in await tx.fetch("select case_type_id, service_id from default_service where customer_id = 1")
            ] == [(None, HELPDESK)]


async def test_a_new_contract_begins_with_the_vat_rate_of_the_company(app: Gate) -> None:
    """A new contract's form presets the company's VAT rate; a stored contract's form has the contract's own rate."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update company set vat_rate = 7.7")
    async with await Browser.of(app, NOOR) as browser:
        new = (await browser.get(f"/agent/customers/{ACME}/contracts/new")).text
        assert re.search(r'name="vat_rate" type="text" value="7.7"', new)
        held = (await browser.get(f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}")).text
        assert re.search(r'name="vat_rate" type="text" value="19"', held)
