"""Test the print style sheet: buttons are not printed, and folded details are printed open."""

import pytest
from playwright.async_api import expect

from portal import billing
from portal.database import transaction
from tests.billing.work import NOVEMBER, a_case, log
from tests.e2e.conftest import Visitors
from tests.world import ACME, ADA, MAX, NOW


@pytest.mark.slow
async def test_an_invoice_is_printed_with_its_reasons_and_a_case_without_its_verbs(visitors: Visitors) -> None:
    """A printed invoice shows the work that is folded below its lines on screen; a printed case has no buttons."""
    async with transaction(MAX):
        case = await a_case()
        await billing.approve([(await log(60, comment="Gateway renewed")).choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    page = await visitors.signed_in(ADA.email)
    await page.goto(f"/invoices/{invoice.number}")
    reason = page.get_by_text("Gateway renewed")
    await expect(reason).to_be_hidden()
    await page.evaluate("dispatchEvent(new Event('beforeprint'))")
    await expect(reason).to_be_visible()
    await page.evaluate("dispatchEvent(new Event('afterprint'))")
    await expect(reason).to_be_hidden()
    await page.goto(f"/cases/{case['number']}")
    closing = page.get_by_role("button", name="Close this case")
    await expect(closing).to_be_visible()
    await page.emulate_media(media="print")
    await expect(closing).to_be_hidden()
