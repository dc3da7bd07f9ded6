"""Test requirements as contacts, agents and managers experience them: over HTTP, mostly by real forms."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.database import current, transaction
from portal.desk import Case
from portal.desk.workflow import Status
from portal.errors import Invalid
from portal.people.readers import SYSTEM, Reader
from portal.settings import CannotStart, Settings
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, OCTOBER, a_service, log, tick
from tests.browser import Browser
from tests.world import (
    ACME,
    ACME_CONTRACT,
    ADA,
    ALAN,
    GLOBEX,
    GLOBEX_CONTRACT,
    HELPDESK,
    INCIDENT,
    INES,
    MAX,
    NOOR,
    NOW,
    PASSWORD,
)

pytestmark = pytest.mark.usefixtures("clock")

PROJECTS = "Migration"
"""The name of Acme's second service, which `second_service` creates."""


@pytest.fixture
async def browsers(app: Gate) -> AsyncIterator[dict[str, Browser]]:
    """Yield a browser for each of Ada, Alan, Ines, Max and Noor, signed in as that person, by first name."""
    opened = {reader.name.split()[0]: await Browser.of(app, reader, at=NOW) for reader in (ADA, ALAN, INES, MAX, NOOR)}
    yield opened
    for browser in opened.values():
        await browser.aclose()


async def case_of(reader: Reader, subject: str = "VPN drops") -> Case:
    """Open a case as the contact `reader` and return it."""
    async with transaction(reader):
        return await Case.open(by=reader, subject=subject, text="Since Monday.", case_type_id=INCIDENT, at=NOW)


async def second_service(rollup: str = "service") -> int:
    """Add the service *Migration* with this rollup to Acme's contract, and return its id."""
    async with transaction(SYSTEM):
        return await a_service(ACME, ACME_CONTRACT, PROJECTS, rollup=rollup)


async def rows(sql: str, *values: Any) -> list[Any]:
    """Return the rows of a query that runs as the portal itself, which sees every customer's rows."""
    async with transaction(SYSTEM) as tx:
        return [dict(row) for row in await tx.fetch(sql, *values)]


# --- time on cases


async def test_an_entry_keeps_what_the_form_said(browsers: dict[str, Browser]) -> None:
    """S0.1, S0.9, S0.12, S0.14, S1.17, S1.20, S2.1, S2.11, S2.12, S3.1: each field of the time form is stored.

    An agent logs yesterday's work on a case; the time entry has the case, service, agent, date, minutes, external
    comment and internal description that were typed.
    """
    case, yesterday = await case_of(ADA), date(2026, 11, 19)
    fields = {
        "duration": "1h 30m", "work_date": yesterday.isoformat(), "service": str(HELPDESK), "billing": "billable",
        "on": f"case-{case.number}", "external_comment": "Gateway replaced", "description": "see the old ticket",
    }  # fmt: skip
    assert (await browsers["Ines"].send_form("/agent/time/new", fields)).status_code == 303
    (entry,) = await rows("select * from time_entry")
    assert (entry["case_id"], entry["service_id"], entry["agent_id"]) == (case.id, HELPDESK, INES.id)
    assert (entry["work_date"], entry["actual_minutes"], entry["billable_minutes"]) == (yesterday, 90, 90)
    assert (entry["external_comment"], entry["description"]) == ("Gateway replaced", "see the old ticket")


async def test_billable_time_may_differ_from_actual_time(browsers: dict[str, Browser]) -> None:
    """S0.13, D3, D8: rounding or an agent's override changes the billable minutes, never the actual minutes."""
    case = await case_of(ADA)
    async with transaction(INES):
        work = Work(minutes=50, work_date=date(2026, 11, 19), service_id=HELPDESK)
        rounded = await TimeEntry.log(INES, work, at=NOW, case=case)
        decided = Work(
            minutes=50, work_date=date(2026, 11, 19), service_id=HELPDESK, counts=120, override_reason="agreed"
        )
        more = await TimeEntry.log(INES, decided, at=NOW, case=case)
    assert [(one.actual_minutes, one.billable_minutes) for one in (rounded, more)] == [(50, 60), (50, 120)]


async def test_only_agents_submit_time(browsers: dict[str, Browser]) -> None:
    """S0.4: a contact who posts the form that submits time gets 404 and submits nothing; the agent's post succeeds."""
    case = await case_of(ADA)
    async with transaction(INES):
        work = Work(minutes=30, work_date=date(2026, 11, 19), service_id=HELPDESK)
        entry = await TimeEntry.log(INES, work, at=NOW, case=case)
    for name, status in (("Ada", 404), ("Alan", 404), ("Ines", 303)):
        answer = await browsers[name].send_form("/agent/time/submission", {"entry": str(entry.id)})
        assert answer.status_code == status, name
    assert [row["state"] for row in await rows("select state from time_entry")] == ["submitted"]


async def test_a_case_carries_time_on_several_services(browsers: dict[str, Browser]) -> None:
    """S1.19: one case can have time entries on two services of the case's customer."""
    case, service = await case_of(ADA), await second_service()
    for chosen in (HELPDESK, service):
        fields = {
            "duration": "30m",
            "work_date": "2026-11-20",
            "service": str(chosen),
            "billing": "billable",
            "on": f"case-{case.number}",
        }
        assert (await browsers["Ines"].send_form("/agent/time/new", fields)).status_code == 303
    found = await rows("select case_id, service_id, customer_id from time_entry order by id")
    assert found == [{"case_id": case.id, "service_id": chosen, "customer_id": ACME} for chosen in (HELPDESK, service)]


# --- from time to invoices


async def test_only_approved_billable_time_is_invoiced(browsers: dict[str, Browser]) -> None:
    """S0.27, S0.32, S1.2, S1.4, S1.5, S1.22, S4.1, S4.19, C1: only approved billable time is billed.

    Draft and submitted time entries are skipped as not approved, and an approved entry that is not billable is on no
    invoice line.
    """
    async with transaction(MAX):
        draft, submitted = await log(30, state="draft"), await log(45)
        unbilled, billed = await log(60, billing="not_billable"), await log(90)
        outcome = await billing.approve([unbilled.choice, billed.choice], by=MAX, at=NOW)
        assert outcome.refused == ()
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
    on_lines = await rows("select entry_id from settled_entry")
    assert on_lines == [{"entry_id": billed.id}]
    skipped = await rows("select entry_id, reason from skipped_entry order by 1")
    assert skipped == [{"entry_id": one.id, "reason": "not_approved"} for one in (draft, submitted)]


async def test_a_run_makes_one_invoice_for_each_customer_and_contract(browsers: dict[str, Browser]) -> None:
    """S2.42, S3.21, S3.24, S4.3, S4.4, C9: a billing run drafts one invoice for each customer and contract.

    Two services of the same contract are two lines of one invoice.
    """
    service = await second_service()
    async with transaction(MAX):
        entries = [await log(60), await log(30, service=service, customer=ACME), await log(120, service=2)]
        assert (await billing.approve([one.choice for one in entries], by=MAX, at=NOW)).refused == ()
        run = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert run is not None
    found = await rows(
        "select i.customer_id, i.contract_id, array_agg(l.label order by l.position) as labels"
        " from invoice i join invoice_line l on l.invoice_id = i.id group by 1, 2 order by 1"
    )
    assert [tuple(row.values()) for row in found] == [
        (ACME, ACME_CONTRACT, ["Helpdesk", PROJECTS]),
        (GLOBEX, GLOBEX_CONTRACT, ["Globex helpdesk"]),
    ]


@pytest.mark.parametrize(
    ("rollup", "label"),
    [("none", "Moved the mailboxes"), ("resource", INES.name), ("role", "Senior consultant"), ("service", PROJECTS)],
)
async def test_the_rollup_decides_where_the_comment_is_shown(
    browsers: dict[str, Browser], rollup: str, label: str
) -> None:
    """S0.16 to S0.20, S0.22, S4.14 to S4.18: a service's rollup decides what the label of an invoice line says.

    With the rollup *none* the label is the external comment; otherwise it is the agent, the billing role or the
    service. The CSV that a contact downloads shows the external comment with every rollup.
    """
    service = await second_service(rollup)
    async with transaction(MAX):
        entry = await log(60, service=service, customer=ACME, comment="Moved the mailboxes")
        assert (await billing.approve([entry.choice], by=MAX, at=NOW)).refused == ()
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    (line,) = await rows("select label from invoice_line")
    assert line["label"] == label
    detail = await browsers["Ada"].get(f"/invoices/{invoice.number}/detail.csv")
    assert detail.headers["content-disposition"].startswith("attachment")
    (row,) = csv.DictReader(io.StringIO(detail.content.decode("utf-8-sig"), newline=""))
    assert row["Comment"] == "Moved the mailboxes"


@pytest.mark.usefixtures("dsn")
async def test_time_from_before_the_service_began_is_not_approved() -> None:
    """S4.11: time from before its service's start date is refused at approval; time on that date is approved."""
    async with transaction(MAX):
        await current().execute("update service set effective_start = $1 where id = $2", OCTOBER, HELPDESK)
        early, first = await log(60, on=OCTOBER - timedelta(days=1)), await log(60, on=OCTOBER)
        outcome = await billing.approve([early.choice, first.choice], by=MAX, at=NOW)
    assert [one.entry_id for one in outcome.refused] == [early.id]


@pytest.mark.usefixtures("dsn")
async def test_a_service_has_a_name_and_the_customer_of_its_contract() -> None:
    """S4.5, S4.6, S4.8, S4.9, S4.10: a service has a name, a contract and the customer of that contract.

    The database refuses a service that belongs to another customer than its contract does.
    """
    (service,) = await rows("select id, name, contract_id, customer_id from service where id = $1", HELPDESK)
    assert service == {"id": HELPDESK, "name": "Helpdesk", "contract_id": ACME_CONTRACT, "customer_id": ACME}
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with transaction(SYSTEM):
            await a_service(GLOBEX, ACME_CONTRACT, "Stray")


async def test_a_month_is_invoiced_by_three_forms(browsers: dict[str, Browser]) -> None:
    """S3.31: a manager invoices a month by three forms: approve the entries, draft the invoices, issue the drafts."""
    async with transaction(MAX):
        entries = [await log(60), await log(30), await log(120, service=2)]
    manager = browsers["Max"]
    ticks = {"entry": [f"{one.id}:{one.version}" for one in entries]}
    assert (await manager.send_form("/agent/approvals", ticks)).status_code == 303
    made = {"until": "2026-11-01", "customer": [str(ACME), str(GLOBEX)]}
    assert (await manager.send_form("/agent/billing/runs", made)).status_code == 303
    drafts = [await tick(row["id"]) for row in await rows("select id from invoice order by id")]
    await manager.send_form("/agent/drafts/issue", {"draft": drafts})
    found = await rows("select number from invoice order by number")
    assert [row["number"] for row in found] == ["2026-0147", "2026-0148"]


# --- the dialogue


async def test_both_sides_and_colleagues_read_the_whole_dialogue(browsers: dict[str, Browser]) -> None:
    """S3.5, S3.6, S3.15: contacts and agents read every message of a case; internal notes are shown to agents only.

    The case is Alan's; his colleague Ada may see all cases of their company.
    """
    case = await case_of(ALAN)
    async with transaction(INES):
        await case.reply(by=INES, text="The gateway is replaced.", at=NOW)
        await case.note(by=INES, text="the cheap one again", at=NOW)
    for name, path in (("Alan", "cases"), ("Ada", "cases"), ("Ines", "agent/cases"), ("Max", "agent/cases")):
        page = (await browsers[name].get(f"/{path}/{case.number}")).text
        assert "Since Monday." in page, name
        assert "The gateway is replaced." in page, name
        assert ("the cheap one again" in page) == path.startswith("agent"), name


@pytest.mark.usefixtures("dsn")
async def test_everything_that_happens_to_a_case_is_in_its_log() -> None:
    """S3.2, S3.10: everything done to a case adds an event to its log, and no event can be deleted."""
    case = await case_of(ADA)
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
        await case.reply(by=INES, text="We look at it.", at=NOW)
        await case.change_facts(by=INES, at=NOW, priority=4, subject="VPN drops daily")
        await TimeEntry.log(INES, Work(minutes=30, work_date=NOW.date(), service_id=HELPDESK), at=NOW, case=case)
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).close(by=ADA, at=NOW)
    found = [row["kind"] for row in await rows("select kind from case_event where case_id = $1 order by id", case.id)]
    for kind in ("opened", "priority", "subject", "time.logged"):
        assert any(kind in one for one in found), (kind, found)
    assert len(found) >= 6
    with pytest.raises(asyncpg.PostgresError):
        async with transaction(SYSTEM) as tx:
            await tx.execute("delete from case_event")


async def test_customers_attach_files_to_their_case_only(browsers: dict[str, Browser]) -> None:
    """S3.12, S3.17: a contact attaches a file to a reply; the URL of the file with another case's number gets 404."""
    first, second = await case_of(ADA, "First"), await case_of(ADA, "Second")
    files = [("files", ("screen.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "image/png"))]
    answer = await browsers["Ada"].send_form(f"/cases/{first.number}/replies", {"body": "See it."}, files=files)
    assert answer.status_code == 303
    page = (await browsers["Ada"].get(f"/cases/{first.number}")).text
    link = re.search(rf"/cases/{first.number}/files/([0-9a-f-]+)", page)
    assert link
    assert (await browsers["Ada"].get(link[0])).status_code == 200
    assert (await browsers["Ada"].get(f"/cases/{second.number}/files/{link[1]}")).status_code == 404


async def test_customers_follow_open_cases_and_find_closed_ones(browsers: dict[str, Browser]) -> None:
    """S3.13, S3.14: a contact's list shows open cases with their status; `show=all` shows the closed ones too."""
    case, over = await case_of(ADA, "Printer jams"), await case_of(ADA, "Screen is dark")
    async with transaction(INES):
        await case.reply(by=INES, text="Which one?", then=Status.WAITING_FOR_CUSTOMER, at=NOW)
    async with transaction(ADA):
        await (await Case.find(over.number, ADA)).close(by=ADA, at=NOW)
    page = (await browsers["Ada"].get("/cases")).text
    assert "Printer jams" in page
    assert Status.WAITING_FOR_CUSTOMER.customer_word in page
    assert "Screen is dark" not in page
    everything = (await browsers["Ada"].get("/cases?show=all")).text
    assert "Screen is dark" in everything
    assert "Closed" in everything


async def test_a_case_has_a_priority_that_agents_change(browsers: dict[str, Browser]) -> None:
    """S3.19: an agent changes the priority of a case, the page shows it, and an unknown priority is refused."""
    case = await case_of(ADA)
    async with transaction(INES):
        await case.change_facts(by=INES, at=NOW, priority=4)
    assert "Urgent" in (await browsers["Ines"].get(f"/agent/cases/{case.number}")).text
    async with transaction(INES):
        with pytest.raises(Invalid):
            await case.change_facts(by=INES, at=NOW, priority=9)


# --- the platform


async def test_production_speaks_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3.44: in production, a base URL with http instead of https raises `CannotStart`."""
    given = {
        "PORTAL_ENVIRONMENT": "production", "PORTAL_BASE_URL": "http://support.company.example",
        "PORTAL_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
    }  # fmt: skip
    with pytest.raises(CannotStart, match="https"):
        Settings.from_environment(given)


async def test_accounts_are_protected_by_passwords(app: Gate) -> None:
    """S3.45: signing in with a wrong password is refused and opens no session; the right password opens one."""
    for typed, status in (("not it at all", 422), (PASSWORD, 303)):
        async with Browser(app) as browser:
            answer = await browser.send_form("/sign-in", {"email": ADA.email, "password": typed})
            assert answer.status_code == status
            assert ((await browser.get("/cases")).status_code == 200) == (status == 303)
