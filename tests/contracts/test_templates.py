"""Test templates of services: how admins edit them, how they fill in forms, and which would have been cheapest."""

from datetime import date
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import compare, last_year
from portal.contracts.price_list.products import Product, ProductFacts
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import OCTOBER, log
from tests.browser import Browser
from tests.forms import form_of
from tests.people.test_people import but, refused
from tests.world import ACME, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

CARE = TemplateFacts(
    name="Care",
    currency="EUR",
    settlement="subscription",
    fee="20",
    included="2\N{NO-BREAK SPACE}h",
    stands_for="entitlement",
)
HOURS = TemplateFacts(name="Hours", currency="EUR", rounding_increment="60")


async def test_a_template_keeps_the_fields_of_a_service() -> None:
    """S3.25: a template stores the fields of a service's form; changing it replaces all of them.

    If the product of a template has ended, the template keeps it, but other templates cannot choose it.
    """
    async with transaction(NOOR):
        care = await ServiceTemplate.create(CARE)
        assert care.facts == (await ServiceTemplate.find(care.id)).facts == CARE
        router = await Product.create(ProductFacts(name="Router"))
        await care.change(but(CARE, product_id=str(router.id)))
        await router.end(NOW)
        care = await ServiceTemplate.find(care.id)
        await care.change(but(CARE, fee="25", cycle="quarterly", product_id=str(router.id)))
        await refused(ServiceTemplate.create(but(CARE, name="Other", product_id=str(router.id))), "product_id")
        again = await ServiceTemplate.find(care.id)
        assert (again.facts.fee, again.cycle, again.paid_by) == ("25", "quarterly", "Subscription")
        assert again.service_fields["fee"] == "25"
        assert not {"currency", "cycle", "voucher_hours"} & again.service_fields.keys()


async def test_a_template_stores_what_was_understood_and_nothing_else() -> None:
    """A template drops fields that its settlement does not need, and stores the others in normal form."""
    async with transaction(NOOR):
        typed = but(
            HOURS, fee="whatever", exemption_reason="not needed", effective_start="2026-01-01", voucher_hours="x"
        )
        assert (await ServiceTemplate.create(typed)).facts == HOURS
        voucher = but(HOURS, name="Voucher", settlement="voucher", voucher_hours="10:00", voucher_price="900,5")
        facts = (await ServiceTemplate.create(voucher)).facts
        assert (facts.voucher_hours, facts.voucher_price) == ("10\N{NO-BREAK SPACE}h", "900.50")


async def test_a_template_with_a_mistake_is_refused_field_by_field() -> None:
    async with transaction(NOOR):
        await ServiceTemplate.create(CARE)
        await refused(ServiceTemplate.create(but(CARE, name="CARE")), "name")
        await refused(ServiceTemplate.create(but(CARE, name="", fee="dear", currency="XXX")), "name", "fee", "currency")
        await refused(ServiceTemplate.create(but(CARE, name="x", cycle="daily")), "cycle")
        voucher = but(CARE, name="x", settlement="voucher", voucher_hours="ten", voucher_price="")
        await refused(ServiceTemplate.create(voucher), "voucher_hours", "voucher_price")
        await refused(ServiceTemplate.create(but(voucher, voucher_hours="59m", voucher_price="9")), "voucher_hours")
        assert [template.facts for template in await ServiceTemplate.listed()] == [CARE]


async def test_a_new_contract_and_its_service_start_from_a_template(app: Gate) -> None:
    """S3.25: a new contract starts with currency and cycle of a template, and its service with the template's fields.

    A template that has ended is not offered, and a quarterly fee is not filled in for a monthly contract.
    """
    async with transaction(NOOR):
        care = await ServiceTemplate.create(but(CARE, cycle="quarterly"))
        await (await ServiceTemplate.create(HOURS)).end(NOW)
    here = f"/agent/customers/{ACME}/contracts/new"
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = (await noor.get(here)).text
        assert f'href="{here}?template={care.id}">Care</a>' in page
        assert "Hours</a>" not in page
        form = form_of((await noor.get(f"{here}?template={care.id}")).text, here)
        assert (form.fields["cycle"], form.fields["name"]) == (["quarterly"], ["Care"])
        sent = {
            "name": "Care 2026",
            "start_on": "2026-12-01",
            "currency": "EUR",
            "cycle": "quarterly",
            "vat_rate": "19",
        }
        made = await noor.send_form(form.action, sent | {"payment_days": "14"})
        service = made.headers["location"]
        assert service.endswith(f"/services/new?template={care.id}")
        fields = form_of((await noor.get(service)).text, service.partition("?")[0]).fields
        names = ("name", "settlement", "fee", "included", "stands_for")
        assert [fields[name] for name in names] == [
            ["Care"],
            ["subscription"],
            ["20"],
            ["2\N{NO-BREAK SPACE}h"],
            ["entitlement"],
        ]
        monthly = await noor.send_form(form.action, sent | {"payment_days": "14", "cycle": "monthly", "name": "Other"})
        assert monthly.headers["location"].endswith("/services/new")
        page = (await noor.get(f"{monthly.headers['location']}?template={care.id}")).text
        assert form_of(page, monthly.headers["location"]).fields["fee"] == [""]
        assert "Care</a>" not in page


async def test_admins_keep_templates_on_their_pages(app: Gate) -> None:
    here = "/agent/setup/service-templates"
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert "No template yet" in (await noor.get(here)).text
        fields = {
            "name": "Care",
            "settlement": "subscription",
            "rollup": "service",
            "taxable": "yes",
            "currency": "EUR",
        }
        fields |= {"rounding_minimum": "0", "rounding_increment": "15", "rounding_mode": "up", "cycle": "monthly"}
        wrong = await noor.send_form(f"{here}/new", fields | {"fee": "dear"})
        assert (wrong.status_code, 'value="dear"' in wrong.text) == (422, True)
        await noor.send_form(f"{here}/new", fields | {"fee": "20", "included": "2h"})
        assert "Subscription in EUR, €20.00 for a month with 2 h" in " ".join((await noor.get(here)).text.split())


async def test_the_cheapest_template_is_first_for_the_real_time_of_a_customer(app: Gate) -> None:
    """S3.26, S3.27: templates are sorted by what real time (1:30 h in March, 1 h in October: 300.00) would have cost.

    The template Care costs ten fees of 20.00 and nothing beyond them, because neither month exceeds 2 h: 200.00. The
    template Hours counts 1:30 h as 2 h, so it costs 3 h at 120.00: 360.00. A template of vouchers without hours and
    price is left out, and a template in another currency is not compared. Ines, an agent, gets no link to the
    comparison.
    """
    async with transaction(NOOR):
        for facts in (
            HOURS,
            CARE,
            but(CARE, name="Voucher", settlement="voucher"),
            but(CARE, name="Francs", currency="CHF"),
        ):
            await ServiceTemplate.create(facts)
    async with transaction(SYSTEM):
        entries = [await log(90, on=date(2026, 3, 10)), await log(60, on=OCTOBER)]
    async with transaction(MAX):
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
    async with transaction(MAX, readonly=True):
        [comparison] = await compare(ACME, last_year(NOW.date()))
    found = [(template.name, trial.tried, trial.difference) for template, trial in comparison.trials]
    assert found == [
        ("Care", Decimal("200.00"), Decimal("-100.00")),
        ("Hours", Decimal("360.00"), Decimal("60.00")),
    ]
    assert [template.name for template in comparison.left_out] == ["Voucher"]
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"/agent/customers/{ACME}/comparison")).text
        assert page.index("Care") < page.index("Hours")
        assert "Which template would be cheapest?" in (await browser.get(f"/agent/customers/{ACME}")).text
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert "cheapest" not in (await browser.get(f"/agent/customers/{ACME}")).text
