"""Keep templates of services. A new service can start with the fields of a template."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from piccolo.columns import JSONB, BigSerial, Char, Text, Timestamptz
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.contracts.contracts import Contract
from portal.contracts.services import Service, ServiceFacts, columns_of
from portal.contracts.terms import of_voucher
from portal.database.rows import Endable, one
from portal.database.uniqueness import unless_taken
from portal.durations import spoken
from portal.errors import Invalid
from portal.fields import Checked, in_range, one_of
from portal.money import digits_of, parse_money
from portal.periods import Cycle
from portal.regions import currency
from portal.words import Settlement

_BY_NAME = OrderByRaw("ended_at is not null, folded(name), id")
_OWN = ("name", "currency", "cycle", "voucher_hours", "voucher_price")


class TemplateFacts(ServiceFacts, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a template as typed: the fields of a service, and currency, cycle and voucher.

    `name` is the name of the template and of the services made from it. The fee is for one period of `cycle`, and
    amounts are in `currency`. `voucher_hours` and `voucher_price` describe the voucher that is sold together with a
    service that is paid by vouchers; both may be empty. A template has no first day and refers to no other service.
    """

    currency: str
    cycle: str = Cycle.MONTHLY.value
    voucher_hours: str = ""
    voucher_price: str = ""


class ServiceTemplate(Endable, Table, tablename="service_template"):
    """A template of services. `fields` are the form fields of a service, as JSON.

    A service has no link to the template that it was made from, so a change of the template changes no service.
    `ended_at` is None while the template is offered.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    currency = Char(length=3, default=None)
    cycle = Text(default=None)
    fields = JSONB(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def listed(cls) -> list["ServiceTemplate"]:
        """Return all templates sorted by name; templates that have ended come after all others."""
        return await cls.objects().order_by(_BY_NAME)

    @classmethod
    async def offered(cls, in_currency: str | None = None) -> list["ServiceTemplate"]:
        """Return the templates that have not ended, sorted by name; with `in_currency`, only those in this currency."""
        query = cls.objects().where(cls.ended_at.is_null())
        return await (query if in_currency is None else query.where(cls.currency == in_currency)).order_by(_BY_NAME)

    @classmethod
    async def find(cls, template: int, *, hold: bool = False) -> "ServiceTemplate":
        """Return the template with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(template)), hold=hold)

    @classmethod
    async def create(cls, facts: TemplateFacts) -> "ServiceTemplate":
        """Add a template and return it. Raise `Invalid` for a bad field, or if another template has the name."""
        template = cls(**await _read(facts))
        async with unless_taken("name", f"There is a template “{template.name}” already."):
            await template.save()
        return template

    async def change(self, facts: TemplateFacts) -> None:
        """Replace every field of the template. Services that were made from it do not change.

        Raise `Invalid` for a bad field, or if another template has the name.
        """
        values = await _read(facts, known_product=int(self.facts.product_id or 0))
        async with unless_taken("name", f"There is a template “{values['name']}” already."):
            await ServiceTemplate.update(**values).where(ServiceTemplate.id == self.id)

    @property
    def facts(self) -> TemplateFacts:
        """Return the stored values of the template as form fields, to fill in the form that edits them."""
        own = {"name": self.name, "currency": self.currency, "cycle": self.cycle}
        return msgspec.convert(msgspec.json.decode(self.fields) | own, TemplateFacts)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """Return the amounts `fee` and `voucher_price` of the template by name; an amount that is empty is left out."""
        typed = {"fee": self.facts.fee, "voucher_price": self.facts.voucher_price}
        return {name: Decimal(amount) for name, amount in typed.items() if amount}

    @property
    def service_fields(self) -> dict[str, str]:
        """Return the fields of the template with which the form of a new service is filled in.

        Empty fields are left out, so that the defaults of the form apply. Fields that a service does not have are left
        out too.
        """
        fields = msgspec.structs.asdict(self.facts)
        return {name: value for name, value in fields.items() if value and (name == "name" or name not in _OWN)}

    def fits(self, contract: Contract) -> bool:
        """Return whether the amounts of the template are valid for a contract.

        The contract needs the currency of the template and, if the template has a fee, also the template's billing
        cycle.
        """
        has_fee = self.facts.settlement == Settlement.SUBSCRIPTION
        return self.currency == contract.currency and (not has_fee or self.cycle == contract.cycle)

    @property
    def paid_by(self) -> str:
        """Return how time of the template's services is paid for, as pages say it, such as `Time spent`."""
        return Settlement(self.facts.settlement).word


async def _read(facts: TemplateFacts, known_product: int | None = None) -> dict[str, Any]:
    """Return the columns of a template from the fields of its form. Raise `Invalid` with a message for each bad field.

    The fields are validated as for a service whose contract has the same currency. The column `fields` gets the
    validated values, never the text that was typed. `known_product` is the id of the product that the template has
    already, which is accepted even if it has ended.
    """
    checked = Checked()
    code = checked("currency", currency, facts.currency)
    cycle = checked("cycle", one_of(tuple(Cycle)), facts.cycle)
    package = _package(checked, facts, digits_of(code) if code else 2)
    # This contract is not stored, because a template belongs to none; `columns_of` reads only these columns of it.
    contract = Contract(_ignore_missing=True, id=0, currency=code or "EUR", start_on=date.min)
    try:
        columns = await columns_of(facts, contract, known_product=known_product)
    except Invalid as refusal:
        raise Invalid(refusal.fields | checked.errors) from refusal
    checked.done()
    understood = msgspec.structs.asdict(Service(_ignore_missing=True, **columns).facts)
    fields = {name: value for name, value in understood.items() if name not in ("name", "effective_start")}
    return {
        "name": columns["name"],
        "currency": code,
        "cycle": cycle,
        "fields": msgspec.json.encode(fields | package).decode(),
    }


def _package(checked: Checked, facts: TemplateFacts, digits: int) -> dict[str, str]:
    """Validate the hours and the price of the voucher that is sold together with a service, and return both.

    Return an empty dictionary if the settlement is not by vouchers or both fields are empty. Errors are recorded in
    `checked`. `digits` is the number of decimals of the currency.
    """
    if facts.settlement != Settlement.VOUCHER or not (facts.voucher_hours or facts.voucher_price):
        return {}
    minutes = checked("voucher_hours", of_voucher, facts.voucher_hours)
    price = checked("voucher_price", lambda text: parse_money(text, digits), facts.voucher_price)
    return {"voucher_hours": spoken(minutes or 0), "voucher_price": f"{price or 0:f}"}
