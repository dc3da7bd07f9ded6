"""Test that a page sends as many SQL statements for many rows as for few."""

from datetime import timedelta
from typing import Any

import pytest

from portal import billing
from portal.contracts.case_types import CaseType, CaseTypeFacts
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.rates import RoleFacts, create_role
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.desk import Case
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.people.agents import Agent, AgentFacts
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer, CustomerFacts
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import SYSTEM
from portal.storage import Storage
from portal.timekeeping.kinds import GeneralKind, KindName
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.desk.files import upload
from tests.pages import MORE, pages_of
from tests.places import Places, furnished
from tests.queries import counted
from tests.world import ACME, ADA, CONSULTANT, INCIDENT, INES, MAX, NOOR, NOW, SUPPORT

pytestmark = pytest.mark.usefixtures("clock")

MOST = 16
"""The maximum number of SQL statements of a page.

Three of them find the session, switch to the reader's role and count the unread notices.
"""
MOST_OF = {
    "Noor": {
        "/agent/customers/{customer}": 24,
        "/agent/invoices/{number}": 18,
        "/agent/services/{service}": 17,
        "/agent/approvals": 17,
        "/agent/approvals?drafts=yes": 17,
    }
}
"""The maximum for pages with many parts, such as the page of a customer (S3.32) or of an invoice with its history.

One of these statements looks for unread notices that lead to the page. It is not sent for a reader without unread
notices.
"""
MANY = 4
LOOKED = "insert into case_look"
"""The statement that records that a case was opened. It is not counted, because a second request does not send it."""


async def more(places: Places, storage: Storage) -> None:
    """Create several more objects of every kind that a page lists."""
    for turn in range(MANY):
        at, case = NOW + timedelta(minutes=turn), await _find(places)
        files = [await upload(storage, INES, f"{turn}-{place}.log") for place in range(2)]
        asked = [await upload(storage, ADA, "more.log")]
        async with transaction(INES):
            await case.reply(by=INES, text=f"Reply {turn}", files=files, at=at)
            await case.note(by=INES, text=f"Note {turn}", at=at)
            for state in ("draft", "submitted", "rejected"):
                await log(15, case_id=case.id, state=state, on=NOW.date())
        async with transaction(ADA):
            other = await Case.open(
                by=ADA, subject=f"Case {turn}", text="More.", case_type_id=INCIDENT, files=asked, at=at
            )
        async with transaction(INES):
            await other.take(by=INES, at=at)
            await other.reply(by=INES, text="Which one?", at=at, then=None)
        async with transaction(MAX):
            await _bill(turn, case.id)
        async with transaction(SYSTEM):
            await _set_up(places, turn)


async def _find(places: Places) -> Case:
    async with transaction(INES, readonly=True):
        return await Case.find(places.case.number, INES)


async def _bill(turn: int, case_id: int) -> None:
    """Bill four entries, each in a run of its own, and approve a fifth one, which no run bills.

    Three entries make an invoice each, and the one at no charge makes a statement. In every second turn, the invoices
    are issued; in the others, they stay drafts.
    """
    for kind in ("billable", "no_charge", "billable", "billable"):
        entry = await log(15, billing=kind, comment=f"{kind} {turn}", case_id=case_id)
        assert not (await billing.approve([entry.choice], by=MAX, at=NOW)).refused
        run = await billing.run(NOW.date().replace(day=1), [ACME], by=MAX, at=NOW)
        if run and run.draft_ids and not turn % 2:
            await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    entry = await log(15, on=NOW.date(), case_id=case_id)
    assert not (await billing.approve([entry.choice], by=MAX, at=NOW)).refused


async def _set_up(places: Places, turn: int) -> None:
    """Create one more object of every kind that admins set up.

    Contacts and contracts are added to the same customer in every turn.
    """
    zone, day = "Europe/Berlin", "2026-01-01"
    home = await Customer.find(places.values["/agent/customers/"]["customer"], SYSTEM)
    await Customer.create(
        CustomerFacts(name=f"Customer {turn}", street="Weg", postcode="1", city="Kiel", country="DE"), NOW
    )
    await Contact.create(
        home, ContactFacts(name=f"Contact {turn}", email=f"c{turn}@initech.example", time_zone=zone), NOW
    )
    contract = await Contract.create(
        home, ContractFacts(name=f"Contract {turn}", start_on=day, currency="EUR", vat_rate="19"), NOW
    )
    await Service.create(contract, ServiceFacts(name="One"), NOW)
    await Service.create(contract, ServiceFacts(name="Two"), NOW)
    service = await Service.find(places.values["/agent/services/"]["service"], SYSTEM)
    await Task.create(service, TaskFacts(name=f"Task {turn}"))
    facts: dict[str, Any] = {"department_id": str(SUPPORT), "role_id": str(CONSULTANT), "time_zone": zone}
    await Agent.create(AgentFacts(name=f"Agent {turn}", email=f"a{turn}@desk.example", **facts), NOW)
    await Department.create(DepartmentFacts(name=f"Department {turn}"))
    await create_role(RoleFacts(name=f"Role {turn}", hourly_rate="60", effective_from=day), NOW)
    await CaseType.create(CaseTypeFacts(name=f"Type {turn}"))
    await GeneralKind.create(KindName(name=f"Kind {turn}"))
    await DispatchRule.create(RuleFacts(name=f"Rule {turn}", words="toner", agent_id=str(INES.id)))


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["Ada", "Noor"])
async def test_a_page_asks_the_same_for_few_things_and_for_many(app: Gate, actor: str) -> None:
    places = await furnished(app.storage)
    addresses = [*(places.address(route) for route in pages_of(actor)), *MORE.get(actor, [])]
    asked: list[dict[str, list[str]]] = []
    async with await Browser.of(app, {"Ada": ADA, "Noor": NOOR}[actor], at=NOW) as browser:
        await browser.get("/")
        for _ in range(2):
            found = {}
            for address in addresses:
                with counted() as statements:
                    await browser.get(address)
                found[address] = [sql for sql in statements if LOOKED not in sql]
            asked.append(found)
            if len(asked) == 1:
                await more(places, app.storage)
    few, many = ({address: len(statements) for address, statements in found.items()} for found in asked)
    grown = {
        address: (few[address], many[address], asked[1][address]) for address in few if many[address] > few[address]
    }
    assert grown == {}
    most = {places.address(route): limit for route, limit in MOST_OF.get(actor, {}).items()}
    assert {address: count for address, count in many.items() if count > most.get(address, MOST)} == {}
