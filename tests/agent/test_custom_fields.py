"""Test custom fields, which admins add to cases: in the set-up, in forms for new cases, on cases, lists and files."""

import io
import re
import zipfile
from datetime import date
from decimal import Decimal

from portal.database import transaction
from portal.desk import Case
from portal.desk.custom_fields.choices import FieldChoice
from portal.desk.custom_fields.fields import CaseField
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.agent.test_cases import numbers
from tests.browser import Browser, text_of
from tests.desk.test_custom_fields import filled, hide, made, shown
from tests.forms import form_of, send
from tests.world import ADA, INCIDENT, INES, NOOR, NOW

HERE = "/agent/setup/fields"


async def test_an_admin_adds_a_field_with_choices_and_the_changes_say_so(app: Gate) -> None:
    """S3.18, R89: Noor adds, changes and deletes a custom field and its choices; the audit log describes these changes.

    Wrong input, such as a field name that exists already, gets an error message.
    """
    async with await Browser.of(app, NOOR) as noor:
        page = await noor.get(HERE)
        assert "No field yet" in page.text
        again = await send(noor, page, HERE, name="Site", kind="choice", choices=" \n")
        assert (again.status_code, "Write at least one choice" in again.text) == (422, True)
        assert (await send(noor, page, HERE, name="Site", kind="choice", choices="Kiel\nBonn")).status_code == 303
        assert "There is a field “SITE” already" in (await send(noor, page, HERE, name="SITE", kind="text")).text
        page = await noor.get(f"{HERE}/1")
        again = await send(noor, page, f"{HERE}/1", for_contacts="no", required_to_open="yes")
        assert "Customers cannot fill in a field that they do not see" in again.text
        assert (await send(noor, page, f"{HERE}/1", for_contacts="no", hint="Where it stands.")).status_code == 303
        assert (await send(noor, page, f"{HERE}/1/choices", choice="Bonn")).status_code == 422
        assert (await send(noor, page, f"{HERE}/1/choices", choice="Köln")).status_code == 303
        page = await noor.get(f"{HERE}/1/choices/2")
        assert (await send(noor, page, f"{HERE}/1/choices/2", name="Berlin")).status_code == 303
        for path in ("1/choices/1/ending", "1/choices/1/resumption", "1/choices/1/deletion", "1/ending", "1/deletion"):
            assert (await noor.send_form(f"{HERE}/{path}")).status_code == 303, path
        changes = text_of((await noor.get("/agent/setup/changes")).text)
    for said in (
        "added the choice “",
        "from Bonn to Berlin",
        "deleted the choice “Kiel”",
        "deleted the field “Site” of cases",
    ):
        assert said in changes, said


async def test_customers_and_agents_fill_in_fields_and_lists_have_them(app: Gate, ines: Browser) -> None:
    """R30: Ada must fill in a required field, and a value that she sends for a field hidden from customers is refused.

    Agents see both fields and can change them. The list of cases can be filtered by a field, and its CSV file has a
    column for each field.
    """
    serial, hidden = await made("Serial number", required_to_open="yes"), await made("Warranty", hidden=True)
    form = {"subject": "Display is dark", "body": "Since noon.", "case_type": str(INCIDENT), "priority": "2"}
    async with await Browser.of(app, ADA) as ada:
        page = await ada.get("/cases/new")
        assert "Warranty" not in page.text
        again = await send(ada, page, "/cases/new", **form, **{f"field_{serial.id}": ""})
        assert (again.status_code, "Fill in “Serial number”." in again.text) == (422, True)
        forged = form_of(page.text, "/cases/new").fields | form | {f"field_{hidden.id}": "x"}
        refused = await ada.post("/cases/new", data=forged)
        assert (refused.status_code, "was withdrawn in the meantime" in refused.text) == (422, True)
        assert "Since noon." in refused.text
        done = await send(ada, page, "/cases/new", **form, **{f"field_{serial.id}": "<b>SN-1"})
        case = await _of(done.headers["location"])
        here = (await ada.get(f"/cases/{case.number}")).text
        assert "&lt;b&gt;SN-1" in here
        path = f"/agent/cases/{case.number}/fields"
        page = await ines.get(path)
        assert (await send(ines, page, path, **{f"field_{hidden.id}": "expired"})).status_code == 303
        assert await shown(case, INES) == {"Serial number": "<b>SN-1", "Warranty": "expired"}
        assert "expired" not in (await ada.get(f"/cases/{case.number}")).text
    assert "expired" in (await ines.get(f"/agent/cases/{case.number}")).text
    found = await ines.get(f"/agent/cases?view=all&field_{hidden.id}=expir")
    assert numbers(found.text) == [case.number]
    assert "Remove the filter Warranty: expir" in found.text
    assert numbers((await ines.get(f"/agent/cases?view=all&field_{hidden.id}=other")).text) == []
    csv = (await ines.get("/agent/cases/export.csv?view=all")).text
    assert csv.splitlines()[0].endswith("Serial number,Warranty")
    assert csv.splitlines()[1].endswith("<b>SN-1,expired")


async def test_a_field_is_edited_in_place_and_a_form_of_one_field_leaves_the_others(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """S3.18: the panel of a case has, for each field, a menu with a form that changes that field and no other.

    Without JavaScript, a link leads to the form with all fields. Saving redirects to the case, and saving again changes
    nothing. If somebody else has changed the field, the error message names the field. An unknown field gets 404, and
    Ada, a contact, gets 404 for the form.
    """
    serial, power = await made("Serial number"), await made("Power draw", "number", hidden=True)
    await filled(case, {serial.id: "SN-1", power.id: Decimal("12.5")})
    here = f"/agent/cases/{case.number}"
    page = (await ines.get(f"{here}?view=all&next=&previous=")).text
    assert f'hx-get="{here}/fields/{power.id}?view=all&amp;' in page
    assert f'<a href="{here}/fields">Change the fields</a>' in page
    menu = await ines.get(f"{here}/fields/{power.id}?view=all")
    form = form_of(menu.text, f"{here}/fields")
    assert (form.fields["field_2"], "field_1" in form.names) == (["12.5"], False)
    for _ in range(2):
        saved = await ines.send_form(form.action, form.fields | {"field_2": ["13.25"]})
        assert (saved.status_code, saved.headers["location"]) == (303, f"{here}?view=all")
    assert await shown(case, INES) == {"Serial number": "SN-1", "Power draw": Decimal("13.25")}
    assert text_of((await ines.get(here)).text).count("set Power draw to 13.25") == 1
    menu = await ines.get(f"{here}/fields/{power.id}")
    refused = await send(ines, menu, f"{here}/fields", field_2="many")
    assert (refused.status_code, "Write a number" in refused.text) == (422, True)
    await ines.send_form(f"{here}/fields", {"field_2": "14"})
    refused = await send(ines, menu, f"{here}/fields", field_2="15")
    assert refused.status_code == 409
    assert "Power draw: somebody else changed this in the meantime." in text_of(refused.text)
    assert await shown(case, INES) == {"Serial number": "SN-1", "Power draw": Decimal(14)}
    assert (await ines.get(f"{here}/fields/99")).status_code == 404
    assert (await ada.send_form(f"{here}/fields", {"field_2": "16"})).status_code == 404


async def test_two_agents_who_change_different_fields_undo_nothing(ines: Browser, noor: Browser, case: Case) -> None:
    """S3.18: Ines and Noor have the same form open and change one field each; both changes stay."""
    serial, power = await made("Serial number"), await made("Power draw")
    path = f"/agent/cases/{case.number}/fields"
    pages = [await browser.get(path) for browser in (ines, noor)]
    assert (await send(ines, pages[0], path, **{f"field_{serial.id}": "SN-1"})).status_code == 303
    assert (await send(noor, pages[1], path, **{f"field_{power.id}": "12"})).status_code == 303
    assert await shown(case, INES) == {"Serial number": "SN-1", "Power draw": "12"}


async def test_the_log_the_filters_and_the_zip_file_have_values_as_the_reader_writes_them(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """S3.17, S3.18: numbers and dates in fields are in the reader's locale; Ada's ZIP file has no hidden field."""
    power, since = await made("Power draw", "number"), await made("Bought on", "date")
    status, secret = await made("Status"), await made("Warranty", hidden=True)
    await filled(case, {power.id: Decimal("1234.5"), since.id: date(2026, 3, 1), status.id: "lent", secret.id: "gone"})
    for locale, number, day in (("de_DE", "1.234,5", "1. März 2026"), ("en_GB", "1,234.5", "1 Mar 2026")):
        async with transaction(SYSTEM) as tx:
            await tx.execute("update agent set locale = $1", locale)
            await tx.execute("update contact set locale = $1", locale)
        for browser, path in ((ines, f"/agent/cases/{case.number}"), (ada, f"/cases/{case.number}")):
            page = text_of((await browser.get(path)).text)
            assert f"set Power draw to {number}" in page, path
            assert f"set Bought on to {day}" in page, path
        assert f"set Bought on to {day}" in text_of((await ines.get(f"/agent/cases/{case.number}/log.csv")).text)
        query = f"view=all&field_{power.id}_from=1234.5&field_{since.id}_to=2026-03-01"
        chips = text_of((await ines.get(f"/agent/cases?{query}")).text)
        assert f"Power draw from {number}" in chips
        assert f"Bought on to {day}" in chips
        for browser, path, sees in ((ines, f"/agent/cases/{case.number}", True), (ada, f"/cases/{case.number}", False)):
            text = await _zip(browser, path)
            assert f"- Power draw: {number}\n- Bought on: {day}\n- Status: lent\n" in text, path
            assert ("Warranty: gone" in text) is sees, path
            assert "- Status: New\n" in text


async def test_lines_of_a_field_that_is_hidden_later_are_hidden_too(ines: Browser, ada: Browser, case: Case) -> None:
    """S3.18: log lines of a hidden or deleted field are on none of Ada's pages or files; agents still see all of them.

    The agents' file of the log marks the lines that the customer does not see.
    """
    serial = await made("Serial number")
    await filled(case, {serial.id: "SN-1"})
    assert "set Serial number to SN-1" in text_of((await ada.get(f"/cases/{case.number}")).text)
    await hide(serial)
    here = f"/agent/cases/{case.number}"
    for path in (f"/cases/{case.number}", "/", "/notices", "/cases?show=all&q=SN-1"):
        assert "Serial number" not in (await ada.get(path)).text, path
    assert "Serial number" not in await _zip(ada, f"/cases/{case.number}")
    assert "set Serial number to SN-1" in text_of((await ines.get(here)).text)
    assert re.search(r"set Serial number to SN-1,no", (await ines.get(f"{here}/log.csv")).text)
    await hide(serial, "yes")
    assert "set Serial number to SN-1" in text_of((await ada.get(f"/cases/{case.number}")).text)
    await filled(case, {serial.id: None})
    async with transaction(NOOR):
        await (await CaseField.find(serial.id, hold=True)).discard()
    assert "Serial number" not in (await ada.get(f"/cases/{case.number}")).text
    assert "set Serial number to SN-1" in text_of((await ines.get(here)).text)


async def test_a_renamed_field_has_its_new_name_everywhere_but_in_the_log(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """S3.18: pages, filters and files show the new name of a field; older lines of the log keep its old name."""
    serial = await made("Serial number")
    await filled(case, {serial.id: "SN-1"})
    async with transaction(NOOR):
        field = await CaseField.find(serial.id, hold=True)
        facts = field.facts
        facts.name = "Inventory number"
        await field.change(facts)
    here = f"/agent/cases/{case.number}"
    for browser, path in ((ines, here), (ada, f"/cases/{case.number}")):
        page = text_of((await browser.get(path)).text)
        assert "Inventory number" in page, path
        assert "set Serial number to SN-1" in page, path
        assert "- Inventory number: SN-1" in await _zip(browser, path)
    assert (
        "Remove the filter Inventory number: SN" in (await ines.get(f"/agent/cases?view=all&field_{serial.id}=SN")).text
    )
    assert (await ines.get("/agent/cases/export.csv?view=all")).text.splitlines()[0].endswith("Inventory number")


async def test_a_form_with_a_field_or_a_choice_that_was_withdrawn_is_shown_again(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """S3.18: a form with a choice or field that was withdrawn in the meantime gets 422, and what was typed is kept."""
    site, serial = await made("Site", "choice", choices="Kiel\nBonn"), await made("Serial number")
    pages = [await ines.get(f"/agent/cases/{case.number}/fields"), await ada.get("/cases/new")]
    async with transaction(NOOR):
        await (await FieldChoice.listed(site.id))[0].end(NOW)
    choice = {f"field_{site.id}": "1", f"field_{serial.id}": "SN-7"}
    new = {"subject": "Dark", "body": "Since noon.", "case_type": str(INCIDENT), "priority": "2"}
    for browser, page, path, fields in (
        (ines, pages[0], f"/agent/cases/{case.number}/fields", choice), (ada, pages[1], "/cases/new", choice | new),
    ):  # fmt: skip
        again = await send(browser, page, path, **fields)
        assert (again.status_code, "Choose one from the list." in again.text, "SN-7" in again.text) == (422, True, True)
    await hide(serial)
    again = await send(ada, pages[1], "/cases/new", **new, **{f"field_{serial.id}": "SN-7"})
    assert (again.status_code, "Since noon." in again.text) == (422, True)
    assert (await send(ada, again, "/cases/new")).status_code == 303
    async with transaction(NOOR):
        await (await CaseField.find(serial.id, hold=True)).discard()
    again = await send(ines, pages[0], f"/agent/cases/{case.number}/fields", **{f"field_{serial.id}": "SN-7"})
    assert (again.status_code, "was withdrawn in the meantime" in again.text) == (422, True)
    assert await shown(case, INES) == {"Site": None}


async def _zip(browser: Browser, path: str) -> str:
    archive = zipfile.ZipFile(io.BytesIO((await browser.get(f"{path}/case.zip")).content))
    return archive.read("case.md").decode().replace("\u00a0", " ")


async def _of(location: str) -> Case:
    async with transaction(INES):
        return await Case.find(location.rsplit("/", 1)[-1], INES)


async def test_a_type_that_is_no_number_is_refused_beside_one_that_is(app: Gate) -> None:
    """The form that limits a custom field to some case types gets 422 if one of these types is not a number."""
    field = await made("Site")
    async with await Browser.of(app, NOOR) as noor:
        answer = await noor.send_form(
            f"{HERE}/{field.id}", {"name": "Site", "kind": "text", "for_types": "some", "types": [str(INCIDENT), "x"]}
        )
        assert answer.status_code == 422
