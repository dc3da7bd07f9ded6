"""Test the billing of a customer over a year, as the customer and a manager see it, in two browsers."""

import re
from datetime import UTC, date, datetime

import pytest
from playwright.async_api import expect

from portal import billing
from portal.database import transaction
from tests.billing.test_prepaid_persistence import PLAN, a_voucher
from tests.billing.work import a_service, log
from tests.e2e.conftest import Visitors
from tests.e2e.test_main_job import fill, press
from tests.world import ACME, ACME_CONTRACT, ADA, HELPDESK, MAX

pytestmark = pytest.mark.slow


async def the_year() -> list[str]:
    """Bill Acme's year in three runs, each on the second day of a quarter; return the numbers of the invoices.

    Acme has a subscription for 300.00 a month that includes two hours, a voucher of four hours, and time that is
    charged by the hour. The first invoice is paid in full, and half of the second.
    """
    terms = PLAN | {"effective_start": date(2026, 1, 1), "fee": 300, "included_minutes": 120}
    care = await a_service(ACME, ACME_CONTRACT, "Care", **terms)
    on_site = await a_service(ACME, ACME_CONTRACT, "On site", settlement="voucher", overflow="bill")
    await a_voucher(on_site, hours="4h", price="400", sold_on="2026-05-01")
    work = {4: [(care, 90, 2)], 7: [(care, 180, 5), (HELPDESK, 60, 6)], 10: [(on_site, 90, 8)]}
    numbers = []
    for month, logged in work.items():
        at = datetime(2026, month, 2, 8, tzinfo=UTC)
        for service, minutes, worked in logged:
            day = date(2026, worked, 12)
            entry = await log(minutes, service=service, on=day, comment=f"Work of month {worked}", at=at)
            await billing.approve([entry.choice], by=MAX, at=at)
        run = await billing.run(date(2026, month, 1), [ACME], by=MAX, at=at)
        assert run is not None
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=at)
        numbers.append(invoice.number)
        share = {4: 1, 7: 2}.get(month)
        if share:
            facts = billing.PaymentFacts(amount=f"{invoice.payable / share:.2f}", paid_on=f"2026-{month:02}-16")
            await billing.record_payment(invoice, facts, by=MAX, at=at.replace(day=17))
    return numbers


async def test_a_year_of_a_customer_is_seen_asked_about_credited_and_paid(visitors: Visitors) -> None:
    """S3.22, S3.23, D38: Ada reads her invoices and asks about an hour; Max credits this hour and records the payments.

    Both see the same sums: what was sold, what is left of the voucher, and what is owed. The books balance at the end.
    """
    async with transaction(MAX):
        _, second, third = await the_year()
    ada, max_ = await visitors.signed_in(ADA.email), await visitors.signed_in(MAX.email)
    await ada.goto("/hours")
    await expect(ada.locator("#hours")).to_contain_text("2 h 30 min left")
    await ada.goto("/invoices")
    rows = ada.locator("#invoices")
    await expect(rows.locator(".chip", has_text=re.compile("^Paid$"))).to_have_count(1)
    await expect(rows.locator(".chip", has_text="Partly paid, overdue")).to_have_count(1)
    await ada.goto(f"/invoices/{second}")
    await ada.locator(".why-amount summary").last.click()
    await ada.get_by_role("link", name=re.compile("Ask about")).last.click()
    await fill(ada, body="Was this hour not agreed to be free?")
    await press(ada, "Send question")
    await expect(ada.locator("#feed")).to_contain_text("Was this hour not agreed to be free?")

    await max_.goto(f"/agent/invoices/{second}")
    await max_.locator("#questions").get_by_role("link", name="Credit").click()
    await max_.get_by_label("Credit of Tue 12 May").last.fill("1h")
    await fill(max_, reason="It was agreed to be free.")
    await press(max_, "See what it credits")
    await max_.locator("#sums").get_by_role("button", name="Issue credit note").click()
    await expect(max_.locator("h1")).to_have_text("Credit note C-0001")
    for number in (second, third):
        await max_.goto(f"/agent/invoices/{number}")
        if number == second:
            await expect(max_.locator("#questions")).to_contain_text("credited by C-0001")
            await max_.locator("#record summary").click()
        await press(max_, "Record payment", "#payments")
        await expect(max_.locator("#payments .chip")).to_have_text("Paid")

    await ada.goto(f"/invoices/{second}")
    await expect(ada.locator("main")).to_contain_text("C-0001")
    await ada.goto("/invoices")
    await expect(rows.locator(".chip", has_text=re.compile("^Paid$"))).to_have_count(3)
    async with transaction(MAX):
        assert await billing.outstanding(ACME, MAX) == []
        assert await billing.violations() == {}
