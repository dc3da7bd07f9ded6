"""Serve the set-up pages of the price list: products and their prices. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import regions
from portal.agent.setup.pages import form_page
from portal.contracts.price_list.products import Product, ProductFacts, ProductPrice, ProductPriceFacts
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web

HERE = "/agent/setup/products"


@get("/setup/products", guards=[admin_only])
async def products(request: Web) -> Response[str]:
    """Show the price list, and a form that adds a product."""
    return await _products(request)


async def _products(request: Web, **again: Any) -> Response[str]:
    listed = await Product.listed()
    prices = await ProductPrice.of([product.id for product in listed])
    return await form_page(request, "agent/price_list/products.html", products=listed, prices=prices, **again)


@post("/setup/products", guards=[admin_only])
@on_refusal(_products)
async def add_product(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a product and redirect to the page of the product, on which its prices are added."""
    async with transaction(reader):
        product = await Product.create(form.into(ProductFacts))
    return see_other(f"{HERE}/{product.id}#prices")


@get("/setup/products/{product:int}", guards=[admin_only])
async def product(request: Web, product: FromPath[int]) -> Response[str]:
    """Show the prices of a product, and the forms that change the product and add a price."""
    return await _product(request, product=product)


async def _product(request: Web, *, product: int, **again: Any) -> Response[str]:
    found = await Product.find(product)
    prices = (await ProductPrice.of([found.id]))[found.id]
    return await form_page(
        request, "agent/price_list/product.html", facts=found.facts, product=found, prices=prices,
        currencies=regions.currencies(), **again,
    )  # fmt: skip


@post("/setup/products/{product:int}", guards=[admin_only])
@on_refusal(_product)
async def change_product(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], product: FromPath[int]
) -> Response[Any]:
    """Save the fields of a product, and redirect to the price list."""
    async with transaction(reader):
        found = await Product.find(product, hold=True)
        await found.change(edited(form, ProductFacts, found.facts))
    return see_other(HERE)


@post("/setup/products/{product:int}/prices", guards=[admin_only])
@on_refusal(_product)
async def add_price(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], product: FromPath[int]
) -> Response[Any]:
    """Set the price of a product in a currency, and redirect to the product's prices."""
    async with transaction(reader):
        await (await Product.find(product)).set_price(form.into(ProductPriceFacts))
    return see_other(f"{HERE}/{product}#prices")


@post("/setup/products/{product:int}/prices/{price:int}/removal", guards=[admin_only])
async def remove_price(
    reader: NamedDependency[AgentReader], product: FromPath[int], price: FromPath[int]
) -> Response[Any]:
    """Delete a price of a product, and redirect to the product's prices. Existing documents keep their amounts."""
    async with transaction(reader):
        await (await Product.find(product)).remove_price(price)
    return see_other(f"{HERE}/{product}#prices")


@post("/setup/products/{product:int}/ending", guards=[admin_only])
async def end_product(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], product: FromPath[int]
) -> Response[Any]:
    """End a product, so that forms no longer offer it, and redirect to the price list.

    Services that have this product keep it.
    """
    async with transaction(reader):
        await (await Product.find(product)).end(at)
    return see_other(HERE)


@post("/setup/products/{product:int}/resumption", guards=[admin_only])
async def resume_product(reader: NamedDependency[AgentReader], product: FromPath[int]) -> Response[Any]:
    """Resume a product that was ended, so that forms offer it again, and redirect to the price list."""
    async with transaction(reader):
        await (await Product.find(product)).resume()
    return see_other(HERE)


handlers: list[Any] = [
    products, add_product, product, change_product, add_price, remove_price, end_product, resume_product,
]  # fmt: skip
