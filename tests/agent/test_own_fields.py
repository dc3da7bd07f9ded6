"""Test own fields of cases: in the set-up, in the forms of a new case, on a case, and in the list and its CSV file."""

from portal.database import transaction
from portal.desk import Case
from portal.web.gate import Gate
from tests.agent.test_cases import numbers
from tests.browser import Browser, text_of
from tests.desk.test_own_fields import made, shown
from tests.forms import form_of, send
from tests.world import ADA, INCIDENT, INES, NOOR

HERE = "/agent/setup/fields"


async def test_an_admin_adds_a_field_with_choices_and_the_changes_say_so(app: Gate) -> None:
    """S3.18, R89: Noor adds a field with choices, changes and deletes both; the audit log describes each change.

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
    """R30: Ada must fill in a required field, and gets 400 if she sends one that customers do not see.

    Agents see and change both; the list of cases can be filtered by a field, and its CSV file has a column for each.
    """
    serial, hidden = await made("Serial number", required_to_open="yes"), await made("Warranty", hidden=True)
    form = {"subject": "Display is dark", "body": "Since noon.", "case_type": str(INCIDENT), "priority": "2"}
    async with await Browser.of(app, ADA) as ada:
        page = await ada.get("/cases/new")
        assert "Warranty" not in page.text
        again = await send(ada, page, "/cases/new", **form, **{f"field_{serial.id}": ""})
        assert (again.status_code, "Fill in “Serial number”." in again.text) == (422, True)
        forged = form_of(page.text, "/cases/new").fields | form | {f"field_{hidden.id}": "x"}
        assert (await ada.post("/cases/new", data=forged)).status_code == 400
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


async def _of(location: str) -> Case:
    async with transaction(INES):
        return await Case.find(location.rsplit("/", 1)[-1], INES)
