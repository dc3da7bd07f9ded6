"""Test how agents give a case, or many cases, to another department."""

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.errors import Conflict, NotFound
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import SYSTEM
from portal.web.visit import now
from tests.agent.test_cases import open_case, reload
from tests.browser import Browser
from tests.forms import send
from tests.world import ADA, INES, MAX, MOVE, NOOR, SUPPORT

CHANGES = "/agent/cases/changes"


async def taken(case: Case) -> None:
    async with transaction(INES):
        await (await Case.find(case.number, INES)).take(by=INES, at=now())


async def test_a_case_goes_to_another_department_and_its_agent_leaves_it(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """A case that goes to another department loses its agent; the log shows the new department to agents only.

    The same form sent again adds nothing to the log.
    """
    await taken(case)
    to = f"/agent/cases/{case.number}/assignment?view=mine"
    seen = f'{{"agent": {INES.id}, "department": null}}'
    answer = await ines.send_form(to, {"seen": seen, "agent_typed": "", "department_typed": "Projects"})
    assert answer.headers["location"] == f"/agent/cases/{case.number}?view=mine"
    assert ((await reload(case)).department_id, (await reload(case)).agent_id) == (MOVE, None)
    shown = (await ines.get(f"/agent/cases/{case.number}")).text
    assert f"{INES.name} gave the case to the department Projects" in shown
    assert "Projects" not in (await ada.get(f"/cases/{case.number}")).text
    again = await ines.send_form(to, {"department": str(MOVE), "agent": ""})
    assert again.status_code == 303
    assert (await ines.get(f"/agent/cases/{case.number}")).text.count("gave the case to the department") == 1


async def test_an_agent_of_the_department_or_one_below_keeps_the_case(ines: Browser, case: Case) -> None:
    await taken(case)
    async with transaction(SYSTEM):
        above = await Department.create(DepartmentFacts(name="All"))
        await Department.update({Department.parent_id: above.id}).where(Department.id == SUPPORT)
    for department in (SUPPORT, above.id):
        async with transaction(NOOR):
            await (await Case.find(case.number, NOOR)).give_to_department(department, by=NOOR, at=now())
        assert ((await reload(case)).department_id, (await reload(case)).agent_id) == (department, INES.id)


async def test_the_menu_of_the_case_finds_the_department_and_keeps_what_is_not_typed(ines: Browser, case: Case) -> None:
    """Ines enters an agent and a department, or only one of them; a field that she leaves empty keeps its value.

    An agent who is entered gets the case, even as a member of another department. If both fields are empty, or no
    department has the name, the form is refused with 422.
    """
    to = f"/agent/cases/{case.number}/assignment"
    seen = '{"agent": %s, "department": %s}'
    fields = {"seen": seen % ("null", "null"), "agent_typed": "max", "department_typed": "proj"}
    assert (await ines.send_form(to, fields)).status_code == 303
    found = await reload(case)
    assert (found.agent_id, found.department_id) == (MAX.id, MOVE)
    fields = {"seen": seen % (MAX.id, MOVE), "agent_typed": "", "department_typed": "Support"}
    assert (await ines.send_form(to, fields)).status_code == 303
    found = await reload(case)
    assert (found.agent_id, found.department_id) == (MAX.id, SUPPORT)
    for typed in ("", "zzz"):
        fields = {"seen": seen % (MAX.id, SUPPORT), "agent_typed": "", "department_typed": typed}
        assert (await ines.send_form(to, fields)).status_code == 422
    fields = {"seen": seen % (MAX.id, SUPPORT), "agent_typed": "", "department_typed": "", "nobody": "yes"}
    assert (await ines.send_form(to, fields)).status_code == 303
    found = await reload(case)
    assert (found.agent_id, found.department_id) == (None, SUPPORT)


async def test_two_at_once_do_not_undo_each_other(ines: Browser, case: Case) -> None:
    """If Noor has given the case to another department since Ines opened the form, Ines gets 409.

    `give_to_department` of a `Case` that was read before Noor's change raises `Conflict`. A contact cannot change the
    department at all, and an unknown department gets 422.
    """
    here = f"/agent/cases/{case.number}/assignment"
    page, before = await ines.get(here), await reload(case)
    async with transaction(NOOR):
        await (await Case.find(case.number, NOOR)).give_to_department(MOVE, by=NOOR, at=now())
    refused = await send(ines, page, here, department=str(SUPPORT))
    assert refused.status_code == 409
    with pytest.raises(Conflict, match="Projects now"):
        async with transaction(INES):
            await before.give_to_department(SUPPORT, by=INES, at=now())
    with pytest.raises(NotFound):
        async with transaction(ADA):
            await (await Case.find(case.number, ADA)).give_to_department(SUPPORT, by=ADA, at=now())  # type: ignore[arg-type]
    assert (await ines.send_form(here, {"department": "99", "agent": ""})).status_code == 422
    assert (await reload(case)).department_id == MOVE


async def test_many_cases_go_to_a_department_and_come_back_with_their_agents(ines: Browser, case: Case) -> None:
    other = await open_case("Other")
    await taken(case)
    prepared = await ines.send_form(CHANGES, {"verb": "department", "case": [str(case.number), str(other.number)]})
    here = prepared.headers["location"]
    page = await ines.get(here)
    assert "Change the department of 2" in page.text
    assert "<dt>None</dt><dd>2" in page.text
    assert (await send(ines, page, f"{here}/beginning", value="99")).status_code == 422
    begun = await send(ines, page, f"{here}/beginning", value=str(MOVE))
    listed = await ines.get(begun.headers["location"])
    assert "2\N{NO-BREAK SPACE}cases given to the department." in listed.text
    assert [((await reload(one)).department_id, (await reload(one)).agent_id) for one in (case, other)] == [
        (MOVE, None)
    ] * 2
    await send(ines, listed, f"{here}/undoing")
    found = [((await reload(one)).department_id, (await reload(one)).agent_id) for one in (case, other)]
    assert found == [(None, INES.id), (None, None)]
