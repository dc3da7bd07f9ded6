"""Test the set-up page of the statuses of cases, and how agents set them on a case."""

from portal.database import transaction
from portal.desk import Case
from portal.desk.workflow.statuses import CaseStatus
from portal.people.readers import SYSTEM
from tests.browser import Browser
from tests.forms import form_of
from tests.world import INES

HERE = "/agent/setup/workflow"


async def statuses() -> dict[str, CaseStatus]:
    async with transaction(SYSTEM):
        return {one.name: one for one in await CaseStatus.listed()}


async def test_an_admin_adds_a_status_and_agents_set_it(noor: Browser, ines: Browser, ada: Browser, case: Case) -> None:
    """S3.18: Ines sets a status that Noor added, and filters by it; the log of the case and Ada's pages show the status.

    Adding the status with a customer name of more than 60 characters, or adding it a second time, is refused.
    """
    sent = {"name": "Waiting for the manufacturer", "category": "waiting_for_others"}
    assert (await noor.send_form(HERE, sent)).status_code == 303
    refused = await noor.send_form(HERE, sent | {"customer_name": "x" * 61})
    assert refused.status_code == 422
    assert "Use at most 60 characters" in refused.text
    assert "There is a status “Waiting for the manufacturer” already." in (await noor.send_form(HERE, sent)).text
    added = (await statuses())["Waiting for the manufacturer"]
    here = f"/agent/cases/{case.number}"
    form = form_of((await ines.get(here)).text, f"{here}/status")
    for _ in range(2):
        answer = await ines.send_form(f"{here}/status", {"seen": form.fields["seen"][0], "status": str(added.id)})
        assert answer.status_code == 303
    page = (await ines.get(here)).text
    assert "Ines Okafor set the status to Waiting for the manufacturer" in page
    assert page.count("set the status to") == 1
    page = (await ines.get(f"/agent/cases?status={added.id}")).text
    assert 'aria-label="Remove the filter Status: Waiting for the manufacturer"' in page
    assert (
        f'name="status" value="{added.id}" checked' in (await ines.get(f"/agent/cases/filters?status={added.id}")).text
    )
    assert f'id="case-{case.number}"' in page
    for path in (f"/cases/{case.number}", "/cases", "/"):
        assert "Waiting for the manufacturer" in (await ada.get(path)).text, path


async def test_an_admin_limits_what_may_follow_and_an_old_form_undoes_no_change(noor: Browser, case: Case) -> None:
    """S3.18: Noor limits which statuses may follow Open, and then renames Open with a form loaded before that change.

    Both changes are kept, because they are to different fields. If she sends the old form again with yet another name,
    it is refused with 409, because the name has changed since. The audit log describes the changes.
    """
    found = await statuses()
    here = f"{HERE}/{found['Open'].id}"
    form = form_of((await noor.get(here)).text, here)
    fields = {name: value for name, value in form.fields.items() if name != "csrf"}
    ticked = {"moves": ["some"], "next": [str(found["Resolved"].id), str(found["Closed"].id)]}
    assert (await noor.send_form(here, fields | ticked)).status_code == 303
    assert (await noor.send_form(here, fields | {"name": ["In work"]})).status_code == 303
    page = (await noor.get(here)).text
    assert form_of(page, here).fields["next"] == ticked["next"]
    assert form_of(page, here).fields["name"] == ["In work"]
    answer = await noor.send_form(here, fields | {"name": ["In progress"]})
    assert answer.status_code == 409
    changes = " ".join((await noor.get("/agent/setup/changes")).text.split())
    for words in ("limited which statuses agents may set after", "let agents set", "changed the name of the status"):
        assert words in changes, words


async def test_an_admin_orders_statuses_and_stops_offering_one(noor: Browser, case: Case) -> None:
    """S3.18: Noor moves a status above another, stops offering it, and offers it again.

    She cannot stop offering the last status of a category: the request gets 409.
    """
    await noor.send_form(HERE, {"name": "In progress", "category": "open"})
    found = await statuses()
    for _ in range(2):
        moved = {"status": str(found["In progress"].id), "above": str(found["Open"].id)}
        assert (await noor.send_form(f"{HERE}/order", moved)).status_code == 303
    assert list(await statuses())[1:3] == ["In progress", "Open"]
    for _ in range(2):
        assert (await noor.send_form(f"{HERE}/{found['In progress'].id}/ending", {})).status_code == 303
    answer = await noor.send_form(f"{HERE}/{found['Open'].id}/ending", {})
    assert answer.status_code == 409
    assert "Add another status of the kind “Open” first" in answer.text
    assert (await noor.send_form(f"{HERE}/{found['In progress'].id}/resumption", {})).status_code == 303
    assert not (await statuses())["In progress"].ended_at


async def test_the_button_that_waits_for_the_customer_is_there_only_if_that_may_follow(
    noor: Browser, ines: Browser, case: Case
) -> None:
    async with transaction(INES):
        await case.reply(by=INES, text="We look at it.", at=case.opened_at)
    here = f"/agent/cases/{case.number}"
    assert "Send, wait for Ada" in (await ines.get(here)).text
    found = await statuses()
    await noor.send_form(f"{HERE}/{found['Open'].id}", {"name": "Open", "moves": "some"})
    page = (await ines.get(here)).text
    assert "Send, wait for Ada" not in page
    assert "No status may follow this one." in page
    answer = await ines.send_form(f"{here}/replies", {"body": "And?", "then": "wait"})
    assert answer.status_code == 422
    assert "This status cannot follow the present one." in answer.text
