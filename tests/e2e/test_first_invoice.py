"""Test in a browser that the pages alone lead one admin from an empty database to the first invoice."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import Visitors
from tests.e2e.test_main_job import ZONE, dsn, fill, picture, press

pytestmark = pytest.mark.slow
__all__ = ["dsn"]


async def next_step(page: Page, left: int, verb: str) -> None:
    """Open the set-up from the navigation, check that `left` steps are left, and press the button labelled `verb`."""
    await page.locator("#rail").get_by_role("link", name="Set-up").click()
    await expect(page.locator("#first-steps .chip:not(.good)")).to_have_count(left)
    await press(page, verb, ".page-head")


async def test_an_admin_gets_from_an_empty_database_to_the_first_invoice(visitors: Visitors) -> None:
    """Noor signs in and follows the first steps, one button after the other, up to an issued invoice.

    She adds one colleague, logs an hour for the colleague, approves the hour, and bills it on the same day. Then the
    list of steps is gone, and the portal opens with the cases.
    """
    page = await visitors.signed_in("noor@desk.example")
    await expect(page).to_have_url(re.compile("/agent/setup$"))
    await picture(page, "first-steps")
    await press(page, "Set up the company")
    await fill(
        page, name="Halden IT", street="Hafenstraße 7", postcode="20457", city="Hamburg", country="DE", vat_id="DE100000008",
        email="office@desk.example", bank_name="Hanse Bank", iban="DE02 1203 0000 0000 2020 51", vat_rate="19", time_zone=ZONE,
        first_number="2026-0147",
    )  # fmt: skip
    await press(page, "Save company")
    await next_step(page, 9, "Add a role")
    await fill(page, name="Consultant", hourly_rate="95")
    await press(page, "Add role")
    await next_step(page, 8, "Add an agent")
    await fill(page, name="Max Herrmann", email="max@desk.example", grade="manager", role_id="Consultant")
    await press(page, "Add agent")
    await next_step(page, 7, "Add a customer")
    await fill(page, name="Acme", street="Speicherweg 12", postcode="20457", city="Hamburg", country="DE")
    await press(page, "Add customer")
    await next_step(page, 6, "Go to the customer")
    await press(page, "Add a contract")
    await fill(page, name="Support 2026")
    await press(page, "Add contract")
    await fill(page, name="Helpdesk")
    await press(page, "Add service")
    await next_step(page, 5, "Add a contact")
    await fill(page, name="Ada Lindqvist", email="ada@acme.example", sees_invoices=True)
    await press(page, "Add contact")
    await next_step(page, 4, "Open a case")
    await a_case(page)
    await log_time(page)
    await next_step(page, 3, "Approve time")
    await page.get_by_label("Tick all").check()
    await press(page, "Approve 1")
    await expect(page.locator("main")).to_contain_text("Nothing waits for you")
    await next_step(page, 2, "Go to billing")
    await press(page, "Make 1")
    await next_step(page, 1, "Issue the invoice")
    await page.locator("#invoices").get_by_role("link", name="Acme").click()
    await press(page, "Issue for")
    await page.locator("dialog[open]").get_by_role("button", name="Issue").click()
    await expect(page.locator("h1")).to_have_text("Invoice 2026-0147")
    await expect(page.locator("#mails")).to_contain_text("ada@acme.example")
    await picture(page, "first-invoice")
    await page.locator("#rail").get_by_role("link", name="Set-up").click()
    await expect(page.locator("h1")).to_have_text("Set-up")
    await expect(page.locator("#first-steps")).to_have_count(0)
    await page.goto("/")
    await expect(page).to_have_url(re.compile("/agent/cases$"))


async def a_case(page: Page) -> None:
    """Open a case of the only contact."""
    await expect(page.locator("h1")).to_have_text("New case of Acme")
    await fill(page, "form[data-draft]", subject="VPN drops", body="Since Tuesday.", case_type="Incident")
    await press(page, "Open case")
    await expect(page.locator("#feed")).to_contain_text("Since Tuesday.")


async def log_time(page: Page) -> None:
    """On the page of the case, log an hour in the name of the colleague Max."""
    await page.locator("body").press("l")
    await page.locator("#log-time summary", has_text="Who, when, and what counts").click()
    await fill(page, "#log-time", duration="1h", external_comment="Gateway replaced", agent="Max Herrmann")
    await press(page, "Log time", "#log-time")
    await expect(page.locator("#feed .entry")).to_have_count(1)
