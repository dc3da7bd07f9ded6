"""Test the pages on which agents merge cases, split a case, and link cases with each other."""

import uuid

from portal.database import transaction
from portal.desk import Case
from portal.web.visit import now
from tests.agent.test_cases import open_case, reload
from tests.browser import Browser
from tests.world import ADA, ALAN, GIL, INES

MERGING = "/agent/cases/merging"


async def test_ticked_cases_are_merged_after_a_question(ines: Browser, case: Case) -> None:
    """Ines merges two ticked cases on a page that names both and asks which one remains.

    The number of the merged case then redirects to the other case. Sending the form again is harmless.
    """
    other = await open_case("The same again")
    asked = await ines.send_form(f"{MERGING}/choice", {"case": [str(other.number), str(case.number)]})
    assert asked.status_code == 303
    shown = await ines.get(asked.headers["location"])
    assert f"#{case.number}" in shown.text
    assert f"#{other.number}" in shown.text
    assert "This cannot be undone." in shown.text
    assert shown.text.count('type="radio" name="into"') == 2
    fields = {"case": [str(other.number), str(case.number)], "into": str(case.number)}
    for _ in range(2):
        answer = await ines.send_form(MERGING, fields)
        assert answer.headers["location"] == f"/agent/cases/{case.number}?from={other.number}"
    page = await ines.get(answer.headers["location"])
    assert f"#{other.number} is now part of #{case.number}." in page.text
    old = await ines.get(f"/agent/cases/{other.number}")
    assert (old.status_code, old.headers["location"]) == (303, f"/agent/cases/{case.number}?from={other.number}")
    searched = await ines.get(f"/agent/cases?text=%23{other.number}")
    assert f"#{other.number} is now part of" in searched.text


async def test_the_customer_is_led_to_the_other_case_and_told_why(app: object, ines: Browser, case: Case) -> None:
    """After a merge, the URL of the merged case redirects Ada to the other case, whose page tells her of the merge.

    A reply that is sent to the old URL is stored on the other case.
    """
    other = await open_case("The same again")
    await ines.send_form(MERGING, {"case": [str(other.number), str(case.number)], "into": str(case.number)})
    ada = await Browser.of(app, ADA)  # type: ignore[arg-type]
    led = await ada.get(f"/cases/{other.number}")
    assert (led.status_code, led.headers["location"]) == (303, f"/cases/{case.number}?from={other.number}")
    page = await ada.get(led.headers["location"])
    assert f"#{other.number} is now part of #{case.number}." in page.text
    assert "is now part of" not in (await ada.get(f"/cases/{case.number}?from=77&from=x&from=")).text
    assert f"#{other.number} is now part of" in (await ada.get(f"/cases?show=all&text=%23{other.number}")).text
    assert "is now part of" not in (await ada.get(f"/cases?show=all&text=%23{case.number}")).text
    sent = await ada.send_form(f"/cases/{other.number}/replies", {"body": "One more thing."})
    assert sent.headers["location"] == f"/cases/{case.number}"
    assert "One more thing." in (await ada.get(f"/cases/{case.number}")).text


async def test_what_cannot_be_merged_is_said_on_the_page(ines: Browser, case: Case) -> None:
    """A merge of two customers' cases, of an unknown number, of a single case, or without a target is refused."""
    foreign = await open_case("At Globex", by=GIL)
    mixed = await ines.get(f"{MERGING}?case={case.number}&case={foreign.number}")
    assert "These cases are not of one customer." in mixed.text
    assert f'href="{MERGING}?case={case.number}" aria-label="Leave out #{foreign.number}"' in mixed.text
    assert "There is no case #9999." in (await ines.get(f"{MERGING}?case={case.number}&case=9999")).text
    assert 'data-finder="/agent/finders/cases"' in (await ines.get(MERGING)).text
    assert "Another case of Acme" in (await ines.get(f"{MERGING}?case={case.number}")).text
    for added in (f"add=&add_typed=%23{foreign.number}", f"add={foreign.number}"):
        assert "These cases are not of one customer." in (await ines.get(f"{MERGING}?case={case.number}&{added}")).text
    refused = (await ines.get(f"{MERGING}?case={case.number}&add=&add_typed=printer")).text
    assert "Choose a case from the list, or type its number" in refused
    assert 'value="printer"' in refused
    for fields, status in (
        ({"case": [str(case.number), str(foreign.number)], "into": str(case.number)}, 422),
        ({"case": [str(case.number)], "into": str(case.number)}, 422),
        ({"case": [str(case.number), str(foreign.number)]}, 422),
        ({"case": [str(case.number), "9999"], "into": str(case.number)}, 404),
        ({"case": ["x", "²"], "into": "1e3"}, 422),
        ({"case": [str(case.number), "9" * 30], "into": "9" * 30}, 422),
        ({"case": [str(number) for number in range(5000, 6000)], "into": str(case.number)}, 422),
    ):
        answer = await ines.send_form(MERGING, fields)
        assert answer.status_code == status, fields
    assert (await reload(case)).merged_into_id is None


async def test_the_page_names_who_will_read_more_after_the_merge(ines: Browser, case: Case) -> None:
    """R23: the page warns that Alan, who sees only his own cases, will be able to read all of the merged cases."""
    his = await open_case("Mine", by=ALAN)
    shown = await ines.get(f"{MERGING}?case={case.number}&case={his.number}")
    assert "Alan Weber can read all messages and files of all these cases then." in shown.text


async def test_a_reply_that_was_begun_on_the_merged_case_is_found_on_the_other_one(
    app: object, ines: Browser, case: Case
) -> None:
    """D53: unsent replies to both cases are kept apart after a merge, and each is shown until it is sent.

    This includes texts from a page that was open during the merge.
    """
    other = await open_case("The same again")
    ada = await Browser.of(app, ADA)  # type: ignore[arg-type]
    keys = {number: str(uuid.uuid4()) for number in (case.number, other.number)}
    await ines.send_form(MERGING, {"case": [str(other.number), str(case.number)], "into": str(case.number)})
    for number, text in ((other.number, "First half"), (case.number, "Second half")):
        typed = {"address": f"/agent/cases/{number}/replies", "body": text, "form_key": keys[number]}
        assert (await ines.send_form("/drafts", typed)).status_code == 204
    await ada.send_form(
        "/drafts", {"address": f"/cases/{other.number}/replies", "body": "Begun by Ada", "form_key": keys[other.number]}
    )
    here = f"/agent/cases/{case.number}"
    for number, text, hidden in (
        (case.number, "Second half", "First half"),
        (other.number, "First half", "Nothing else"),
    ):
        shown = (await ines.get(here)).text
        assert text in shown
        assert hidden not in shown
        assert f'data-draft="/agent/cases/{number}/replies"' in shown
        assert f'value="{keys[number]}"' in shown
        await ines.send_form(f"{here}/replies", {"body": text, "form_key": keys[number]})
    assert f'value="{keys[other.number]}"' not in (await ines.get(here)).text
    shown = (await ada.get(f"/cases/{case.number}")).text
    assert "Begun by Ada" in shown
    await ada.send_form(f"/cases/{case.number}/replies", {"body": "Begun by Ada", "form_key": keys[other.number]})
    assert f'value="{keys[other.number]}"' not in (await ada.get(f"/cases/{case.number}")).text


async def test_what_an_old_page_says_of_the_merged_case_does_not_change_the_other_one(
    app: object, ines: Browser, case: Case
) -> None:
    """D53: requests of an old page that change status, agent or facts of a merged case get 409 and change nothing.

    The error message names both cases.
    """
    other = await open_case("The same again")
    await ines.send_form(MERGING, {"case": [str(other.number), str(case.number)], "into": str(case.number)})
    ada = await Browser.of(app, ADA)  # type: ignore[arg-type]
    before = await reload(case)
    facts = {"subject": "Other", "case_type": "1", "priority": "4", "service": "1", "contact": str(ALAN.id)}
    for browser, path, fields in (
        (ines, f"/agent/cases/{other.number}/status", {"status": "closed"}),
        (ines, f"/agent/cases/{other.number}/assignment", {"take": "yes"}),
        (ines, f"/agent/cases/{other.number}/facts", facts),
        (ines, "/agent/cases/assignment", {"case": [str(other.number)]}),
        (ada, f"/cases/{other.number}/closure", {}),
        (ada, f"/cases/{other.number}/reopening", {}),
    ):
        answer = await browser.send_form(path, fields)
        assert answer.status_code == 409, path
        assert f"#{other.number} is now part of #{case.number}. Look at that case." in answer.text, path
    after = await reload(case)
    for column in ("subject", "priority", "contact_id", "agent_id", "status", "updated_at"):
        assert getattr(after, column) == getattr(before, column), column


async def test_an_open_page_of_the_merged_case_still_works(ines: Browser, case: Case) -> None:
    """A page of the merged case that was open during the merge gets the feed of the other case.

    Replies and notes that are sent from this page are stored on the other case.
    """
    other = await open_case("The same again")
    await ines.send_form(MERGING, {"case": [str(other.number), str(case.number)], "into": str(case.number)})
    feed = await ines.get(f"/agent/cases/{other.number}/feed")
    assert f"/agent/cases/{case.number}/status" in feed.text
    for noun in ("replies", "notes"):
        sent = await ines.send_form(f"/agent/cases/{other.number}/{noun}", {"body": f"Late {noun}"})
        told = f"sent={case.number}&" if noun == "replies" else ""
        assert sent.headers["location"] == f"/agent/cases/{case.number}?{told}from={other.number}#composer"
    shown = (await ines.get(f"/agent/cases/{case.number}")).text
    assert "Late replies" in shown
    assert "Late notes" in shown


async def test_a_case_is_split_and_what_was_ticked_stays_ticked_after_a_refusal(ines: Browser, case: Case) -> None:
    async with transaction(INES) as tx:
        await case.reply(by=INES, text="Something else entirely.", at=now())
        chosen = await tx.fetchval("select max(id) from message where case_id = $1", case.id)
    here = f"/agent/cases/{case.number}/splitting"
    assert "Something else entirely." in (await ines.get(here)).text
    huge = await ines.send_form(here, {"subject": "Another matter", "message": ["9" * 30], "entry": ["9" * 18]})
    assert huge.status_code in (409, 422)
    refused = await ines.send_form(here, {"subject": "", "message": [str(chosen)]})
    assert refused.status_code == 422
    assert f'value="{chosen}" checked' in refused.text
    made = await ines.send_form(here, {"subject": "Another matter", "message": [str(chosen)]})
    assert made.status_code == 303
    again = await ines.send_form(here, {"subject": "Another matter", "message": [str(chosen)]})
    assert again.headers["location"] == made.headers["location"]
    shown = (await ines.get(made.headers["location"])).text
    assert "Another matter" in shown
    assert f"split this case off #{case.number}" in shown
    assert f'Split off from <a href="/agent/cases/{case.number}">#{case.number}</a>' in shown
    assert f"#{case.number} " in shown


async def test_cases_are_linked_by_number_and_the_link_is_removed(ines: Browser, case: Case) -> None:
    other = await open_case("The same again")
    here = f"/agent/cases/{case.number}/links"
    for typed, status in (
        ("", 422),
        ("nonsense", 422),
        ("9999", 422),
        (f"#{case.number}", 422),
        (f" #{other.number} ", 303),
    ):
        assert (await ines.send_form(here, {"number": typed})).status_code == status, typed
    refused = await ines.send_form(here, {"number": "", "number_typed": "printer"})
    assert (refused.status_code, 'value="printer"' in refused.text) == (422, True)
    assert (await ines.send_form(here, {"number": "", "number_typed": f"#{other.number}"})).status_code == 303
    shown = (await ines.get(here)).text
    assert f"{here}/{other.number}/removal" in shown
    assert f"#{other.number}" in (await ines.get(f"/agent/cases/{case.number}")).text
    for _ in range(2):
        assert (await ines.send_form(f"{here}/{other.number}/removal", {})).status_code == 303
    assert "is not linked" in (await ines.get(here)).text


async def test_the_contact_of_a_case_is_changed_from_its_menu(ines: Browser, case: Case) -> None:
    """Agents can give a case to another contact of its customer; a contact of another customer is refused with 422."""
    shown = await ines.get(f"/agent/cases/{case.number}")
    assert f"/agent/cases/{case.number}/facts#contact" in shown.text
    fields = {"subject": case.subject, "case_type": "1", "priority": "2", "service": "1", "contact": str(ALAN.id)}
    assert (await ines.send_form(f"/agent/cases/{case.number}/facts", fields)).status_code == 303
    assert (await reload(case)).contact_id == ALAN.id
    assert (
        await ines.send_form(f"/agent/cases/{case.number}/facts", fields | {"contact": str(GIL.id)})
    ).status_code == 422
    assert (await reload(case)).contact_id == ALAN.id


async def test_splitting_off_the_same_messages_with_another_subject_is_refused(ines: Browser, case: Case) -> None:
    """If messages have been split off a case already, splitting them off with another subject gets 409.

    The error message names their new case.
    """
    async with transaction(INES) as tx:
        await case.reply(by=INES, text="Something else entirely.", at=now())
        chosen = await tx.fetchval("select max(id) from message where case_id = $1", case.id)
    here = f"/agent/cases/{case.number}/splitting"
    assert (await ines.send_form(here, {"subject": "The printer", "message": [str(chosen)]})).status_code == 303
    answer = await ines.send_form(here, {"subject": "The scanner", "message": [str(chosen)]})
    assert (answer.status_code, "“The printer” by now" in answer.text) == (409, True)
