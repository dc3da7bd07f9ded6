"""Test in a browser that a customer's administrator can manage the customer's contacts alone."""

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Visitors
from tests.e2e.test_pages import faults_of
from tests.world import ADA

pytestmark = pytest.mark.slow

CHOSEN = "a horse that reads the manual"


@pytest.mark.parametrize("served_with", [{"PORTAL_SMTP_URL": ""}], ids=["without a mail server"])
async def test_an_administrator_invites_grades_and_ends_a_colleague(visitors: Visitors) -> None:
    """S3.15, R7: Ada, Acme's administrator, invites Bea, then lets her see invoices, and later ends her access.

    Each change takes effect on the next page that Bea opens.
    """
    ada = await visitors.signed_in(ADA.email)
    await ada.get_by_role("link", name="Contacts").click()
    await ada.get_by_role("link", name="New contact").click()
    await ada.get_by_label("Name").fill("Bea Blum")
    await ada.get_by_label("Mail address").fill("bea@acme.example")
    await ada.get_by_role("button", name="Add contact").click()
    link = await ada.locator("#link").input_value()
    assert await faults_of(ada, "invited") == []

    bea = await visitors.page(width=390, dark=True)
    await bea.goto(link)
    await bea.locator("[name=password]").fill(CHOSEN)
    await bea.locator("[name=again]").fill(CHOSEN)
    await bea.get_by_role("button", name="Save password and sign in").click()
    await expect(bea.get_by_role("link", name="New case").first).to_be_visible()
    await expect(bea.get_by_role("link", name="Invoices", exact=True)).to_have_count(0)

    await ada.get_by_role("link", name="Contacts").first.click()
    await ada.get_by_role("link", name="Bea Blum").click()
    await ada.get_by_label("Sees invoices").check()
    await ada.get_by_role("button", name="Save contact").click()
    await bea.goto("/invoices")
    await expect(bea.get_by_role("heading", level=1)).to_have_text("Invoices")

    await ada.get_by_role("link", name="Contacts").first.click()
    await ada.get_by_role("link", name="Bea Blum").click()
    await ada.get_by_role("link", name="End", exact=True).click()
    await ada.get_by_role("button", name="End Bea Blum").click()
    await bea.goto("/invoices")
    await expect(bea.get_by_role("heading", level=1)).to_contain_text("Sign in")
