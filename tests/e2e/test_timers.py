"""Test an agent's day with timers in a browser: by keyboard, in two tabs, with the browser closed, and on a phone."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from portal.people.readers import SYSTEM
from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.e2e.test_logging import at, violations
from tests.world import INES

pytestmark = pytest.mark.slow
RUNNING = "#timer-bar time[data-since]"


async def rows(table: str) -> list[Any]:
    async with transaction(SYSTEM) as tx:
        return list(await tx.fetch(f"select * from {table} order by id"))


async def back(minutes: int) -> None:
    """Move the start of the running timer this many minutes into the past."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update timer_segment set began_at = began_at - $1 * interval '1 minute' where ended_at is null", minutes
        )


async def seconds(page: Page) -> int:
    """Return the time of the running timer that the bar of the page shows, in seconds."""
    hours, minutes, rest = (await page.locator(RUNNING).inner_text()).split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


async def test_an_agents_day_with_timers(visitors: Visitors) -> None:
    """S1.3, D54: Ines starts a timer by one key, attaches it to a case, starts another one, and closes the browser.

    The second timer keeps running; she logs its time and undoes that. Her two tabs show the same second, and a change
    in one tab appears in the other; a half-written reply stays.
    """
    first, second = await open_case("VPN drops"), await open_case("Printer jams")
    page, keys, panel = await at(visitors, "/agent/cases")
    await keys.press("t")
    await expect(page.locator(RUNNING)).to_be_visible()
    other = await page.context.new_page()
    await other.goto(f"/agent/cases/{first.number}")
    await expect(other.locator(RUNNING)).to_be_visible()
    await expect(page.locator(RUNNING)).not_to_have_text("0:00:00")
    for _ in range(8):
        here, there = await seconds(page), await seconds(other)
        assert abs(here - there) <= (here != await seconds(page)), "the same second, unless it passed between two looks"
        await page.wait_for_timeout(180)

    await other.locator("#body").fill("Half a thought")
    await other.locator("#timer-bar .timer-more").click()
    assert await violations(other) == []
    await other.get_by_role("button", name=f"Attach it to #{first.number}").click()
    await expect(page.locator("#timer-bar .timer-face")).to_contain_text("VPN drops")
    await expect(other.locator("#body")).to_have_value("Half a thought")

    await page.goto(f"/agent/cases/{second.number}")
    await expect(page.get_by_role("button", name="Start here")).to_be_visible()
    await page.locator("#main").press("t")
    await expect(other.locator("#timer-bar .timer-face")).to_contain_text("Printer jams")
    await expect(other.locator("#timer-bar .timer-more")).to_contain_text("1")
    assert [row["ended_at"] is None for row in await rows("timer_segment")] == [False, True]

    state = await page.context.storage_state()
    await page.context.close()
    await back(25)
    anew = await visitors.browser.new_context(base_url=visitors.url, storage_state=state)
    visitors.contexts.append(anew)
    page = await anew.new_page()
    await page.goto(f"/agent/cases/{second.number}")
    await expect(page.locator(RUNNING)).to_have_text(re.compile(r"^0:25:\d\d$"))
    panel = page.locator("#log-panel")
    await expect(page.locator("#timer-bar form[data-htmx-powered]").first).to_be_attached()
    await page.locator("#main").press("t")
    await expect(panel.get_by_label("Duration")).to_have_value(re.compile("^25|^26"))
    await expect(page.locator(RUNNING)).to_be_hidden()
    assert await violations(page) == []
    await panel.get_by_label("External comment").fill("Rollers cleaned")
    await page.keyboard.press("Control+Enter")
    await expect(panel).to_be_hidden()
    await expect(page.locator("#toasts")).to_contain_text(f"logged on #{second.number}.")
    (entry,) = await rows("time_entry")
    assert (entry["case_id"], entry["actual_minutes"] in (25, 26), entry["started_at"] is None) == (
        second.id,
        True,
        False,
    )
    await page.keyboard.press("z")
    await expect(page.locator("#timer-bar .timer-more")).to_contain_text("2")
    assert await rows("time_entry") == []


async def test_a_forgotten_timer_is_asked_about_on_a_phone(visitors: Visitors) -> None:
    """D54: at 390 px, the question whether Ines has forgotten a timer, running for eleven hours, fits the screen.

    Her answer *Keep 30 min* opens the time panel with a duration of 30 minutes.
    """
    page, _, panel = await at(visitors, "/agent/cases", width=390)
    await page.get_by_role("button", name="Start timer").click()
    await expect(page.locator(RUNNING)).to_be_visible()
    await back(11 * 60)
    await page.reload()
    question = page.get_by_role("region", name="A timer that may be forgotten")
    await expect(question).to_contain_text("is running since")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await violations(page) == []
    await question.get_by_role("button", name="Keep 30").click()
    await expect(panel.get_by_label("Duration")).to_have_value("30\xa0min")
    await expect(question).to_be_hidden()


async def test_timers_work_without_javascript(visitors: Visitors) -> None:
    """Without JavaScript, Ines starts, pauses, resumes and stops a timer on a case and logs its time by plain forms."""
    case = await open_case("VPN drops")
    page = await visitors.signed_in(INES.email, javascript=False)
    await page.goto(f"/agent/cases/{case.number}")
    await page.get_by_role("button", name="Start timer").click()
    await expect(page).to_have_url(re.compile(f"/agent/cases/{case.number}$"))
    await page.get_by_role("button", name="Pause the timer").click()
    await page.locator("#timer-bar .timer-more").click()
    await page.get_by_role("button", name=re.compile(f"#{case.number} VPN drops")).click()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_label("Duration")).to_have_value("1\xa0min")
    await page.locator("form#log-time").get_by_role("button", name="Log time").click()
    await expect(page).to_have_url(re.compile(f"/agent/cases/{case.number}"))
    assert [(row["case_id"], row["actual_minutes"]) for row in await rows("time_entry")] == [(case.id, 1)]
    assert [row["ended_at"] is None for row in await rows("timer")] == [False]
