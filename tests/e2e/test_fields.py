"""Test small aids in forms: copy buttons, time zones, departments for managers only, and toasts that cover no bar."""

import pytest
from playwright.async_api import expect

from portal.database import transaction
from tests.billing.work import log
from tests.e2e.conftest import Visitors
from tests.e2e.test_pages import faults_of
from tests.world import INES, MAX, NOOR

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("served_with", [{"PORTAL_SMTP_URL": ""}], ids=["without a mail server"])
async def test_an_invitation_is_copied_and_the_copy_is_announced(visitors: Visitors) -> None:
    page = await visitors.signed_in(NOOR.email)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/agent/setup/agents/1")
    await page.locator("form[action$='/invitations'] button").click()
    link = await page.get_by_label("Link").input_value()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == link
    assert await faults_of(page, "invited") == []


async def test_a_zone_is_found_by_typing_and_the_browsers_own_comes_first(visitors: Visitors) -> None:
    page = await visitors.signed_in(NOOR.email)
    await page.goto("/agent/setup/agents/new")
    own = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    values = await page.evaluate("[...document.querySelector('[data-zones]').options].map((option) => option.value)")
    assert values[0] == own
    assert len(values) == len(set(values)) > 400
    await expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")


async def test_an_address_pasted_with_an_invisible_character_is_taken_without_it(visitors: Visitors) -> None:
    page = await visitors.through_the_sign_in_page(NOOR.email.replace("@", "@\u200b"))
    await page.goto("/agent/setup/agents/new")
    await page.get_by_label("Name").fill("Zoe")
    await page.get_by_label("Mail address").fill("zoe\u200b@desk.example")
    await page.get_by_role("button", name="Add agent").click()
    await expect(page.get_by_role("button", name="Mail the invitation again")).to_be_visible()
    await page.goto("/agent/setup/agents")
    await expect(page.get_by_role("cell", name="zoe@desk.example", exact=True)).to_be_visible()


async def test_only_a_manager_has_departments_to_approve(visitors: Visitors) -> None:
    """The agent form shows the departments to approve only for the grade *manager*.

    The style sheet hides them for other grades, so that this works without JavaScript too.
    """
    page = await visitors.signed_in(NOOR.email)
    await page.goto("/agent/setup/agents/1")
    await expect(page.get_by_role("group", name="Approves the time of")).to_be_hidden()
    await page.get_by_label("Grade").select_option("manager")
    await expect(page.get_by_role("group", name="Approves the time of")).to_be_visible()
    await page.get_by_label("Grade").select_option("admin")
    await expect(page.get_by_role("group", name="Approves the time of")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("count", [1, 12])
async def test_a_toast_covers_no_bar_wherever_its_list_ends(width: int, count: int, visitors: Visitors) -> None:
    async with transaction(INES):
        for _ in range(count):
            await log(60, state="submitted")
            await log(60, state="draft")
    for person, address in ((MAX, "/agent/approvals"), (INES, "/agent/time")):
        page = await visitors.signed_in(person.email)
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(address)
        await page.evaluate(
            "document.getElementById('toasts').innerHTML = '<div class=\"toast\"><p>Two entries were approved.</p></div>'"
        )
        for height in range(500, 1000, 100):
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            dock, toast = await page.locator(".dock").first.bounding_box(), await page.locator(".toast").bounding_box()
            assert dock
            assert toast
            above, below = toast["y"] + toast["height"] <= dock["y"], toast["y"] >= dock["y"] + dock["height"]
            assert above or below, (address, height, toast, dock)
