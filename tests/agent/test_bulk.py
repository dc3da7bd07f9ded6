"""Test the page that changes many cases at once: how it is opened, what it reports, and undo."""

import re

from portal.database import transaction
from portal.desk import Case
from portal.web.gate import Gate
from portal.web.visit import now
from tests.agent.test_cases import open_case
from tests.browser import Browser
from tests.forms import send
from tests.world import ADA, GIL, INES, MAX, NOOR

CHANGES = "/agent/cases/changes"


async def priorities(*cases: Case) -> list[int]:
    async with transaction(INES):
        return [int((await Case.find(case.number, INES)).priority) for case in cases]


async def test_ticked_cases_are_changed_and_the_message_undoes_it(ines: Browser, case: Case) -> None:
    """Ines changes the priority of two ticked cases on one page, and undoes the change from the list of cases.

    The page counts the ticked cases by their present priority. A priority that does not exist gets 422; sending the
    form again changes nothing more.
    """
    other, third = await open_case("Other", by=GIL, priority=1), await open_case("Third", priority=1)
    fields = {"verb": "priority", "case": [str(case.number), str(other.number)]}
    prepared = await ines.send_form(f"{CHANGES}?view=all&sort=number", fields)
    assert prepared.status_code == 303
    here = prepared.headers["location"]
    page = await ines.get(here)
    assert "Change the priority of 2\N{NO-BREAK SPACE}cases" in page.text
    assert re.search(r"<dt>Low</dt><dd>1\W*case</dd>", page.text)
    refused = await send(ines, page, f"{here}/beginning", value="9")
    assert refused.status_code == 422
    assert "Choose one from the list." in refused.text
    begun = await send(ines, page, f"{here}/beginning", value="4")
    assert begun.headers["location"].startswith("/agent/cases?view=all&sort=number&changed=")
    assert await priorities(case, other, third) == [4, 4, 1]
    listed = await ines.get(begun.headers["location"])
    assert "2\N{NO-BREAK SPACE}cases got another priority." in listed.text
    again = await send(ines, page, f"{here}/beginning", value="4")
    assert again.status_code == 303
    undone = await send(ines, listed, f"{here}/undoing")
    assert "Undone for 2" in (await ines.get(undone.headers["location"])).text
    assert (await priorities(case, other, third))[1:] == [1, 1]


async def test_all_cases_that_match_are_changed_whatever_page_they_are_on(ines: Browser) -> None:
    cases = [await open_case(f"Case {place:02}", by=GIL) for place in range(27)]
    kept = await open_case("Not of this customer", by=ADA)
    listed = (await ines.get("/agent/cases?customer=2")).text
    assert "All 27 that match" in listed
    fields = {"verb": "priority", "all": "yes", "case": [str(cases[0].number)]}
    prepared = await ines.send_form(f"{CHANGES}?view=all&customer=2", fields)
    page = await ines.get(prepared.headers["location"])
    await send(ines, page, f"{prepared.headers['location']}/beginning", value="3")
    assert await priorities(*cases, kept) == [3] * 27 + [2]
    taken = await ines.send_form("/agent/cases/assignment?view=all&customer=2", {"all": "yes"})
    assert "Assign 27" in (await ines.get(taken.headers["location"])).text


async def test_what_could_not_be_changed_is_listed_with_its_reason(app: Gate, ines: Browser, case: Case) -> None:
    other = await open_case("Other")
    prepared = await ines.send_form(CHANGES, {"verb": "assign", "case": [str(case.number), str(other.number)]})
    here = prepared.headers["location"]
    page = await ines.get(here)
    async with transaction(NOOR):
        await (await Case.find(other.number, NOOR)).take(by=NOOR, at=now())
    begun = await send(ines, page, f"{here}/beginning", value=str(MAX.id))
    assert begun.headers["location"] == here
    report = (await ines.get(here)).text
    assert "It is now Noor Haddad." in report
    assert f'href="/agent/cases/{other.number}"' in report
    assert "Undo 1\N{NO-BREAK SPACE}case" in report
    async with await Browser.of(app, MAX) as max_, await Browser.of(app, ADA) as ada:
        for browser in (max_, ada):
            assert (await browser.get(here)).status_code == 404
            assert (await browser.send_form(f"{here}/undoing")).status_code == 404


async def test_nothing_ticked_and_a_verb_that_does_not_exist_are_refused(ines: Browser, case: Case) -> None:
    for fields in ({"verb": "priority"}, {"verb": "dispatch", "case": "1001"}, {"verb": "", "case": "1001"}):
        assert (await ines.send_form(CHANGES, fields)).status_code == 422


async def test_nothing_is_chosen_beforehand_and_a_change_of_nothing_says_so(ines: Browser, case: Case) -> None:
    """On the page that changes many cases, no value is preselected, and sending the form without a value gets 422.

    If the ticked case has the chosen value already (its priority, or *Nobody* as its agent), the list of cases says
    that nothing changed and offers no Undo.
    """
    for verb, value in (("priority", str(case.priority)), ("assign", "nobody")):
        prepared = await ines.send_form(f"{CHANGES}?view=all", {"verb": verb, "case": [str(case.number)]})
        here = prepared.headers["location"]
        page = await ines.get(here)
        assert '<option value="">Choose …</option>' in page.text
        assert " selected>" not in page.text
        refused = await send(ines, page, f"{here}/beginning")
        assert refused.status_code == 422
        assert "Choose one from the list." in refused.text
        begun = await send(ines, page, f"{here}/beginning", value=value)
        listed = (await ines.get(begun.headers["location"])).text
        assert "Nothing changed. 1 had it already." in listed
        assert "/undoing" not in listed


async def test_the_report_leads_back_to_the_list_where_the_change_can_be_undone(ines: Browser, case: Case) -> None:
    other = await open_case("Other")
    prepared = await ines.send_form(
        f"{CHANGES}?view=all", {"verb": "priority", "case": [str(case.number), str(other.number)]}
    )
    here = prepared.headers["location"]
    page = await ines.get(here)
    async with transaction(NOOR):
        await (await Case.find(other.number, NOOR)).change_facts(by=NOOR, at=now(), priority=1)
    await send(ines, page, f"{here}/beginning", value="4")
    back = re.search(r'href="([^"]*)">Back to the list', (await ines.get(here)).text)
    assert back
    assert f"{here}/undoing" in (await ines.get(back[1].replace("&amp;", "&"))).text
