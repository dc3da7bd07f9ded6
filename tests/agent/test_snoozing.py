"""Test the form that snoozes a case, which sets the case aside until a chosen time."""

from datetime import timedelta

from portal.database import transaction
from portal.desk import Case
from portal.web.visit import now
from tests.browser import Browser
from tests.forms import form_of
from tests.world import ADA, INES


async def test_an_agent_snoozes_a_case_and_undoes_it(ines: Browser, ada: Browser, case: Case) -> None:
    """S3.18: Ines snoozes a case and ends the snooze on the case's page; the customer's page does not mention it."""
    here = f"/agent/cases/{case.number}"
    form = form_of((await ines.get(f"{here}/snooze")).text, f"{here}/snooze")
    read = {"read": form.fields["read"][0], "time": "09:00"}
    answer = await ines.send_form(f"{here}/snooze", read | {"day": "2020-01-01"})
    assert answer.status_code == 422
    assert "Choose a time in the future" in answer.text
    pick = (now() + timedelta(days=3)).date().isoformat()
    for _ in range(2):
        answer = await ines.send_form(f"{here}/snooze", read | {"pick": pick})
        assert answer.headers["location"] == f"{here}?snoozed=yes"
    page = (await ines.get(answer.headers["location"])).text
    assert f'action="{here}/snooze/ending"' in page
    assert "Ines Okafor snoozed the case until" in page
    assert "<span>Until" not in (await ines.get("/agent/cases?view=unassigned")).text
    assert f'id="case-{case.number}"' in (await ines.get("/agent/cases?view=snoozed")).text
    assert "snooze" not in (await ada.get(f"/cases/{case.number}")).text.lower()
    for _ in range(2):
        assert (await ines.send_form(f"{here}/snooze/ending", {})).status_code == 303
    assert "Ines Okafor ended the snooze" in (await ines.get(here)).text


async def test_a_page_from_before_the_customers_reply_does_not_snooze(ines: Browser, case: Case) -> None:
    here = f"/agent/cases/{case.number}"
    form = form_of((await ines.get(f"{here}/snooze")).text, f"{here}/snooze")
    async with transaction(ADA):
        await case.reply(by=ADA, text="It smokes now!", at=now())
    sent = {"read": form.fields["read"][0], "time": "09:00", "day": (now() + timedelta(days=3)).date().isoformat()}
    answer = await ines.send_form(f"{here}/snooze", sent)
    assert answer.status_code == 409
    assert "The customer has written meanwhile." in answer.text
    assert (await ines.send_form(f"{here}/snooze", sent | {"read": "x"})).status_code == 400
    async with transaction(INES):
        assert (await Case.find(case.number, INES)).snoozed_until is None


async def test_snoozing_keeps_the_place_in_the_list(ines: Browser, case: Case) -> None:
    """The form for snoozing and its *Cancel* link lead back to the case with its place in the list.

    The first button has the focus, and a hint names the agent's time zone.
    """
    here = f"/agent/cases/{case.number}"
    place = "?view=unassigned&next=&previous="
    page = (await ines.get(f"{here}/snooze{place}")).text
    assert f'href="{here}{place.replace("&", "&amp;")}">Cancel' in page
    assert page.count(" autofocus>Tomorrow") == 1
    assert "In your time zone, Europe/Berlin." in page
    pick = (now() + timedelta(days=3)).date().isoformat()
    answer = await ines.send_form(f"{here}/snooze{place}", {"pick": pick, "time": "09:00"})
    assert answer.headers["location"] == f"{here}{place}&snoozed=yes"


async def test_a_snooze_without_a_day_is_refused_at_the_day(ines: Browser, case: Case) -> None:
    answer = await ines.send_form(f"/agent/cases/{case.number}/snooze", {"time": "09:00"})
    assert (answer.status_code, 'id="day-wrong"' in answer.text) == (422, True)


async def test_of_two_who_snooze_the_second_is_asked(ines: Browser, max_: Browser, case: Case) -> None:
    """If Max has snoozed a case since Ines opened the form, Ines gets 409, and the day that he chose stays.

    If she sends the refused form again, the day that she chose is stored. If both choose the same day, Ines's form is
    accepted at once.
    """
    here = f"/agent/cases/{case.number}/snooze"
    days = [(now() + timedelta(days=ahead)).date().isoformat() for ahead in (3, 5)]
    form = form_of((await ines.get(here)).text, here)
    sent = {name: values[0] for name, values in form.fields.items() if name != "csrf"}
    assert (await max_.send_form(here, sent | {"day": days[0], "time": "09:00"})).status_code == 303
    answer = await ines.send_form(here, sent | {"day": days[1], "time": "09:00"})
    assert (answer.status_code, "Somebody else has changed the snooze" in answer.text) == (409, True)
    async with transaction(INES):
        until = (await Case.find(case.number, INES)).snoozed_until
    assert until
    assert until.date().isoformat() == days[0]
    assert (await ines.send_form(here, sent | {"day": days[0], "time": "09:00"})).status_code == 303, "the same day"
    form = form_of(answer.text, here)
    sent = {name: values[0] for name, values in form.fields.items() if name != "csrf"}
    assert (await ines.send_form(here, sent | {"day": days[1]})).status_code == 303
