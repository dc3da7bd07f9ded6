"""Test the way from a case to an invoice with the plain HTML forms of the pages: no step needs JavaScript."""

import re
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect

from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.browser import Browser
from tests.desk.held import go_out
from tests.e2e.conftest import Visitors
from tests.forms import form_of, send
from tests.places import furnished
from tests.world import ADA, INES, MAX, NOW, PASSWORD

LOG = ("client.log", b"08:12 started\n", "text/plain")


async def after(browser: Browser, answer: httpx.Response) -> httpx.Response:
    """Follow the redirect of an accepted form, and return the response with the page."""
    assert answer.status_code == 303, answer.text
    return await browser.get(answer.headers["location"].partition("#")[0])


@pytest.mark.slow
@pytest.mark.usefixtures("clock")
async def test_the_main_job_is_done_by_plain_forms(app: Gate) -> None:
    """S3.47: without JavaScript, every step from a case to an issued invoice can be done with the pages' forms."""
    ines, max_ = await Browser.of(app, INES, at=NOW), await Browser.of(app, MAX, at=NOW)
    async with Browser(app) as ada, ines, max_:
        typed = {"email": ADA.email, "password": PASSWORD}
        home = await after(ada, await send(ada, await ada.get("/sign-in"), "/sign-in", **typed))
        assert "Ada" in home.text
        new = await ada.get("/cases/new")
        typed = {"subject": "VPN drops", "body": "Since **Tuesday**."}
        case = await after(ada, await send(ada, new, "/cases/new", files=[("files", LOG)], **typed))
        assert "client.log" in case.text
        assert "<strong>Tuesday</strong>" in case.text
        address = case.url.path
        case = await after(
            ada, await send(ada, case, f"{address}/replies", body="And on Wednesday.", files=[("files", LOG)])
        )
        assert "And on Wednesday." in case.text

        listed = await ines.get("/agent/cases?view=unassigned")
        here = f"/agent{address}"
        assert f'href="{here}"' in listed.text
        page = await after(ines, await send(ines, await ines.get(here), f"{here}/assignment"))
        page = await after(
            ines, await send(ines, page, f"{here}/notes", body="An old gateway.", files=[("files", LOG)])
        )
        page = await after(ines, await send(ines, page, f"{here}/replies", body="We look into it.", then="wait"))
        assert "Take it back" in page.text
        await go_out(NOW + timedelta(seconds=10))
        assert "Waiting for customer" in (await ines.get(here)).text
        for typed in (
            {"duration": "1h 30m", "external_comment": "Certificate renewed"},
            {"duration": "0:20", "billing": "not_billable"},
        ):
            form = await ines.get(f"/agent/time/new?on=case-{address.rpartition('/')[2]}")
            page = await after(ines, await send(ines, form, "/agent/time/new", **typed))
        assert page.text.count('class="entry"') == 2
        own = await ines.get("/agent/time")
        first, second = sorted(form_of(own.text, "/agent/time/submission").offered["entry"], key=int)
        own = await after(ines, await send(ines, own, "/agent/time/submission", entry=[first, second]))
        assert own.text.count(">Submitted</span>") == 2
        assert "We look into it." in (await ada.get(address)).text

        waiting = await max_.get("/agent/approvals")
        choices = {
            choice.partition(":")[0]: choice for choice in form_of(waiting.text, "/agent/approvals").offered["entry"]
        }
        waiting = await after(max_, await send(max_, waiting, "/agent/approvals", entry=[choices[first]]))
        waiting = await after(
            max_, await send(max_, waiting, "/agent/rejections", entry=[choices[second]], reason="For whom?")
        )
        assert "Nothing waits for you" in waiting.text
        assert "For whom?" in (await ines.get("/agent/time")).text
        preview = await max_.get(f"/agent/billing?until={(NOW + timedelta(days=1)).date()}")
        run = await after(max_, await send(max_, preview, "/agent/billing/runs"))
        found = re.search(r"/agent/drafts/\d+", run.text)
        assert found
        draft = await max_.get(found[0])
        issued = await after(max_, await send(max_, draft, f"{found[0]}/issue"))
        assert "2026-0147" in issued.text
        assert "2026-0147" in (await ada.get("/invoices")).text
        assert "180.00" in (await ada.get("/invoices/2026-0147")).text
        assert (await send(ada, await ada.get("/cases"), "/sign-out")).headers["location"] == "/sign-in"


@pytest.mark.slow
async def test_what_opens_by_script_stands_in_the_page_without_one(visitors: Visitors, settings: Settings) -> None:
    """Without JavaScript, pages show the menus and dialog forms that scripts otherwise open."""
    places = await furnished(open_storage(settings.storage_url))
    page = await visitors.signed_in("max@desk.example", javascript=False)
    await page.goto(places.address("/agent/drafts/{draft_id}"))
    await expect(page.get_by_role("button", name="Issue", exact=True)).to_be_visible()
    await page.goto("/agent/approvals")
    await expect(page.locator("[name=reason]")).to_be_visible()
    await page.goto(places.address("/agent/cases/{number}"))
    await page.get_by_role("button", name="Status").click()
    await page.locator("#status-menu").get_by_role("button", name="Resolved").click()
    await expect(page.locator("#case-head .status")).to_have_text("Resolved")
