"""Keep the products on the price list. A service can have a product (S4.7), and a line of a draft can charge one."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Char, Numeric, Text, Timestamptz
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.database.rows import Endable, one
from portal.database.uniqueness import unless_taken
from portal.errors import NotFound
from portal.fields import Checked, in_range, line, one_of, yes_or_no
from portal.money import digits_of, parse_money
from portal.regions import currency
from portal.words import Unit

_BY_NAME = OrderByRaw("ended_at is not null, folded(name), id")
TAKEN = "There is a product “{name}” already."
PRICED = "It has a price in {currency} already. Remove that one first."


class ProductFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a product as typed.

    `taxable` is `yes` or `no`; `no` requires a reason for the exemption, which is printed on invoices (D42).
    """

    name: str
    unit: str = Unit.PIECE.value
    taxable: str = "yes"
    exemption_reason: str = ""


class ProductPriceFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the price of one unit of a product, without VAT, as typed."""

    price: str
    currency: str


class ProductPrice(Table, tablename="product_price"):
    """The price of one unit of a product in one currency, without VAT. A product has at most one price per currency."""

    id = BigSerial(primary_key=True)
    product_id = BigInt(default=None)
    currency = Char(length=3, default=None)
    price = Numeric(digits=(15, 3), default=None)

    @classmethod
    async def of(cls, products: Collection[int]) -> dict[int, list["ProductPrice"]]:
        """Return the prices of each of these products by product id. The prices of a product are sorted by currency."""
        found: dict[int, list[ProductPrice]] = {product: [] for product in products}
        if found:
            for price in await cls.objects().where(cls.product_id.is_in(list(found))).order_by(cls.currency):
                found[price.product_id].append(price)
        return found


class Product(Endable, Table, tablename="product"):
    """Something on the price list, sold by the unit `unit`.

    A product that has ended can no longer be chosen, but existing services keep it. `ended_at` is None while the
    product can be chosen. If `taxable` is False, `exemption_reason` says why the product bears no VAT.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    unit = Text(default=None)
    taxable = Boolean(default=None)
    exemption_reason = Text(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def listed(cls) -> list["Product"]:
        """Return all products: first those that can be chosen, then those that have ended, each sorted by name."""
        return await cls.objects().order_by(_BY_NAME)

    @classmethod
    async def offered(cls, known: int | None = None) -> list["Product"]:
        """Return the products that can be chosen, sorted by name.

        `known` is the id of the product that is chosen already; it is included even if it has ended.
        """
        return await cls.objects().where(cls.ended_at.is_null() | (cls.id == (known or 0))).order_by(_BY_NAME)

    @classmethod
    async def priced(cls, in_currency: str) -> list[tuple["Product", Decimal]]:
        """Return the products that can be chosen and have a price in this currency, with the price, sorted by name."""
        offered = await cls.offered()
        prices = await ProductPrice.of([product.id for product in offered])
        return [
            (product, price.price)
            for product in offered
            for price in prices[product.id]
            if price.currency == in_currency
        ]

    @classmethod
    async def find(cls, product: int, *, hold: bool = False) -> "Product":
        """Return the product with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(product)), hold=hold)

    @classmethod
    async def create(cls, facts: ProductFacts) -> "Product":
        """Add a product without a price and return it.

        Raise `Invalid` for a bad field, or if another product has the name.
        """
        values = _read(facts)
        product = cls(**values)
        async with unless_taken("name", TAKEN.format(name=values["name"])):
            await product.save()
        return product

    async def change(self, facts: ProductFacts) -> None:
        """Replace every field of the product. Prices, and what documents show, do not change.

        Raise `Invalid` for a bad field, or if another product has the name.
        """
        values = _read(facts)
        async with unless_taken("name", TAKEN.format(name=values["name"])):
            await Product.update(**values).where(Product.id == self.id)

    async def set_price(self, facts: ProductPriceFacts) -> None:
        """Add a price in a currency in which the product has none.

        A price must be removed before it is replaced, so that nobody overwrites a colleague's price by accident. Raise
        `Invalid` for a bad field, or if there is a price in the currency.
        """
        checked = Checked()
        code: str = checked("currency", currency, facts.currency)
        digits = digits_of(code) if code else 2
        price: Decimal = checked("price", lambda text: parse_money(text, digits), facts.price)
        checked.done()
        async with unless_taken("currency", PRICED.format(currency=code)):
            await ProductPrice.insert(ProductPrice(product_id=self.id, currency=code, price=price))

    async def remove_price(self, price: int) -> None:
        """Delete a price of this product. Raise `NotFound` if the product has no price with this id."""
        deleted = (
            await ProductPrice.delete()
            .where(ProductPrice.id == in_range(price), ProductPrice.product_id == self.id)
            .returning(ProductPrice.id)
        )
        if not deleted:
            raise NotFound

    @property
    def unit_word(self) -> str:
        """Return the unit in the words that people read, such as `Hour`."""
        return Unit(self.unit).word

    @property
    def facts(self) -> ProductFacts:
        """Return the stored values of the product as form fields, to fill in the form that edits them."""
        return ProductFacts(
            name=self.name,
            unit=self.unit,
            taxable="yes" if self.taxable else "no",
            exemption_reason=self.exemption_reason or "",
        )


def exemption(text: str) -> str:
    """Validate the reason for charging no VAT, and return it. Raise `ValueError` if the text is empty or too long."""
    if not text.strip():
        raise ValueError("Say why there is no tax: the sentence is printed on the invoice.")
    return line(text)


def _read(facts: ProductFacts) -> dict[str, Any]:
    checked = Checked()
    taxable = checked("taxable", yes_or_no, facts.taxable)
    values: dict[str, Any] = {
        "name": checked("name", line, facts.name),
        "unit": checked("unit", one_of(tuple(Unit)), facts.unit),
        "taxable": taxable,
        "exemption_reason": None if taxable else checked("exemption_reason", exemption, facts.exemption_reason),
    }
    checked.done()
    return values
