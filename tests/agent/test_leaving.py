"""Test what happens to open cases, time and approval duties if an agent or a contact leaves, or a customer ends."""

import asyncio
import html
import re
from datetime import timedelta
from typing import Any

import pytest

from portal.billing import Choice, approve, reject
from portal.contracts.approvers import of_service, services_of
from portal.database import current, transaction
from portal.database.counting import count_all
from portal.desk import Case, Question, Status, agents_list, countings
from portal.desk.appointments import Appointment, AppointmentFacts
from portal.desk.leaving import end_contact
from portal.errors import Conflict, Invalid
from portal.people.agents import Agent, AgentFacts
from portal.people.contacts import Contact
from portal.people.readers import SYSTEM
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.leaving import end_agent
from portal.timekeeping.logged_on import named
from portal.timekeeping.policy.switches import RulesFacts, TimeRules
from portal.timekeeping.states import submit
from portal.web.gate import Gate
from portal.web.visit import now
from portal.words import CaseView
from tests.browser import Browser
from tests.forms import form_of, send
from tests.world import ACME, ADA, ALAN, GIL, HELPDESK, INCIDENT, INES, MAX, NOOR, SUPPORT

INES_ENDS = f"/agent/setup/agents/{INES.id}/ending"
MAX_ENDS = f"/agent/setup/agents/{MAX.id}/ending"
ADA_ENDS = f"/agent/customers/{ACME}/contacts/{ADA.id}/ending"


@pytest.fixture
async def iness(case: Case) -> Case:
    """Assign the case to Ines, and return it."""
    async with transaction(INES):
        await case.take(by=INES, at=now())
    return case


async def logged(case: Case, *states: str) -> dict[str, TimeEntry]:
    """Log an entry of Ines on the case for each state in `states`, and return the entries by state.

    A state is draft, submitted or rejected.
    """
    made = {}
    async with transaction(INES):
        for state in states:
            work = Work(minutes=30, work_date=now().date(), service_id=HELPDESK, external_comment=f"{state} work")
            made[state] = await TimeEntry.log(INES, work, at=now(), case=case)
        await submit(INES, [entry.id for state, entry in made.items() if state != "draft"], at=now())
    async with transaction(MAX):
        if "rejected" in made:
            await reject([Choice(made["rejected"].id, 1)], reason="Which site?", by=MAX, at=now())
    return made


async def states() -> dict[str, str]:
    async with transaction(SYSTEM) as tx:
        return {row["external_comment"].split()[0]: row["state"] for row in await tx.fetch("select * from time_entry")}


async def case_of(number: int) -> Case:
    async with transaction(SYSTEM):
        return await Case.find(number, SYSTEM)


async def end(person: Any, **to: Any) -> None:
    async with transaction(NOOR):
        handover = {"successor_id": None, "visitor_id": None, "approver_id": None, "submits": False} | to
        await end_agent(await Agent.find(person.id), by=NOOR, at=now(), **handover)


async def test_ending_an_agent_shows_what_is_open_and_hands_it_over(noor: Browser, iness: Case) -> None:
    await logged(iness, "draft", "rejected", "submitted")
    page = await noor.get(INES_ENDS)
    for words in (
        "1\u00a0open case",
        f"#{iness.number}",
        "Submit their 2\u00a0entries",
        "1\u00a0entry waits for a manager",
    ):
        assert words in page.text, words
    answer = await send(noor, page, INES_ENDS, agent=str(MAX.id))
    assert answer.status_code == 303
    assert (await case_of(iness.number)).agent_id == MAX.id
    assert await states() == {"draft": "submitted", "rejected": "submitted", "submitted": "submitted"}
    assert f"{NOOR.name} gave the case to {MAX.name}" in (await noor.get(f"/agent/cases/{iness.number}")).text


async def test_without_a_successor_cases_are_unassigned_and_time_waits_for_a_manager(
    noor: Browser, max_: Browser, iness: Case
) -> None:
    await logged(iness, "draft", "rejected")
    page = await noor.get(INES_ENDS)
    fields = {name: values for name, values in form_of(page.text, INES_ENDS).fields.items() if name != "submits"}
    assert (await noor.post(INES_ENDS, data=fields)).status_code == 303
    assert f"#{iness.number}" in (await max_.get("/agent/cases?view=unassigned")).text
    assert await states() == {"draft": "draft", "rejected": "rejected"}

    assert "2\u00a0entries of people who left were never submitted." in (await max_.get("/agent/approvals")).text
    page = await max_.get("/agent/time/left")
    assert "Ines Okafor" in page.text
    here = "/agent/time/left/submission"
    assert (await max_.send_form(here)).status_code == 422
    ticked = form_of(page.text, here).offered["entry"]
    assert (await send(max_, page, here, entry=ticked)).status_code == 303
    assert set((await states()).values()) == {"submitted"}
    assert (await send(max_, page, here, entry=ticked)).status_code == 303, "a repeat is harmless"
    assert "Nothing is left" in (await max_.get("/agent/time/left")).text
    async with transaction(MAX):
        assert len((await approve([Choice(int(one), 1) for one in ticked], by=MAX, at=now())).done) == 2


async def planned(case: Case, **typed: str) -> Appointment:
    """Plan a visit of Ines on the case for the day after tomorrow, and return it. `typed` replaces default values."""
    day = (now() + timedelta(days=2)).date().isoformat()
    facts = AppointmentFacts(**{"day": day, "begins": "10:00", "ends": "11:00", "agent_id": str(INES.id)} | typed)
    async with transaction(INES):
        held = await Case.find(str(case.number), INES, hold=True)
        return await Appointment.plan(held, facts, by=INES, at=now())


async def appointments() -> dict[int, tuple[int, bool]]:
    """Return, for each appointment by its id, the id of its agent and whether the appointment is cancelled."""
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select id, agent_id, cancelled_at is not null as is_off from appointment")
    return {row["id"]: (row["agent_id"], row["is_off"]) for row in rows}


async def test_planned_appointments_of_who_leaves_go_to_a_colleague(noor: Browser, ada: Browser, case: Case) -> None:
    """S1.11: Noor ends Ines's access and gives her planned appointment to Max; Ada's page of the case then names Max.

    A past appointment stays as it is. Giving the planned appointment to Ines herself is refused with 422.
    """
    coming = await planned(case)
    past = await planned(case, day=(now() - timedelta(days=2)).date().isoformat())
    page = await noor.get(INES_ENDS)
    assert f"Visit on\n        #{case.number}" in page.text
    refused = await send(noor, page, INES_ENDS, appointments=str(INES.id))
    assert (refused.status_code, "Choose an agent who works here." in refused.text) == (422, True)
    assert (await appointments())[coming.id] == (INES.id, False)
    assert (await send(noor, page, INES_ENDS, appointments=str(MAX.id))).status_code == 303
    assert await appointments() == {coming.id: (MAX.id, False), past.id: (INES.id, False)}
    assert MAX.name in (await ada.get(f"/cases/{case.number}")).text


async def test_without_a_successor_planned_appointments_are_called_off(case: Case) -> None:
    """S1.11: if Ines leaves without a successor, her planned appointment is cancelled, and a new one is refused."""
    coming = await planned(case)
    await end(INES)
    assert await appointments() == {coming.id: (INES.id, True)}
    with pytest.raises(Invalid):
        await planned(case)


async def test_an_appointment_that_is_planned_while_its_agent_is_ended_is_handed_over_or_refused(case: Case) -> None:
    """S1.11: a visit of Ines that is planned while her access is being ended goes to her successor or is refused."""
    outcomes = await asyncio.gather(planned(case), end(INES, visitor_id=MAX.id), return_exceptions=True)
    assert outcomes[1] is None
    assert isinstance(outcomes[0], Appointment | Invalid)
    assert {agent for agent, _ in (await appointments()).values()} <= {MAX.id}


async def test_an_agent_is_ended_and_their_time_submitted_while_time_tracking_is_off(case: Case) -> None:
    """S1.6: Ines's access can be ended while time tracking is switched off, and her draft is then submitted."""
    await logged(case, "draft")
    async with transaction(NOOR):
        await TimeRules.change(RulesFacts())
    await end(INES, submits=True)
    assert await states() == {"draft": "submitted"}


async def test_nobody_approves_their_own_time_even_if_it_was_submitted_for_them(max_: Browser, case: Case) -> None:
    """D33: Max cannot approve his own time, even if Noor submitted it for him."""
    async with transaction(MAX):
        work = Work(minutes=30, work_date=now().date(), service_id=HELPDESK, external_comment="mine")
        entry = await TimeEntry.log(MAX, work, at=now(), case=case)
    async with transaction(NOOR):
        await submit(NOOR, [entry.id], at=now())
    async with transaction(MAX):
        assert not (await approve([Choice(entry.id, 1)], by=MAX, at=now())).done


async def test_a_managers_designations_go_to_another_manager(noor: Browser) -> None:
    """C10: Noor ends Max's access and chooses Rosa, another manager, as approver in his place.

    Rosa then approves the time of the department and of the service for which Max was the approver. Choosing Ines, who
    is not a manager, is refused with 422.
    """
    facts = AgentFacts(
        name="Rosa Brandt",
        email="rosa@desk.example",
        grade="manager",
        department_id=str(SUPPORT),
        time_zone="Europe/Berlin",
    )
    async with transaction(SYSTEM):
        rosa = await Agent.create(facts, now())
        await current().execute(
            "insert into service_designation (customer_id, service_id, agent_id) values ($1, $2, $3)",
            ACME,
            HELPDESK,
            MAX.id,
        )
    page = await noor.get(MAX_ENDS)
    assert "They approve the time of Support, Helpdesk (Acme)." in page.text
    assert "Nobody else may approve the time of Noor Haddad" in page.text
    wrong = await send(noor, page, MAX_ENDS, approver=str(INES.id))
    assert wrong.status_code == 422
    assert "Choose a manager who works here." in wrong.text
    assert (await send(noor, page, MAX_ENDS, approver=str(rosa.id))).status_code == 303
    async with transaction(SYSTEM):
        assert (await (await Agent.find(rosa.id)).facts()).approves == [str(SUPPORT)]
        assert (await (await Agent.find(MAX.id)).facts()).approves == []
        assert [id for id, _ in await of_service(HELPDESK)] == [rosa.id]
        assert await services_of(MAX.id) == []


async def test_time_that_a_timer_has_counted_is_shown_before_its_agent_is_ended(noor: Browser, iness: Case) -> None:
    """D54: the page that ends Ines's access shows that a timer of hers is not logged, and links to a form to log it."""
    async with transaction(INES):
        timer = await Timer.start(
            INES, at=now() - timedelta(minutes=50), on=await named(f"case-{iness.number}"), note="Rack 3"
        )
    page = html.unescape((await noor.get(INES_ENDS)).text)
    assert "1\u00a0timer is not logged." in page
    [address] = re.findall(r'href="(/agent/time/new[?][^"]+)"', page)
    form = (await noor.get(address)).text
    assert f'value="{INES.id}" selected' in form
    assert ('value="50m"' in form, "Rack 3" in form) == (True, True)
    await end(INES)
    assert timer.id


async def test_a_refused_ending_changes_nothing(noor: Browser, iness: Case) -> None:
    for fields in ({"agent": str(INES.id)}, {"agent": "999"}, {"agent": "x"}, {"approver": str(INES.id)}):
        assert (await noor.send_form(INES_ENDS, fields)).status_code == 422, fields
    async with transaction(SYSTEM):
        assert (await Agent.find(INES.id)).ended_at is None
    assert (await case_of(iness.number)).agent_id == INES.id


@pytest.mark.parametrize("by", [ADA, MAX])
async def test_a_case_that_is_opened_again_after_its_agent_left_is_unassigned(
    max_: Browser, iness: Case, by: Any
) -> None:
    """If the agent of a resolved case has left, the case becomes unassigned when Max reopens it or Ada replies.

    The log of the case says why. A database trigger removes the agent, because Ada may not change the agent of a case.
    """
    async with transaction(INES):
        await iness.change_status(Status.RESOLVED, by=INES, at=now())
    await end(INES)
    assert (await case_of(iness.number)).agent_id == INES.id, "the resolved case still names who resolved it"
    async with transaction(by):
        found = await Case.find(iness.number, by)
        await (found.reply(by=by, text="It is back.", at=now()) if by is ADA else found.reopen(by=by, at=now()))
    assert (await case_of(iness.number)).agent_id is None
    assert "Ines Okafor has left: nobody has the case" in (await max_.get(f"/agent/cases/{iness.number}")).text
    async with transaction(MAX):
        assert (await count_all(countings(MAX, now())))["unassigned"] == 1
        assert [row.number for row in (await agents_list(MAX, Question(view=CaseView.UNASSIGNED))).rows] == [
            iness.number
        ]


async def test_an_agent_who_is_ended_by_other_means_keeps_no_open_case(iness: Case) -> None:
    """The database unassigns Ines's open case, even if her access is ended without a handover."""
    async with transaction(NOOR):
        await (await Agent.find(INES.id)).end(now())
    assert (await case_of(iness.number)).agent_id is None


async def test_a_closed_case_of_somebody_who_left_can_be_taken(iness: Case) -> None:
    async with transaction(INES):
        await iness.close(by=INES, at=now())
    await end(INES)
    async with transaction(MAX):
        await (await Case.find(iness.number, MAX)).take(by=MAX, at=now())
    assert (await case_of(iness.number)).agent_id == MAX.id


async def test_of_an_ending_and_an_assignment_at_once_no_open_case_stays_with_who_left(case: Case) -> None:
    async def assign() -> None:
        async with transaction(MAX):
            await (await Case.find(case.number, MAX)).assign(INES.id, by=MAX, at=now())

    async def leave() -> None:
        await end(INES)

    await asyncio.gather(assign(), leave(), return_exceptions=True)
    assert (await case_of(case.number)).agent_id is None


async def test_an_ending_waits_for_an_answer_that_is_being_written(iness: Case) -> None:
    """Ending Ines's access waits, without a deadlock, for Max's open transaction on one of her cases.

    The handover locks the cases before the agent; the other order would deadlock.
    """
    answering = asyncio.Event()

    async def answer() -> None:
        async with transaction(MAX):
            case = await Case.find(iness.number, MAX, hold=True)
            answering.set()
            await asyncio.sleep(0.2)
            await case.change_status(Status.WAITING_FOR_OTHERS, by=MAX, at=now())

    async def leave() -> None:
        await answering.wait()
        await end(INES, successor_id=MAX.id)

    await asyncio.gather(answer(), leave())
    case = await case_of(iness.number)
    assert (case.agent_id, case.status) == (MAX.id, "waiting_for_others")


async def test_filters_know_people_who_ended(max_: Browser, iness: Case) -> None:
    async with transaction(INES):
        await iness.change_status(Status.RESOLVED, by=INES, at=now())
    await logged(iness, "submitted")
    await end(INES)
    for page in (
        f"/agent/approvals?agent={INES.id}",
        f"/agent/cases/{iness.number}/time?agent={INES.id}",
    ):
        filtered = (await max_.get(page)).text
        assert 'value="Ines Okafor' in filtered, page
        assert f"/agent/cases/{iness.number}" in filtered, page
    closed = (await max_.get(f"/agent/cases?view=closed&agent={INES.id}")).text
    assert "Remove the filter Agent: Ines Okafor" in closed
    assert f"/agent/cases/{iness.number}" in closed


async def test_ending_a_contact_hands_their_cases_to_a_colleague(app: Gate, noor: Browser, case: Case) -> None:
    page = await noor.get(ADA_ENDS)
    assert "1\u00a0open case" in page.text
    assert (await send(noor, page, ADA_ENDS, contact=str(ALAN.id))).status_code == 303
    assert (await case_of(case.number)).contact_id == ALAN.id
    shown = (await noor.get(f"/agent/cases/{case.number}")).text
    assert "Noor Haddad made Alan Weber the contact, who was Ada Lindqvist" in shown
    assert '<span class="readers for-reply">To Alan Weber</span>' in shown
    async with await Browser.of(app, ALAN) as alan:
        assert (await alan.get(f"/cases/{case.number}")).status_code == 200


async def test_an_ended_contact_is_no_addressee_anywhere(app: Gate, noor: Browser, case: Case) -> None:
    async with transaction(ALAN):
        alans = await Case.open(by=ALAN, subject="Monitor", text="Flickers.", case_type_id=INCIDENT, at=now())
    assert (await noor.send_form(ADA_ENDS)).status_code == 303
    shown = (await noor.get(f"/agent/cases/{case.number}")).text
    assert "Nobody at Acme reads this" in shown
    assert "To Ada" not in shown
    assert "Send, wait for Acme" in shown
    assert "Ada Lindqvist" not in (await noor.get(f"/agent/cases/{alans.number}")).text
    assert "Ada Lindqvist" not in (await noor.get(f"/agent/cases/new?customer={ACME}")).text
    invited = await noor.send_form(f"/agent/customers/{ACME}/contacts/{ADA.id}/invitations")
    assert invited.status_code == 409
    async with transaction(NOOR):
        with pytest.raises(Invalid):
            await Case.open(by=NOOR, contact_id=ADA.id, subject="S", text="T", case_type_id=INCIDENT, at=now())
    async with transaction(NOOR):
        with pytest.raises(Invalid):
            await (await Case.find(alans.number, NOOR)).change_facts(by=NOOR, at=now(), contact_id=ADA.id)
    facts = await noor.get(f"/agent/cases/{case.number}/facts")
    assert (await send(noor, facts, f"/agent/cases/{case.number}/facts", subject="Gone")).status_code == 303
    assert (await send(noor, facts, f"/agent/cases/{case.number}/facts", contact=str(ALAN.id))).status_code == 303
    assert "To Alan Weber" in (await noor.get(f"/agent/cases/{case.number}")).text


async def test_a_case_that_is_opened_while_its_contact_ends_is_handed_over_too(case: Case) -> None:
    """Ending a contact's access waits for a case that the contact is opening; the successor gets this case too."""
    opened = asyncio.Event()

    async def open_one() -> int:
        async with transaction(ADA):
            late = await Case.open(by=ADA, subject="Late", text="Text.", case_type_id=INCIDENT, at=now())
            opened.set()
            await asyncio.sleep(0.2)
        return late.number

    async def leave() -> None:
        await opened.wait()
        async with transaction(NOOR):
            await end_contact(await Contact.find(ADA.id, NOOR), successor_id=ALAN.id, by=NOOR, at=now())

    number, _ = await asyncio.gather(open_one(), leave())
    assert [(await case_of(one)).contact_id for one in (case.number, number)] == [ALAN.id, ALAN.id]


async def test_no_case_is_opened_for_a_contact_who_is_just_ending(case: Case) -> None:
    """Opening a case for a contact waits until the ending of the contact's access is committed, and is then refused.

    Making this contact the contact of an existing case is refused in the same way.
    """
    ended = asyncio.Event()

    async def leave() -> None:
        async with transaction(NOOR):
            await end_contact(await Contact.find(ADA.id, NOOR), successor_id=None, by=NOOR, at=now())
            ended.set()
            await asyncio.sleep(0.2)

    async def open_one() -> None:
        await ended.wait()
        async with transaction(MAX):
            await Case.open(by=MAX, contact_id=ADA.id, subject="Late", text="Text.", case_type_id=INCIDENT, at=now())

    async def give() -> None:
        await ended.wait()
        async with transaction(MAX):
            alans = await Case.open(by=MAX, contact_id=ALAN.id, subject="S", text="T", case_type_id=INCIDENT, at=now())
            await alans.change_facts(by=MAX, at=now(), contact_id=ADA.id)

    _, *late = await asyncio.gather(leave(), open_one(), give(), return_exceptions=True)
    assert [isinstance(one, Invalid) and set(one.fields) == {"contact"} for one in late] == [True, True]
    async with transaction(SYSTEM):
        assert await current().fetchval("select count(*) from cases") == 1


async def test_an_ending_goes_through_although_some_of_the_time_is_approved_at_the_same_moment(iness: Case) -> None:
    made = await logged(iness, "draft", "rejected")
    deciding = asyncio.Event()

    async def decide() -> None:
        async with transaction(MAX):
            await approve([Choice(made["draft"].id, 1)], by=MAX, at=now())
            deciding.set()
            await asyncio.sleep(0.2)

    async def leave() -> None:
        await deciding.wait()
        await end(INES, submits=True)

    await asyncio.gather(decide(), leave())
    assert await states() == {"draft": "approved", "rejected": "submitted"}


async def test_a_contact_of_another_customer_is_no_successor(noor: Browser, case: Case) -> None:
    """R29: when Noor ends Ada's access, Ada's cases cannot go to Gil of another customer, nor to Ada herself."""
    assert (await noor.send_form(ADA_ENDS, {"contact": str(GIL.id)})).status_code == 422
    assert (await noor.send_form(ADA_ENDS, {"contact": str(ADA.id)})).status_code == 422
    assert (await case_of(case.number)).contact_id == ADA.id
    async with transaction(SYSTEM):
        assert (await Contact.find(ADA.id, SYSTEM)).ended_at is None


async def test_contacts_of_a_customer_that_ended_are_no_addressees(noor: Browser, case: Case) -> None:
    assert (await noor.send_form(f"/agent/customers/{ACME}/ending")).status_code == 303
    assert "Nobody at Acme reads this" in (await noor.get(f"/agent/cases/{case.number}")).text
    async with transaction(NOOR):
        with pytest.raises(Invalid):
            await Case.open(by=NOOR, contact_id=ADA.id, subject="S", text="T", case_type_id=INCIDENT, at=now())
        with pytest.raises(Conflict):
            await (await Contact.find(ADA.id, NOOR)).invite(now())


async def test_a_customer_is_not_told_to_wait_for_somebody_who_left(app: Gate, iness: Case) -> None:
    async with transaction(INES):
        await iness.change_status(Status.RESOLVED, by=INES, at=now())
    await end(INES)
    async with await Browser.of(app, ADA) as ada:
        shown = (await ada.get(f"/cases/{iness.number}")).text
        assert "Goes to Halden IT" in shown
        assert "Goes to Ines" not in shown


async def test_an_agent_who_ended_is_not_invited(noor: Browser) -> None:
    await end(MAX)
    assert (await noor.send_form(f"/agent/setup/agents/{MAX.id}/invitations")).status_code == 409
    async with transaction(SYSTEM):
        assert await current().fetchval("select count(*) from invitation") == 0
