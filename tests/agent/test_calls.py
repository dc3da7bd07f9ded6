"""Test cases that begin with a call: finding the caller, and attributing the first message to the caller."""

import html
import re

import pytest

from portal.database import current, transaction
from portal.desk import Case, Status
from portal.people.readers import SYSTEM
from tests.browser import Browser
from tests.forms import forms_of
from tests.world import ADA, INCIDENT, INES


def call(**more: str) -> dict[str, str]:
    return {
        "customer": str(ADA.customer_id), "contact": str(ADA.id), "subject": "VPN", "body": "It drops.", "case_type": str(INCIDENT),
        "priority": "2", "to": "me", "called": "yes", "form_key": "0" * 31 + "1",
    } | more  # fmt: skip


async def test_an_unknown_caller_becomes_a_new_contact_with_what_was_typed(ines: Browser) -> None:
    """S3.3: for an unknown caller, the finder and the page of a new case link to a form with a new contact.

    The form is filled in with the name, number or mail address that Ines has entered.
    """
    for typed, field in (
        ("Zelda <b>", "new_name"),
        ("+49 40 555 0177", "new_phone"),
        ("zelda@acme.example", "new_email"),
    ):
        listed = (await ines.get("/agent/finders/callers", params={"text": typed})).text
        page = (await ines.get("/agent/cases/new", params={"caller_typed": typed})).text
        (goes,), (leads,) = (
            re.findall(r'data-goes="([^"]+)"', listed),
            re.findall(r'href="(/agent/cases/new\?new=[^"]+)"', page),
        )
        assert goes == leads
        place = "in its name, number, mail address or customer"
        assert f"No contact has “{html.escape(typed)}” {place}" in listed
        assert f"There is no contact with “{html.escape(typed)}” {place}." in page
        assert "New contact" in (await ines.get(leads)).text
        forms = forms_of((await ines.get(html.unescape(f"{leads}&customer={ADA.customer_id}"))).text)
        (form,) = (form.fields for form in forms if "subject" in form.names)
        assert (form[field], form["contact"]) == ([typed], [""])
    assert "data-goes" not in (await ines.get("/agent/finders/callers", params={"text": " "})).text


@pytest.mark.parametrize("typed", ["lindqvist", "acme ada", "040 555 0148", "+49 (0)40 5550148", "ada@acme"])
async def test_a_caller_is_found_by_name_number_or_address(ines: Browser, typed: str) -> None:
    """In the form of a new case, one field finds a caller by name, telephone number or mail address.

    The page then has customer and contact chosen, and says that the contact has called.
    """
    found = await ines.get("/agent/finders/callers", params={"text": typed})
    assert re.findall(r'data-name="([^"]+)"', found.text) == [ADA.name]
    page = await ines.get("/agent/cases/new", params={"caller_typed": typed})
    assert f'<option value="{ADA.id}" selected' in page.text
    assert "New case of Acme" in page.text
    assert re.search(r'name="called"[^>]*checked', page.text)


async def test_the_message_of_a_call_has_the_caller_as_author_and_names_who_took_the_call(
    ines: Browser, ada: Browser
) -> None:
    """S3.3: the author of a call's message is the contact, and the agent who took the call gets the case.

    The message does not count as the agent's first reply. The same form sent again creates no second case. A form
    without a contact gets 422. A contact who sends the form gets 404.
    """
    for _ in range(2):
        answer = await ines.send_form("/agent/cases/new", call())
        assert answer.headers["location"] == "/agent/cases/1001"
    async with transaction(INES):
        case = await Case.find(1001, INES)
        row = await current().fetchrow("select contact_id, agent_id, taken_by_id, author_name from message")
    assert tuple(row) == (ADA.id, None, INES.id, ADA.name)
    assert (case.agent_id, case.stands, case.first_replied_at) == (INES.id, Status.NEW, None)
    for browser, address in ((ines, "/agent/cases/1001"), (ada, "/cases/1001")):
        said = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", (await browser.get(address)).text)))
        assert f"by phone, taken by {INES.name}" in said
    wrong = await ines.send_form("/agent/cases/new", call(contact="", form_key="0" * 31 + "2"))
    assert (wrong.status_code, "Choose who asks." in wrong.text) == (422, True)
    assert (await ada.send_form("/agent/cases/new", call())).status_code == 404
    async with transaction(SYSTEM):
        assert await current().fetchval("select count(*) from message") == 1


async def test_somebody_new_becomes_a_contact_in_the_same_form(ines: Browser) -> None:
    """S3.3: one form creates a contact without rights together with the case, and a refused form creates neither.

    If a known contact has the typed mail address or number, the error names that contact. Sending the form again
    creates nothing.
    """
    new = {"contact": "", "new_name": "Bea Roth", "new_email": "bea@acme.example", "new_phone": "+49 40 555 0199"}
    for wrong, said in [
        ({"subject": ""}, "Write a few words"),
        ({"new_email": "ADA@acme.example"}, f"That is {ADA.name}."),
        ({"new_phone": "040 555 0148"}, f"That is {ADA.name}."),
        ({"new_email": "nobody"}, "mail address"),
        ({"new_name": " "}, "Fill this in."),
    ]:
        answer = await ines.send_form("/agent/cases/new", call(**new | wrong))
        assert (answer.status_code, said in answer.text) == (422, True), wrong
    async with transaction(SYSTEM):
        assert await current().fetchval("select count(*) from contact where name = 'Bea Roth'") == 0
    for _ in range(2):  # If the fields of a new contact are filled in, the contact that is chosen above is ignored.
        answer = await ines.send_form("/agent/cases/new", call(**new | {"contact": str(ADA.id)}))
        assert answer.status_code == 303
    async with transaction(SYSTEM):
        rows = await current().fetch(
            "select sees_all_cases, sees_invoices, manages_contacts, c.contact_id = t.id as asks from contact t, cases c"
            " where t.name = 'Bea Roth'"
        )
        assert [tuple(row) for row in rows] == [(False, False, False, True)]
        assert await current().fetchval("select count(*) from invitation") == 0
