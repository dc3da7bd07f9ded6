"""Test the print style sheet: buttons are not printed, and folded details are printed open."""

import pytest
from playwright.async_api import expect

from portal import billing
from portal.database import transaction
from portal.desk import Case
from tests.billing.work import NOVEMBER, a_case, log
from tests.e2e.conftest import Visitors
from tests.world import ACME, ADA, INCIDENT, INES, MAX, NOW


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


@pytest.mark.slow
async def test_the_printed_list_shows_subjects_and_late_cases_in_dark_letters(visitors: Visitors) -> None:
    """On A4, the list shows whole subjects, and late cases in dark letters, because backgrounds are not printed.

    On screens from 1120 to 1366 px, a subject has at least 260 px.
    """
    subject = "The accounting software of the branch does not start after the update"
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject=subject, text="x", case_type_id=INCIDENT, priority=2, at=NOW)
    page = await visitors.signed_in(INES.email, width=658)  # A4 without its margins
    await page.emulate_media(media="print")
    await page.goto("/agent/cases?view=all")
    link = page.locator(f"#case-{case.number} td.line a")
    assert await link.evaluate("link => link.getBoundingClientRect().width") > 140
    assert await link.evaluate("link => link.scrollWidth <= link.clientWidth || link.clientWidth === 0")
    assert await link.evaluate("link => link.closest('td').scrollWidth <= link.closest('td').clientWidth")
    dark = await link.evaluate("link => getComputedStyle(link).color")
    chip = await link.evaluate("""link => {
        const chip = document.createElement('span');
        chip.className = 'chip late';
        link.closest('tr').append(chip);
        return getComputedStyle(chip).color;
    }""")
    assert chip == dark
    await expect(page.locator(".cases .tick").first).to_be_hidden()
    await page.emulate_media(media="screen")
    for width in (1120, 1180, 1280, 1366):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.reload()
        wide = "() => document.querySelector('.cases td.line').getBoundingClientRect().width"
        assert await page.evaluate(wide) >= 260, width


async def test_a_statement_is_printed_with_both_names_and_its_sums_alone(visitors: Visitors) -> None:
    """D30: a printed statement names company and customer and shows its time and sums, but no navigation or links."""
    async with transaction(MAX):
        entry = await log(30, billing="no_charge", comment="Gateway renewed")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    page = await visitors.signed_in(ADA.email)
    await page.goto(f"/statements/{run.statement_ids[0]}")
    names = page.get_by_text("Halden IT · Statement for Acme")
    await expect(names).to_be_hidden()
    await page.emulate_media(media="print")
    await expect(names).to_be_visible()
    await expect(page.get_by_text("Gateway renewed")).to_be_visible()
    await expect(page.get_by_text("No charge", exact=True)).to_be_visible()
    for hidden in ("Time detail (CSV)", "Ask about this", "Invoices"):
        await expect(page.get_by_text(hidden).first).to_be_hidden()
