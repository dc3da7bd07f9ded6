"""Test the page of a customer: work, hours and invoices in one place, and what agents and managers may see of them."""

from datetime import date, timedelta

import pytest

from portal.contracts.projects import Project, ProjectFacts
from portal.database import transaction
from portal.desk import Case, Status
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, AgentReader
from portal.web.gate import Gate
from tests.billing.test_issuing_persistence import issued
from tests.billing.test_payments import pay
from tests.billing.test_prepaid_persistence import PLAN, approved
from tests.billing.work import a_service, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, ADA, GIL, GLOBEX, HELPDESK, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")


async def card(app: Gate, reader: AgentReader, customer: int = ACME) -> str:
    """Return the HTML of the customer's page as `reader` gets it, with one space for each run of white space."""
    async with await Browser.of(app, reader, at=NOW) as browser:
        response = await browser.get(f"/agent/customers/{customer}")
        assert response.status_code == 200
        return " ".join(response.text.replace("\xa0", " ").split())


async def opened(subject: str, *, by: object = ADA, minutes: int = 0) -> Case:
    async with transaction(by):  # type: ignore[arg-type]
        return await Case.open(
            by=by, subject=subject, text="…", case_type_id=INCIDENT, at=NOW + timedelta(minutes=minutes)
        )  # type: ignore[arg-type]


async def test_the_page_of_a_customer_shows_all_work_hours_and_debts(app: Gate) -> None:
    """S3.32, S3.14: a customer's page shows its cases, open projects, hours left, unbilled time, debts and contacts.

    Solved cases are listed after the active ones. Done projects and cases of other customers are not shown.
    """
    closed = await opened("MARK-SOLVED")
    await opened("MARK-ACTIVE")
    await opened("MARK-FOREIGN", by=GIL)
    async with transaction(INES):
        await closed.change_status(Status.RESOLVED, by=INES, at=NOW)
    async with transaction(MAX):
        acme = await Customer.find(ACME, SYSTEM)
        await Project.create(
            acme, ProjectFacts(name="MARK-PROJECT", service_id=str(HELPDESK), budget_minutes="2h"), NOW
        )
        await Project.create(acme, ProjectFacts(name="MARK-DONE", service_id=str(HELPDESK), state="done"), NOW)
        await pay(await issued(90), "14.20")
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await approved(90, service=plan, on=date(2026, 11, 3))
        await log(30, service=plan, on=date(2026, 11, 4))
    text = await card(app, MAX)
    active, previous = text.index('id="cases"'), text.index('id="previous-cases"')
    assert active < text.index("MARK-ACTIVE") < previous < text.index("MARK-SOLVED")
    for words in (
        "MARK-PROJECT", "0 min worked, 2 h left", "8 h 30 min left of 10 h", "30 min pending", "€200.00 to pay on 1 invoice.",
        "2026-0147", "€200.00 of €214.20 to pay", "Ada Lindqvist", "1 h 30 min of it not billed",
    ):  # fmt: skip
        assert words in text, words
    assert "MARK-FOREIGN" not in text
    assert "MARK-DONE" not in text


async def test_agents_see_no_money_of_a_customer(app: Gate) -> None:
    """S3.32: on a customer's page, an agent who is not a manager sees the services, but no amount and no invoice."""
    async with transaction(MAX):
        await issued(90)
    text = await card(app, INES)
    for words in ("€", "2026-0147", "/agent/invoices", "Owed"):
        assert words not in text, words
    assert "Helpdesk" in text


async def test_each_list_of_a_customer_ends_with_a_link_to_the_rest(app: Gate) -> None:
    """S3.32: the page shows five cases and how many there are, and five projects and how many more are open.

    It links to the full lists. If a customer has no case, project or debt, its page says so.
    """
    for turn in range(7):
        await opened(f"MARK-{turn}.", minutes=turn)
    async with transaction(MAX):
        for turn in range(8):
            facts = ProjectFacts(name=f"Project {turn}", service_id=str(HELPDESK))
            await Project.create(await Customer.find(ACME, SYSTEM), facts, NOW)
    text = await card(app, MAX)
    assert [f"MARK-{turn}." in text for turn in range(7)] == [False, False, True, True, True, True, True]
    assert f'href="/agent/cases?customer={ACME}&amp;view=all">All 7</a>' in text
    assert "3 more open projects" in text
    empty = await card(app, MAX, GLOBEX)
    for words in ("No case has been opened yet.", "No project is open.", "Nothing is to be paid."):
        assert words in empty, words
