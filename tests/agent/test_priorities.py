"""Test the set-up page of the four priorities, and where the names set there are shown."""

import io
import zipfile
from datetime import timedelta

import asyncpg
import pytest

from portal.database import current, transaction
from portal.desk import Case
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.desk.workflow.follow_ups import FollowUpFacts, FollowUpRule
from portal.desk.workflow.priorities import LONGEST
from portal.web.gate import Gate
from tests.browser import Browser, text_of
from tests.corpus import CORPUS
from tests.forms import PageForm, form_of, forms_of
from tests.test_corpus import UNSEEN
from tests.world import ADA, NOOR, NOW

HERE = "/agent/setup/priorities"


async def seen(noor: Browser) -> dict[str, list[str]]:
    """Return the fields of the form for priorities as Noor's page has them, without the CSRF token."""
    fields = form_of((await noor.get(HERE)).text, HERE).fields
    return {name: value for name, value in fields.items() if name != "csrf"}


async def set_up(noor: Browser, **fields: str) -> None:
    answer = await noor.send_form(HERE, await seen(noor) | {name: [value] for name, value in fields.items()})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?saved=yes")


async def new_case(browser: Browser, path: str) -> PageForm:
    """Return the form for a new case on the page with this path."""
    return next(form for form in forms_of((await browser.get(path)).text) if "priority" in form.offered)


async def stored() -> list[tuple[str, bool, bool]]:
    async with transaction(NOOR):
        rows = await current().fetch("select name, for_contacts, is_preselected from case_priority order by id")
    return [tuple(row) for row in rows]


async def test_the_names_stand_wherever_priorities_are_shown(
    noor: Browser, ines: Browser, ada: Browser, case: Case
) -> None:
    """S3.19: the names that Noor sets are shown on all pages, in the CSV file and in the ZIP file of a case.

    Log lines keep the name that the priority had when they were written.
    """
    here = f"/agent/cases/{case.number}"
    await ines.send_form(f"{here}/priority", {"priority": "1"})
    async with transaction(NOOR):
        await DispatchRule.create(RuleFacts(name="Loud", for_priority="4", sets_priority="4"))
    await set_up(noor, name_urgent="Stillstand", name_high="Dringend", name_normal="Üblich", name_low="Später")
    await ines.send_form(f"{here}/priority", {"priority": "4"})
    everywhere = {
        "/agent/cases?view=all": "Stillstand", "/agent/cases?view=all&priority=4": "Priority: Stillstand", here: "Stillstand",
        f"{here}/feed": "Dringend", f"{here}/facts": "Später", "/agent/cases/new?customer=1": "Üblich", "/agent/cases/filters": "Dringend",
        "/agent/setup/dispatch": "Priority Stillstand", "/agent/setup/deadlines/targets": "Später",
        "/agent/cases/export.csv?view=all": "Stillstand",
    }  # fmt: skip
    for path, name in everywhere.items():
        assert name in (await ines.get(path) if "setup" not in path else await noor.get(path)).text, path
    page = text_of((await ines.get(here)).text)
    assert "set the priority to Low" in page
    assert "set the priority to Stillstand" in page
    for path, name in {f"/cases/{case.number}": "Stillstand", "/cases/new": "Dringend"}.items():
        assert name in (await ada.get(path)).text, path
    for browser, path in ((ines, here), (ada, f"/cases/{case.number}")):
        archive = zipfile.ZipFile(io.BytesIO((await browser.get(f"{path}/case.zip")).content))
        assert "- Priority: Stillstand" in archive.read("case.md").decode()


async def test_the_log_of_a_dispatched_case_keeps_the_name_that_its_priority_had(noor: Browser, app: Gate) -> None:
    """S3.8, S3.19: if a rule chose the priority of a case, the log line shows the name that the priority had then."""
    async with transaction(NOOR):
        await DispatchRule.create(RuleFacts(name="Loud", words="smoke", sets_priority="4"))
    await set_up(noor, name_urgent="Stillstand")
    async with transaction(ADA):
        made = await Case.open(by=ADA, subject="Smoke", text="It smokes.", case_type_id=1, at=NOW)
    await set_up(noor, name_urgent="Alarm")
    page = text_of((await noor.get(f"/agent/cases/{made.number}")).text)
    assert "the rule “Loud” chose priority Stillstand" in page
    assert "Alarm" in page


async def test_a_bulk_change_offers_and_reports_the_names(noor: Browser, ines: Browser, case: Case) -> None:
    """S3.19: the page on which Ines changes the priority of several cases shows the names that Noor set."""
    await set_up(noor, name_low="Later", name_high="Soon")
    answer = await ines.send_form("/agent/cases/changes", {"verb": "priority", "case": [str(case.number)], "all": ""})
    page = await ines.get(answer.headers["location"])
    assert "Later" in page.text
    assert "Soon" in page.text
    assert "High" not in text_of(page.text)


async def test_contacts_choose_only_what_is_open_to_them(noor: Browser, ada: Browser, ines: Browser) -> None:
    """S3.19: if contacts may not choose Urgent or High, Ada's form offers neither; sending one anyway gets 422.

    The database refuses an urgent case from her too. Ines can still create one for her.
    """
    await set_up(noor, for_contacts_urgent="no", for_contacts_high="no", preselected="4")
    form = await new_case(ada, "/cases/new")
    assert (form.offered["priority"], form.fields["priority"]) == (["1", "2"], ["2"])
    assert (await new_case(ines, "/agent/cases/new?customer=1")).fields["priority"] == ["4"]
    sent = {"subject": "VPN drops", "body": "Since noon.", "case_type": "1", "priority": "4"}
    for number in ("4", "3", "5", "0", str(10**18)):
        answer = await ada.send_form("/cases/new", sent | {"priority": number})
        assert (answer.status_code, answer.text.count("Choose one from the list.")) == (422, 2), number
    async with transaction(NOOR):
        assert await current().fetchval("select count(*) from cases") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA) as tx:
            await tx.execute(
                "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
                " values (1, 1, 'x', 1, 4, 'new', $1, $1)",
                NOW,
            )
    more = {"customer": "1", "contact": "1", "to": "rules"}
    assert (await ines.send_form("/agent/cases/new", sent | more)).status_code == 303
    assert (await ada.send_form("/cases/new", sent | {"priority": "1"})).status_code == 303


async def test_a_follow_up_of_a_case_has_a_priority_that_contacts_may_choose(noor: Browser, case: Case) -> None:
    """S3.18, S3.19: Ada's late reply to a closed urgent case opens a new case, with the preselected priority.

    Contacts may not choose the priority Urgent here, so the new case does not take it over.
    """
    async with transaction(NOOR):
        await FollowUpRule.change(FollowUpFacts(reopen_days="1"))
        await case.change_facts(by=NOOR, at=NOW, priority=4)
        await case.close(by=NOOR, at=NOW)
    await set_up(noor, for_contacts_urgent="no", preselected="1")
    async with transaction(ADA):
        found = await Case.find(case.number, ADA)
        made = await found.answer(by=ADA, text="Again.", at=NOW + timedelta(days=9))
    assert (made.number == case.number, made.priority) == (False, 1)


async def test_a_priority_gets_a_name_that_no_other_has(noor: Browser, ada: Browser, ines: Browser) -> None:
    """S3.19: two names that differ only in upper and lower case, an empty name and one that is too long are refused.

    A priority may take a name that another priority loses in the same form. Sending the form again changes nothing.
    Only admins may open or send the form: Ada, a contact, gets 404; Ines, who is not an admin, gets 403.
    """
    before = await stored()
    for fields, sentence in (
        ({"name_low": "HIGH"}, "Two priorities cannot both be called “HIGH”."),
        ({"name_low": "\u200b \u0007"}, "Fill this in."),
        ({"name_low": "x" * 41}, "Use at most 40 characters"),
        ({"preselected": "7"}, "Choose one"),
    ):
        answer = await noor.send_form(HERE, await seen(noor) | {name: [value] for name, value in fields.items()})
        assert answer.status_code == 422, fields
        assert sentence in answer.text, fields
    assert (await noor.send_form(HERE, await seen(noor) | {"for_contacts_normal": ["no"]})).status_code == 400
    assert await stored() == before
    for browser, status in ((ada, 404), (ines, 403)):
        assert (await browser.get(HERE)).status_code == status
        assert (await browser.send_form(HERE, await seen(noor))).status_code == status
    sent = await seen(noor) | {"name_high": ["Low"], "name_low": ["A B"], "preselected": ["3"]}
    for _ in range(2):
        assert (await noor.send_form(HERE, sent)).status_code == 303
    assert await stored() == [
        ("A B", True, False),
        ("Normal", True, False),
        ("Low", True, True),
        ("Urgent", True, False),
    ]
    changes = text_of((await noor.get("/agent/setup/changes")).text)
    assert (
        "changed the name of the priority Low from High to Low and made Low the priority that forms preselect"
        in changes
    )
    assert changes.count("from High to Low") == 1


async def test_two_admins_at_once_do_not_silently_undo_each_others_priorities(noor: Browser) -> None:
    """S3.19: if Noor saves a form that she loaded before other changes, these changes stay.

    If her form changes a name that was changed in the meantime, she gets 409 with the present name.
    """
    older = await seen(noor)
    await set_up(noor, name_low="Later", for_contacts_urgent="no")
    assert (await noor.send_form(HERE, older | {"name_high": ["Soon"]})).status_code == 303
    again = await noor.send_form(HERE, older | {"name_low": ["Whenever"]})
    assert again.status_code == 409
    assert "Name of the least urgent: somebody else changed this" in text_of(again.text)
    assert "It is now “Later”." in again.text
    assert [name for name, *_ in await stored()] == ["Later", "Normal", "Soon", "Urgent"]
    assert (await stored())[3] == ("Urgent", False, False)


async def test_every_text_of_the_corpus_is_a_name_or_is_refused(noor: Browser, ada: Browser, case: Case) -> None:
    """R54: each difficult Unicode text is stored as a priority's name or refused; pages show no invisible character."""
    form = await seen(noor)
    for name, text in CORPUS.items():
        answer = await noor.send_form(HERE, form | {"name_high": [text[:LONGEST]], "seen": [""]})
        assert answer.status_code in (303, 422), name
        for browser, path in (
            (noor, f"/agent/cases/{case.number}"),
            (ada, "/cases/new"),
            (noor, "/agent/setup/changes"),
        ):
            page = await browser.get(path)
            assert (page.status_code, UNSEEN.search(page.text)) == (200, None), (name, path)
    assert [row for row in await stored() if UNSEEN.search(row[0])] == []
