"""Test in a browser that the bell counts live, that reading a notice updates other tabs, and that "@" offers names."""

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Page, expect

from portal import notices
from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.world import ADA, INES, MAX

pytestmark = pytest.mark.slow


async def told() -> None:
    """Make the notices of the changes in the outbox, as the worker does."""
    async with transaction(SYSTEM):
        await notices.pass_on(datetime.now(UTC))


async def shown(visitors: Visitors, who: str, address: str, stream: str) -> Page:
    """Sign in this person, open the URL, wait until the page's event stream is open, and return the page."""
    page = await visitors.signed_in(who)
    async with page.expect_response(lambda answer: f"{stream}?" in answer.url):
        await page.goto(address)
    return page


async def a_case_of_ada() -> Any:
    case = await open_case("VPN drops", by=ADA)
    async with transaction(INES):
        await (await Case.find(case.number, INES)).take(by=INES, at=datetime.now(UTC))
    await told()
    return case


async def reply(case: Any) -> None:
    async with transaction(INES):
        await (await Case.find(case.number, INES)).reply(by=INES, text="We look.", at=datetime.now(UTC))
    await told()


async def test_the_bell_counts_live_and_what_is_read_in_one_tab_is_gone_in_the_other(visitors: Visitors) -> None:
    """S3.4: the bell of Ada's page counts a new reply at once, and empties when she reads the reply in another tab."""
    case = await a_case_of_ada()
    page = await shown(visitors, ADA.email, "/notices", "/live")
    await expect(page.get_by_role("heading", name="Nothing has happened yet")).to_be_visible()
    await reply(case)
    bell = page.locator("#bell")
    await expect(bell).to_have_accessible_name("Notices, 1 unread")
    await expect(page.locator("#notices .unread")).to_have_count(1)
    other = await page.context.new_page()
    await other.goto("/notices")
    await other.get_by_role("link", name="Ines Okafor replied").click()
    await expect(other.get_by_text("We look.")).to_be_visible()
    await expect(bell).to_have_accessible_name("Notices")
    await expect(page.locator("#notices .unread")).to_have_count(0)


async def test_what_comes_while_one_looks_at_it_is_read(visitors: Visitors) -> None:
    case = await a_case_of_ada()
    page = await shown(visitors, ADA.email, f"/cases/{case.number}", "/live")
    await reply(case)
    await expect(page.get_by_text("We look.")).to_be_visible()
    await expect(page.locator("#bell")).to_have_accessible_name("Notices")


async def test_a_colleague_is_mentioned_by_keyboard(visitors: Visitors) -> None:
    """In a note, "@" and some letters offer names. Ines chooses Max with Enter, and he is notified of the mention."""
    case = await a_case_of_ada()
    page = await shown(visitors, INES.email, f"/agent/cases/{case.number}", "/agent/live")
    await expect(page.locator("html[data-keys]")).to_be_attached()
    await page.keyboard.press("n")
    await page.keyboard.type("Ask @ma")
    await expect(page.locator("#mentions [aria-selected=true]")).to_have_text("Max Herrmann")
    await page.keyboard.press("Enter")
    await expect(page.locator("#body")).to_have_value("Ask @Max Herrmann ")
    await expect(page.locator("#mentions")).to_be_hidden()
    async with page.expect_navigation():
        await page.get_by_role("button", name="Save note").click()
    await told()
    async with transaction(MAX, readonly=True):
        (found,) = (await notices.inbox(MAX, only_unread=True)).notices
    assert found.words == "Ines Okafor mentioned you in a note"


async def test_the_notices_that_a_person_gets_are_chosen_on_one_page(visitors: Visitors) -> None:
    """Ada switches notices of replies off, in the app and by mail, and then gets no notice of the next reply."""
    case = await a_case_of_ada()
    page = await visitors.signed_in(ADA.email, width=390)
    await page.goto("/account")
    await page.get_by_role("link", name="What you are told").click()
    replies = page.get_by_role("group", name="A reply on your case")
    await replies.get_by_label("In the app").uncheck()
    await replies.get_by_label("By mail").select_option("No mail")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Your choices are saved")).to_be_visible()
    await expect(replies.get_by_label("In the app")).not_to_be_checked()
    await expect(replies.get_by_label("By mail")).to_have_value("never")
    await reply(case)
    await page.goto("/notices")
    await expect(page.get_by_role("heading", name="Nothing has happened yet")).to_be_visible()
    async with transaction(SYSTEM) as tx:
        assert (
            await tx.fetchval(
                "select count(*) from notice where kind = 'case.replied' and credential_id = $1", ADA.credential_id
            )
            == 0
        )


async def test_all_notices_are_marked_read_and_that_is_taken_back(visitors: Visitors) -> None:
    case = await a_case_of_ada()
    await reply(case)
    page = await visitors.signed_in(ADA.email)
    await page.goto("/notices")
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.locator("#bell")).to_have_accessible_name("Notices")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#bell")).to_have_accessible_name("Notices, 1 unread")
