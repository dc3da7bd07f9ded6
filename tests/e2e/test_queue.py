"""Test working through a list of cases by keyboard in a real browser."""

import pytest
from playwright.async_api import Page, expect

from portal.database import current, transaction
from portal.desk import Case, Status
from portal.desk.replies.canned import CannedFacts, CannedReply
from portal.people.readers import SYSTEM
from tests.desk.held import go_out
from tests.desk.test_tags import tagged
from tests.e2e.conftest import Visitors
from tests.world import ACME, ADA, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.slow


class Keyboard:
    """Presses keys on a page, and counts them; Ctrl with Enter counts as two."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.pressed += 1 + key.count("+")
            await self.page.keyboard.press(key)


async def test_ten_cases_are_answered_with_at_most_five_keys_each_besides_the_text(visitors: Visitors) -> None:
    """From the list, J and Enter open the first case; R, Ctrl+Enter and J answer each case and open the next of the list.

    The eleventh case stays unchanged. A shortcut key that is typed into the text does nothing else.
    """
    async with transaction(INES):
        cases = [
            await Case.open(
                by=INES, contact_id=ADA.id, subject=f"Case {place}", text="Help.", case_type_id=INCIDENT, at=NOW, taken=True,
            ) for place in range(11)
        ]  # fmt: skip
    page = await visitors.signed_in(INES.email)
    keys = Keyboard(page)
    await page.goto("/agent/cases?view=mine&sort=number&turned=yes")
    await keys.press("j", "Enter")
    for case in cases[:10]:
        await expect(page.locator("h1")).to_have_text(case.subject)
        before = keys.pressed
        await keys.press("r")
        await expect(page.locator("#body")).to_be_focused()
        await page.keyboard.type(f"jkpvsm {case.subject}")
        await keys.press("Control+Enter")
        await expect(page.locator(".toast")).to_contain_text(f"Your reply to #{case.number}")
        await keys.press("j")
        assert keys.pressed - before <= 5
    await expect(page.locator("h1")).to_have_text(cases[10].subject)
    await keys.press("j")
    await expect(page.locator("#last-of-list")).to_contain_text("This is the last case of “Mine”.")
    await keys.press("Enter")
    await expect(page.locator(f"#case-{cases[10].number}[data-at-key]")).to_be_visible()
    await go_out()
    async with transaction(SYSTEM):
        said = await current().fetch("select text from message where text like 'jkpvsm%' order by id")
        assert [row["text"] for row in said] == [f"jkpvsm {case.subject}" for case in cases[:10]]


async def test_a_canned_reply_is_found_by_typing_and_a_sent_reply_comes_back_by_one_key(visitors: Visitors) -> None:
    """`/` and some letters offer a canned reply. A placeholder without a value is selected, so that typing replaces it.

    `Z` takes back the reply that was just sent: its text is in the field again, and the field has the focus.
    """
    async with transaction(INES):
        await CannedReply.create(CannedFacts(name="Restart", text="Hello {first name}, restart {service}."), INES)
        case = await Case.open(by=INES, contact_id=ADA.id, subject="VPN", text="x", case_type_id=INCIDENT, at=NOW)
        await case.change_facts(by=INES, at=NOW, service_id=None)
    page = await visitors.signed_in(INES.email)
    await page.goto(f"/agent/cases/{case.number}")
    body = page.locator("#body")
    await page.keyboard.press("r")
    await page.keyboard.type("See https://a/b. /rest")
    await expect(page.locator("#mentions [role=option]")).to_contain_text(["Restart"])
    await page.keyboard.press("Enter")
    await page.keyboard.type("the router")
    await expect(body).to_have_value("See https://a/b. Hello Ada, restart the router.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".outgoing")).to_contain_text("Hello Ada, restart the router.")
    await page.keyboard.press("z")
    await expect(body).to_be_focused()
    await expect(body).to_have_value("See https://a/b. Hello Ada, restart the router.")
    await expect(page.locator(".outgoing")).to_have_count(0)


async def test_a_case_changes_by_one_key_each_without_leaving_the_page(visitors: Visitors) -> None:
    """S3.8, S3.9, S3.19: `M` takes the case, `V` assigns it to a colleague, and `P` and `S` set priority and status.

    All this happens without leaving the page, and a half-written reply stays in its field.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN", text="Help.", case_type_id=INCIDENT, at=NOW)
    page = await visitors.signed_in(INES.email)
    await page.goto(f"/agent/cases/{case.number}?view=all")
    await page.locator("#body").fill("Half a thought")
    await page.keyboard.press("Escape")
    head = page.locator("#case-head")
    await page.keyboard.press("m")
    await expect(head.locator(".person")).to_contain_text("Ines Okafor")
    await page.keyboard.press("p")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(head.locator(".priority")).to_contain_text("High")
    await page.keyboard.press("v")
    await page.keyboard.type("max h")
    await page.keyboard.press("Enter")
    await expect(head.locator(".person")).to_contain_text("Max Herrmann")
    await page.keyboard.press("s")
    await page.keyboard.press("Enter")
    await expect(page.locator("#feed")).to_contain_text("set the status to")
    await expect(page.locator("#body")).to_have_value("Half a thought")
    async with transaction(INES):
        found = await Case.find(case.number, INES)
        assert (found.agent_id, found.priority, found.stands is Status.NEW) == (MAX.id, 3, False)


SEEN = """() => [...document.querySelectorAll('.cases td.line a')].map(link => {
    const range = new Range(), text = link.lastChild, edge = link.getBoundingClientRect().right;
    range.selectNodeContents(text);
    if (range.getBoundingClientRect().right <= edge) return text.length;
    for (let end = 1; end <= text.length; end++) {
        range.setEnd(text, end);
        if (range.getBoundingClientRect().right > edge) return end - 1;
    }
})"""
"""A script that returns how many letters of each subject in the list are seen."""


async def test_the_list_shows_the_subject_beside_long_names_and_many_tags(visitors: Visitors) -> None:
    """At 1440 px at least 45 letters of each subject are seen, and the list scrolls sideways at no width.

    The customer and the agent have long names; one case is unread and has one tag, the other has three.
    """
    long = "The accounting software of the branch does not start after the update of last night"
    async with transaction(NOOR) as tx:
        await tx.execute(
            "update customer set name = 'Rheinisch-Westfälische Wasserwerksgesellschaft mbH' where id = $1", ACME
        )
        await tx.execute("update agent set name = 'Alexandra Papadopoulos-Zimmermann' where id = $1", INES.id)
    for tags in (["on site"], ["server room", "needs a visit on site, second floor", "mail"]):
        async with transaction(ADA):
            case = await Case.open(by=ADA, subject=long, text="x", case_type_id=INCIDENT, priority=2, at=NOW)
        async with transaction(INES):
            await (await Case.find(case.number, INES)).take(by=INES, at=NOW)
        await tagged(case, *tags)
    page = await visitors.signed_in(INES.email)
    await page.goto("/agent/cases?view=all")
    seen = await page.evaluate(SEEN)
    assert len(seen) == 2
    assert min(seen) >= 45
    await expect(page.locator(".cases .tags")).to_contain_text(["+1", "on site"])
    for width in (390, 768, 1024, 1120, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth"), width
        assert min(await page.evaluate(SEEN)) >= (20 if width == 1120 else 30), width


async def test_a_case_of_a_colleague_is_taken_over_on_the_form_that_names_them(visitors: Visitors) -> None:
    """S3.8: `M` opens a page that names the agent who has the case; Enter takes the case over."""
    async with transaction(INES):
        case = await Case.open(
            by=INES, contact_id=ADA.id, subject="VPN", text="x", case_type_id=INCIDENT, at=NOW, taken=True
        )
    page = await visitors.signed_in(MAX.email)
    await page.goto(f"/agent/cases/{case.number}?view=all")
    await page.keyboard.press("m")
    await expect(page.get_by_text("Ines Okafor has this case.")).to_be_visible()
    await expect(page.get_by_role("button", name="Take it over")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#case-head .person")).to_contain_text("Max Herrmann")


async def test_snooze_and_changes_of_many_cases_work_by_keyboard(visitors: Visitors) -> None:
    """On a case, `Z` opens the snooze menu with the focus on *Tomorrow*; after a choice, another `Z` ends the snooze.

    The half-written reply and the links to the other cases of the list stay. On a list, `P` leads to a field for the
    new priority of the ticked cases, in which nothing is chosen yet.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN drops", text="x", case_type_id=INCIDENT, priority=2, at=NOW)
    page = await visitors.signed_in(INES.email)
    await page.goto("/agent/cases?view=all")
    await page.locator(f"#case-{case.number} td.line a").click()
    walk = page.get_by_role("navigation", name="Cases of the list")
    await expect(walk).to_be_visible()
    await page.locator("#body").fill("Half a thought")
    await page.keyboard.press("Escape")
    await page.keyboard.press("z")
    await expect(page.get_by_role("button", name="Tomorrow")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("button", name="In two days")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#details")).to_contain_text("Snoozed until")
    await expect(page.locator(".toast")).to_contain_text("Snoozed.")
    await expect(page.locator("#body")).to_have_value("Half a thought")
    await expect(walk).to_be_visible()
    await page.keyboard.press("z")
    await expect(page.locator("#feed")).to_contain_text("ended the snooze")
    await expect(page.locator("#details")).not_to_contain_text("Snoozed until")
    await expect(walk).to_be_visible()
    await page.keyboard.press("z")
    await page.get_by_role("link", name="Pick a day").click()
    await expect(page.get_by_role("button", name="Tomorrow")).to_be_focused()
    await page.get_by_role("link", name="Cancel").click()
    await expect(walk).to_be_visible()
    await page.goto("/agent/cases?view=all")
    await page.locator(f"#case-{case.number} .tick input").check()
    await page.keyboard.press("p")
    choice = page.get_by_label("New priority")
    await expect(choice).to_be_focused()
    await expect(choice).to_have_value("")


OVERLAPPING = """() => {
    const shown = (node) => node.checkVisibility() && !node.closest("[popover]");
    const boxes = [...document.querySelectorAll(".agent-bar :is(a, button)")].filter(shown).map((node) => node.getBoundingClientRect());
    const overlap = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1;
    return boxes.some((one, place) => boxes.slice(place + 1).some((other) => overlap(one, other)));
}"""
"""A script that returns whether controls of the bar overlap."""


async def test_the_bar_shows_a_running_and_a_paused_timer_on_narrow_pages(visitors: Visitors) -> None:
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN drops", text="x", case_type_id=INCIDENT, priority=2, at=NOW)
        other = await Case.open(by=ADA, subject="Printer jams", text="x", case_type_id=INCIDENT, priority=2, at=NOW)
    page = await visitors.signed_in(INES.email)
    for number in (case.number, other.number):
        await page.goto(f"/agent/cases/{number}")
        await page.keyboard.press("t")
        await expect(page.locator("#timer-bar time[data-since]")).to_be_visible()
        await page.reload()
    await page.goto(f"/agent/cases/{case.number}")
    await expect(page.get_by_role("button", name="Start here")).to_be_visible()
    for width in (390, 800, 900, 1024):
        await page.set_viewport_size({"width": width, "height": 900})
        assert not await page.evaluate(OVERLAPPING), width
