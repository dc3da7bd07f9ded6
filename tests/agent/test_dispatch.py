"""Test the set-up page of dispatch, and the page that hands over the cases of agents who are away."""

import re
from collections import Counter
from uuid import UUID

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.desk.bulk.running import go_on
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.people.agents import Agent
from portal.people.readers import SYSTEM
from portal.people.working.absences import Absence, AbsenceFacts
from portal.periods import today
from portal.web.visit import now
from tests.browser import Browser
from tests.forms import form_of, send
from tests.world import ACME, ADA, INCIDENT, INES, MAX, NOOR, SUPPORT

HERE = "/agent/setup/dispatch"


@pytest.fixture
async def rule(dsn: str) -> DispatchRule:
    async with transaction(SYSTEM):
        return await DispatchRule.create(RuleFacts(name="Acme", customer_id=str(ACME), department_id=str(SUPPORT)))


async def rules() -> list[DispatchRule]:
    async with transaction(NOOR):
        return await DispatchRule.objects().order_by(DispatchRule.position)


async def test_an_admin_adds_a_rule_moves_it_up_and_removes_it(noor: Browser, rule: DispatchRule) -> None:
    """S3.8: Noor adds a rule, entering the customer by name, moves it up and removes it; repeats change nothing.

    The page describes the rule in words.
    """
    sent = {
        "name": "Printers",
        "customer_id_typed": "Globex",
        "words": "printer,, toner ",
        "agent_id": str(MAX.id),
        "balance": "turn",
    }
    assert (await noor.send_form(HERE, sent)).status_code == 303
    _, added = await rules()
    assert (added.customer_id, added.words, added.agent_id) == (2, "printer, toner", MAX.id)
    page = (await noor.get(HERE)).text
    assert "Globex, subject with “printer” or “toner” → Max Herrmann" in page
    for _ in range(2):
        await noor.send_form(f"{HERE}/order", {"rule": str(added.id), "above": str(rule.id)})
    assert [one.name for one in await rules()] == ["Printers", "Acme"]
    for _ in range(2):
        await noor.send_form(f"{HERE}/{added.id}/removal", {})
    assert [one.name for one in await rules()] == ["Acme"]


async def test_a_refused_rule_keeps_what_was_typed(noor: Browser, rule: DispatchRule) -> None:
    answer = await noor.send_form(HERE, {"name": "Acme", "words": "toner", "agent_id": "1"})
    assert answer.status_code == 422
    assert "There is a rule “Acme” already." in answer.text
    assert 'value="toner"' in answer.text
    assert len(await rules()) == 1


async def test_of_two_admins_who_change_the_customer_of_a_rule_the_second_gets_409(
    noor: Browser, rule: DispatchRule
) -> None:
    """If Noor and somebody else change different fields of a rule, both changes stay.

    If both change the customer, Noor, who saves second, gets 409. As without JavaScript, her form sends the new name of
    the customer with the old id.
    """
    here = f"{HERE}/{rule.id}"
    form = form_of((await noor.get(here)).text, here)
    async with transaction(SYSTEM):
        await rule.change(RuleFacts(name="Acme", department_id=str(SUPPORT)))
    fields = {name: value for name, value in form.fields.items() if name != "csrf"}
    assert (await noor.send_form(here, fields | {"name": ["Acme and all"]})).status_code == 303
    assert [(one.name, one.customer_id) for one in await rules()] == [("Acme and all", None)]
    answer = await noor.send_form(here, fields | {"customer_id_typed": ["Globex"]})
    assert answer.status_code == 409
    assert "Somebody else changed this" in answer.text


async def test_trying_the_rules_names_who_would_get_a_case(noor: Browser, case: Case, rule: DispatchRule) -> None:
    answer = await noor.get(f"{HERE}?case=%23{case.number}")
    assert "the rule “Acme” would choose Ines Okafor of Support." in " ".join(answer.text.split())
    assert "There is no case with this number." in (await noor.get(f"{HERE}?case=x")).text


async def test_the_page_of_a_dispatched_case_names_the_rule_to_agents_and_not_to_the_contact(
    noor: Browser, ada: Browser, rule: DispatchRule
) -> None:
    """S3.8, S3.10: agents and the contact see who got a dispatched case; only agents see which rule chose the agent."""
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Toner", text="Empty.", case_type_id=INCIDENT, at=now())
    page = (await noor.get(f"/agent/cases/{case.number}")).text
    assert "The rule “Acme” chose Ines Okafor of Support" in page
    assert "<dt>Department</dt><dd>Support" in page
    page = (await ada.get(f"/cases/{case.number}")).text
    assert "Halden IT gave the case to Ines Okafor" in page
    assert "rule “" not in page
    assert "Support</dd>" not in page


async def away_today(*cases: Case) -> None:
    """Give the cases to Ines, and record that she is away today."""
    for case in cases:
        async with transaction(INES):
            await case.take(by=INES, at=now())
    async with transaction(SYSTEM):
        day = today("Europe/Berlin", now()).isoformat()
        await Absence.create(await Agent.find(INES.id), AbsenceFacts(first_day=day), own=True)


async def held_by(*cases: Case) -> list[int | None]:
    async with transaction(INES):
        return [(await Case.find(case.number, INES)).agent_id for case in cases]


async def test_a_manager_hands_over_the_cases_of_who_is_away(max_: Browser, case: Case) -> None:
    """S3.9: the page of handovers counts the open cases of agents who are away.

    The page of one handover shows Max which agent will get which case, and changes nothing until he confirms. Sending
    the form again changes nothing. Afterwards, no case is left to hand over.
    """
    assert "Nobody is away today" in (await max_.get("/agent/handovers")).text
    await away_today(case)
    assert "1\N{NO-BREAK SPACE}open case" in (await max_.get("/agent/handovers")).text
    handover = f"/agent/handovers/{INES.id}"
    assert "Choose an agent who works here." in (await max_.send_form(handover, {"to": "999"})).text
    here = (await max_.send_form(handover, {"to": str(NOOR.id)})).headers["location"]
    page = await max_.get(here)
    assert f"#{case.number} {case.subject}</a>" in page.text
    assert "→ Noor" in page.text
    assert await held_by(case) == [INES.id]
    for _ in range(2):
        answer = await send(max_, page, f"{here}/beginning")
        assert await held_by(case) == [NOOR.id]
        listed = (await max_.get(answer.headers["location"])).text
        assert ("1\N{NO-BREAK SPACE}case assigned: 1 to Noor" in listed, f"{here}/undoing" in listed) == (True, True)
    answer = await max_.send_form(handover, {"to": str(NOOR.id)})
    assert "There is no open case to hand over." in (await max_.get(answer.headers["location"])).text


async def test_more_open_cases_than_one_change_can_have_are_not_handed_over(
    max_: Browser, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an agent has more open cases than one bulk change can have, the handover gets 422; no change is created."""
    monkeypatch.setattr("portal.desk.bulk.changes.MOST", 1)
    await away_today(case)
    async with transaction(ADA):
        second = await Case.open(by=ADA, subject="Printer", text="It is dark.", case_type_id=INCIDENT, at=now())
    async with transaction(MAX):
        await (await Case.find(str(second.number), MAX, hold=True)).assign(INES.id, by=MAX, at=now())
    answer = await max_.send_form(f"/agent/handovers/{INES.id}", {"to": str(NOOR.id)})
    assert (answer.status_code, "open cases. Assign some of them" in answer.text) == (422, True)
    async with transaction(MAX, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from bulk_change") == 0


async def test_the_page_of_a_handover_says_whom_the_rules_choose_and_the_report_who_got_how_many(
    max_: Browser, noor: Browser, case: Case
) -> None:
    """S3.9: if the dispatch rules choose agents in turn, the page of a handover lists the first 100 of 101 cases.

    It names the agent who will get each case. Nothing changes before the handover is confirmed; afterwards the page
    shows how many cases each agent got. If a second manager then hands over the same cases, nothing changes, and the
    page says that somebody else was faster.
    """
    cases = [case]
    async with transaction(INES):
        for place in range(100):
            facts = {"subject": f"Case {place}", "text": "x", "case_type_id": INCIDENT}
            cases.append(await Case.open(by=INES, contact_id=ADA.id, at=now(), **facts))
    await away_today(*cases)
    async with transaction(SYSTEM):
        await DispatchRule.create(RuleFacts(name="All", department_id=str(SUPPORT), balance="turn"))
    handover = f"/agent/handovers/{INES.id}"
    here, there = [(await one.send_form(handover, {"to": ""})).headers["location"] for one in (max_, noor)]
    page, other = await max_.get(here), await noor.get(there)
    assert "These are the first 100 of 101" in page.text
    planned = Counter(re.findall("→ ([^<]+)<", page.text))
    assert sum(planned.values()) == 100
    assert set(await held_by(*cases)) == {INES.id}
    answer = await send(max_, page, f"{here}/beginning")
    await go_on(UUID(here.rpartition("/")[2]), by=MAX, at=now())
    assert INES.id not in await held_by(*cases)
    got = await held_by(*cases)
    report = (await max_.get(here)).text
    assert re.search(r'data-key="z">Undo 101\W*cases', report)
    for name in planned:
        assert re.search(rf"<dt>{name}</dt><dd>\d+", report)
    answer = await send(noor, other, f"{there}/beginning")
    await go_on(UUID(there.rpartition("/")[2]), by=NOOR, at=now())
    assert "Somebody else has changed this in the meantime." in (await noor.get(there)).text
    assert answer.status_code == 303
    assert await held_by(*cases) == got


async def test_an_agent_on_the_phone_gets_the_case_that_they_open(ines: Browser, rule: DispatchRule) -> None:
    """S1.3, S3.8: an agent who opens a case gets the case, or leaves the choice of its agent to the dispatch rules."""
    page = (await ines.get("/agent/cases/new?customer=1")).text
    form = next(one for one in [form_of(page, "/agent/cases/new")] if one)
    assert form.fields["to"] == ["me"]
    sent = {
        "customer": "1",
        "contact": str(ADA.id),
        "subject": "Toner",
        "body": "Empty.",
        "case_type": str(INCIDENT),
        "priority": "2",
    }
    for to, agent in (("me", INES.id), ("rules", MAX.id)):
        answer = await ines.send_form("/agent/cases/new", sent | {"to": to})
        async with transaction(INES):
            assert (await Case.find(answer.headers["location"].rpartition("/")[2], INES)).agent_id == agent
