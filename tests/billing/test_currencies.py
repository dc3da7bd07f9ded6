"""Test money in currencies without decimals and with three: what forms refuse, what is shown, and sums to the last digit."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import Chosen, ExtraLineFacts, PaymentFacts
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.price_list.products import Product, ProductFacts, ProductPriceFacts
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.contracts.prices.changes import PriceChange, PriceFacts
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.rates import Rate, RateFacts
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.errors import Invalid
from portal.money import digits_of
from portal.people.agents import Agent
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.people.working.costs import CostRate, CostRateFacts
from portal.regions import currencies
from portal.render import formats
from portal.web.gate import Gate
from tests.billing.test_issuing_persistence import pdf_of, text_of
from tests.billing.test_prepaid_persistence import a_voucher, approved
from tests.browser import Browser
from tests.world import ACME, ADA, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

TOO_FINE = {"JPY": "no decimals", "KWD": "at most 3 decimals"}
"""What the error message says of an amount with too many decimals."""
FINE = {"JPY": "1000", "KWD": "100.125"}
BAD = {"JPY": "1000.5", "KWD": "100.1255"}


@contextmanager
def refused(code: str, field: str) -> Iterator[None]:
    with pytest.raises(Invalid) as refusal:
        yield
    assert TOO_FINE[code] in refusal.value.fields[field], refusal.value.fields


def plan_facts(fee: str, **facts: str) -> ServiceFacts:
    return ServiceFacts(
        name="Plan", fee=fee, included="1h", settlement="subscription", effective_start="2026-10-01", **facts
    )


async def a_contract(code: str) -> Contract:
    facts = ContractFacts(name=f"In {code}", start_on="2026-01-01", currency=code, vat_rate="7.7")
    return await Contract.create(await Customer.find(ACME, SYSTEM), facts, NOW)


@pytest.mark.parametrize("code", FINE)
async def test_every_form_of_money_refuses_more_decimals_than_its_currency_has(code: str) -> None:
    """S0.10, S4.7: a fee, price, budget, line or payment with too many decimals is refused at its field."""
    fine, bad = FINE[code], BAD[code]
    async with transaction(NOOR):
        contract = await a_contract(code)
        with refused(code, "fee"):
            await Service.create(contract, plan_facts(bad), NOW)
        plan = await Service.create(contract, plan_facts(fine), NOW)
        with refused(code, "fee"):
            await plan.change(plan_facts(bad))
        with refused(code, "fee"):
            facts = PriceFacts(effective_from="2026-11-10", fee=bad, included="1h")
            await PriceChange.create(plan, contract, facts, NOW)
        with refused(code, "price"):
            await a_voucher(plan.id, price=bad)
        with refused(code, "fixed_fee"):
            await Task.create(plan, TaskFacts(name="Travel", fixed_fee=bad))
        with refused(code, "budget_amount"):
            project = ProjectFacts(name="Move", service_id=str(plan.id), budget_amount=bad)
            await Project.create(await Customer.find(ACME, SYSTEM), project, NOW)
        with refused(code, "price"):
            await (await Product.create(ProductFacts(name="Router"))).set_price(
                ProductPriceFacts(price=bad, currency=code)
            )
        template = {"name": "Care", "settlement": "subscription", "included": "1h", "currency": code}
        with refused(code, "fee"):
            await ServiceTemplate.create(TemplateFacts(**template, fee=bad))
        with refused(code, "voucher_price"):
            template |= {"settlement": "voucher", "voucher_hours": "10h"}
            await ServiceTemplate.create(TemplateFacts(**template, voucher_price=bad))
        run = await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW)
        assert run
        draft = await billing.hold_draft(run.draft_ids[0], MAX)
        for what in ("charge", "discount"):
            with refused(code, "amount"):
                line = ExtraLineFacts(what=what, service=plan.id, label="Cable", amount=bad)
                await billing.add_line(draft, line, by=MAX, at=NOW)
        invoice = await billing.issue(draft.id, by=MAX, at=NOW)
        with refused(code, "amount"):
            await billing.record_payment(invoice, PaymentFacts(amount=bad, paid_on="2026-11-18"), by=MAX, at=NOW)
        assert await billing.violations() == {}


@pytest.mark.parametrize(
    ("code", "nets", "sums", "shown"),
    [
        # A fee for each of two months, 40 minutes beyond the included hour at 4,000.5 an hour, 50 minutes at 3,333.3333 an hour,
        # a voucher and a discount.
        ("JPY", [1000, 1000, 2667, 2778, 500, -50], ("7895", "608", "8503"), "8,503"),
        ("KWD", ["100.125", "100.125", "2667.000", "2777.778", "500.005", "-50.005"], ("6095.028", "469.317", "6564.345"), "6,564.345"),
    ],
)  # fmt: skip
async def test_an_invoice_its_credits_and_its_payments_sum_to_the_last_digit(
    app: Gate, code: str, nets: list[str], sums: tuple[str, str, str], shown: str
) -> None:
    """S0.10, D41: fees, hours, vouchers, discounts, VAT, a credit and payments have the decimals of the currency everywhere."""
    digits = digits_of(code)
    async with transaction(NOOR):
        contract = await a_contract(code)
        plan = await Service.create(contract, plan_facts(FINE[code], overage_rate="4000.5", rollup="none"), NOW)
        hours = await Service.create(
            contract, ServiceFacts(name="Hours", effective_start="2026-01-01", rollup="none"), NOW
        )
        await Rate.create(
            RateFacts(hourly_rate="3333.3333", currency=code, effective_from="2026-01-01", service_id=str(hours.id)),
            NOW,
        )
        await CostRate.create(
            await Agent.find(INES.id),
            CostRateFacts(hourly_cost="1000.5", currency=code, effective_from="2026-01-01"),
            NOW,
        )
        await a_voucher(plan.id, hours="10h", price="500.005" if digits else "500", valid_from="2026-11-01")
        await approved(100, service=plan.id, counted=100)
        await approved(50, service=hours.id)
        run = await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW)
        assert run
        draft = await billing.hold_draft(run.draft_ids[0], MAX)
        discount = ExtraLineFacts(
            what="discount", service=plan.id, label="Loyalty", amount="50.005" if digits else "50"
        )
        await billing.add_line(draft, discount, by=MAX, at=NOW)
        invoice = await billing.issue(draft.id, by=MAX, at=NOW)
        lines = (await billing.contents_of(invoice)).lines
        assert [line.net for line in lines] == [Decimal(net) for net in nets]
        assert (invoice.net, invoice.tax, invoice.gross) == tuple(map(Decimal, sums))
        rows = csv.DictReader(io.StringIO((await billing.stored("csv", invoice)).decode("utf-8-sig")))
        amounts = [Decimal(row["Amount"]) for row in rows]
        assert (sum(amounts), {amount.as_tuple().exponent for amount in amounts}) == (invoice.net, {-digits})
        assert shown in text_of(await pdf_of(invoice))
        await billing.record_payment(
            invoice, PaymentFacts(amount=f"{invoice.gross:.{digits}f}", paid_on="2026-11-18"), by=MAX, at=NOW
        )
        part = Decimal(1).scaleb(-digits)
        for chosen in (Chosen(amounts={1: part}), Chosen(everything=True)):
            await billing.issue_credit(invoice, chosen, reason="Agreed.", freed=False, by=MAX, at=NOW)
        assert (await billing.balance_of(invoice))["open"] == -invoice.gross
        assert await billing.violations() == {}
    for reader, place in ((MAX, f"/agent/invoices/{invoice.number}"), (ADA, f"/invoices/{invoice.number}")):
        async with await Browser.of(app, reader, at=NOW) as browser:
            page = (await browser.get(place)).text
            assert shown in page
            assert f"{invoice.gross}" not in page


async def test_pages_show_the_decimals_that_the_database_stores() -> None:
    """S0.10: for each currency that forms offer, pages, files and the database agree on how many decimals it has."""
    async with transaction(SYSTEM):
        stored = dict(
            await current().fetch("select c, currency_digits(c) from unnest($1::text[]) as c", list(currencies()))
        )
    for code, digits in stored.items():
        least = Decimal(1).scaleb(-digits)
        assert digits == digits_of(code)
        assert formats.amount(1 + least, code) == f"{1 + least}"
        assert formats.money(1 + least, code).endswith(f"{1 + least}"), code
