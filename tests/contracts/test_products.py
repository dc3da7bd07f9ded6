"""Test the price list, the product and the type of a service, and the columns that are reserved for integrations."""

import ast
from decimal import Decimal
from pathlib import Path

import pytest

from portal import billing
from portal.contracts.contracts import Contract
from portal.contracts.price_list.products import Product, ProductFacts, ProductPrice, ProductPriceFacts
from portal.contracts.services import Service, ServiceFacts
from portal.database import transaction
from portal.errors import NotFound
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, a_service, log
from tests.browser import Browser
from tests.forms import form_of
from tests.people.test_people import but, refused
from tests.world import ACME, ACME_CONTRACT, HELPDESK, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

ROUTER = ProductFacts(name="Router", unit="piece")
RESERVED = ("time_provider", "last_sync", "provider_project", "provider_project_value")


async def prices(product: Product) -> dict[str, Decimal]:
    return {price.currency: price.price for price in (await ProductPrice.of([product.id]))[product.id]}


async def test_a_product_has_one_price_in_each_currency() -> None:
    """S4.7: a product has at most one price in each currency, with as many decimals as the currency has."""
    async with transaction(NOOR):
        router = await Product.create(ROUTER)
        await router.set_price(ProductPriceFacts(price="149,90", currency="EUR"))
        await router.set_price(ProductPriceFacts(price="24000", currency="JPY"))
        await refused(router.set_price(ProductPriceFacts(price="150", currency="EUR")), "currency")
        await refused(router.set_price(ProductPriceFacts(price="1.5", currency="JPY")), "price")
        await refused(router.set_price(ProductPriceFacts(price="-1", currency="")), "currency", "price")
        assert await prices(router) == {"EUR": Decimal("149.90"), "JPY": Decimal(24000)}
        euro = (await ProductPrice.of([router.id]))[router.id][0].id
        other = await Product.create(but(ROUTER, name="Switch"))
        with pytest.raises(NotFound):
            await other.remove_price(euro)
        await router.remove_price(euro)
        with pytest.raises(NotFound):
            await router.remove_price(euro)
        assert await prices(router) == {"JPY": Decimal(24000)}


async def test_a_product_with_a_mistake_is_refused_and_nothing_changes() -> None:
    async with transaction(NOOR):
        router = await Product.create(ROUTER)
        await refused(Product.create(but(ROUTER, name="ROUTER")), "name")
        await refused(
            router.change(but(ROUTER, name=" ", unit="crate", taxable="no")), "name", "unit", "exemption_reason"
        )
        assert (await Product.find(router.id)).facts == ROUTER
        await router.change(but(ROUTER, taxable="no", exemption_reason="Training, § 4 no. 21"))
        await router.change(ROUTER)
        assert (await Product.find(router.id)).exemption_reason is None


async def test_a_service_names_its_product_and_what_it_stands_for() -> None:
    """S4.2, S4.7, S4.13: a service has a product and a type: project, contract, entitlement or other."""
    async with transaction(NOOR):
        contract, router = await Contract.find(ACME_CONTRACT, NOOR), await Product.create(ROUTER)
        facts = ServiceFacts(name="Routers", product_id=str(router.id))
        for kind in ("project", "contract", "entitlement", "other"):
            made = await Service.create(contract, but(facts, name=kind, stands_for=kind), NOW)
            assert (made.stands_for, made.product_id) == (kind, router.id)
            assert (made.facts.stands_for, made.facts.product_id) == (kind, str(router.id))
        await refused(Service.create(contract, but(facts, stands_for="wish"), NOW), "stands_for")
        await refused(Service.create(contract, but(facts, product_id="999"), NOW), "product_id")


async def test_a_product_that_has_ended_stays_with_its_services_and_is_offered_to_no_other() -> None:
    """S4.7: a product that has ended stays in the price list and with its services, but cannot be chosen for others."""
    async with transaction(NOOR):
        contract, router = await Contract.find(ACME_CONTRACT, NOOR), await Product.create(ROUTER)
        facts = ServiceFacts(name="Routers", product_id=str(router.id))
        service = await Service.create(contract, facts, NOW)
        await router.end(NOW)
        await router.end(NOW)
        assert await Product.offered() == []
        await service.change(but(service.facts, name="Routers on loan"))
        assert (await Service.find(service.id, NOOR)).product_id == router.id
        await refused(Service.create(contract, but(facts, name="More routers"), NOW), "product_id")
        await router.resume()
        assert [one.name for one in await Product.offered()] == ["Router"]


async def test_columns_for_integrations_exist_and_nothing_uses_them() -> None:
    """S4.28: the columns for integrations are empty, and neither code nor templates of the portal name them."""
    async with transaction(SYSTEM) as tx:
        row = await tx.fetchrow(f"select {', '.join(RESERVED)} from service where id = $1", HELPDESK)
    assert row is not None
    assert list(row.values()) == [None] * 4
    root = Path(__file__).parents[2]
    for path in (root / "portal").rglob("*.py"):
        named = [node for node in ast.walk(ast.parse(path.read_text())) if getattr(node, "attr", "") in RESERVED]
        assert not named, path
    for path in (root / "templates").rglob("*.html"):
        assert not [name for name in RESERVED if name in path.read_text()], path


async def test_the_price_list_is_kept_on_its_pages(app: Gate) -> None:
    """S4.7: an admin adds a product with a price, and the page of a service names its product.

    A price that is not a number is refused with 422 and stays in its field.
    """
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert "No product yet" in (await noor.get("/agent/setup/products")).text
        added = await noor.send_form("/agent/setup/products", {"name": "Router", "unit": "piece", "taxable": "yes"})
        assert added.headers["location"] == "/agent/setup/products/1#prices"
        wrong = await noor.send_form("/agent/setup/products/1/prices", {"price": "dear", "currency": "EUR"})
        assert wrong.status_code == 422
        assert 'value="dear"' in wrong.text
        assert "No price yet" in wrong.text
        await noor.send_form("/agent/setup/products/1/prices", {"price": "149.9", "currency": "EUR"})
        assert "€149.90" in (await noor.get("/agent/setup/products")).text
        page = f"/agent/customers/1/contracts/{ACME_CONTRACT}/services/{HELPDESK}"
        fields = {"name": "Helpdesk", "settlement": "time_spent", "rollup": "service", "taxable": "yes"}
        fields |= {"rounding_minimum": "0", "rounding_increment": "15", "rounding_mode": "up"}
        saved = await noor.send_form(page, fields | {"product_id": "1", "stands_for": "entitlement"})
        assert saved.status_code == 303
        shown = (await noor.get(f"/agent/services/{HELPDESK}")).text
        assert "An entitlement" in shown
        assert "Router" in shown


async def test_every_field_of_a_service_is_on_its_form_and_on_its_page(app: Gate) -> None:
    """S4.6 to S4.14: the form of a service has a field for each setting; the page of the service shows the settings."""
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = f"/agent/customers/1/contracts/{ACME_CONTRACT}/services/{HELPDESK}"
        form = form_of((await noor.get(page)).text, page)
        assert {"name", "product_id", "effective_start", "taxable", "stands_for", "rollup", "settlement"} <= form.names
        shown = (await noor.get(f"/agent/services/{HELPDESK}")).text
        for words in (
            "Helpdesk",
            "Acme",
            "Support 2026",
            "1\N{NO-BREAK SPACE}Jan 2026",
            "Taxable",
            "A contract",
            "One line per service",
        ):
            assert words in shown, words


async def test_a_line_on_a_draft_is_filled_in_from_the_price_list(app: Gate) -> None:
    """S4.7, D42: a line on a draft is filled in with text and price of a product.

    A product without a price in the draft's currency is not offered. The line has the VAT of the product instead of the
    VAT of a service, even after the draft changes. The invoice states the reason for an exemption. An unknown product
    is refused.
    """
    async with transaction(NOOR):
        router, switch = await Product.create(ROUTER), await Product.create(but(ROUTER, name="Switch"))
        book = await Product.create(but(ROUTER, name="Book", taxable="no", exemption_reason="Books bear no VAT."))
        await book.set_price(ProductPriceFacts(price="20", currency="EUR"))
        await router.set_price(ProductPriceFacts(price="149.9", currency="EUR"))
        await switch.set_price(ProductPriceFacts(price="80", currency="CHF"))
    async with transaction(MAX):
        await a_service(ACME, ACME_CONTRACT, "Care")
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert made is not None
    here = f"/agent/drafts/{made.draft_ids[0]}/lines"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(here)).text
        assert "Router, €149.90 by the piece" in page
        assert ("Switch" in page, "Book, €20.00 by the piece" in page) == (False, True)
        for query, label, amount in (("product=1&count=3", "3 × Router", "449.70"), ("product=1", "Router", "149.90")):
            fields = form_of((await browser.get(f"{here}?{query}")).text, here).fields
            assert (fields["label"], fields["amount"]) == ([label], [amount])
        assert form_of((await browser.get(f"{here}?product=2&count=9999999999")).text, here).fields["label"] == [""]
        for product in (book, router):
            page = (await browser.get(f"{here}?product={product.id}")).text
            fields = form_of(page, here).fields
            assert "service" not in fields, "its VAT is that of the product"
            assert ("Books bear no VAT." in page) == (product is book)
            wrong = await browser.send_form(here, fields | {"product": "4711"})
            assert (wrong.status_code, "no longer offered" in wrong.text) == (422, True)
            assert (await browser.send_form(here, fields)).status_code == 303
        net = {"net": form_of((await browser.get(here)).text, here).fields["net"]}
        missing = await browser.send_form(here, {"what": "charge", "label": "Cable", "amount": "5"} | net)
        assert (missing.status_code, "Choose one from the list." in missing.text) == (422, True)
    async with transaction(MAX) as tx:
        lines = "select label, vat_category, vat_rate, exemption_reason, service_id from invoice_line where kind = 'extra' order by position"
        assert [tuple(row) for row in await tx.fetch(lines)] == [
            ("Book", "E", Decimal(0), "Books bear no VAT.", HELPDESK),
            ("Router", "S", Decimal(19), None, HELPDESK),
        ]
        assert await billing.violations() == {}
        issued = await billing.issue(made.draft_ids[0], by=MAX, at=NOW)
        assert (issued.net, issued.tax) == (Decimal("289.90"), Decimal("51.28"))
