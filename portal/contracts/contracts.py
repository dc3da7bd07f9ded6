"""Contracts: each says in what currency, how often and at what VAT rate a customer is billed (C9)."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Char, Date, Numeric, SmallInt, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal.database import current
from portal.database.rows import one
from portal.errors import Conflict, Invalid
from portal.fields import Checked, day, in_range, line, one_of, optional, whole
from portal.money import parse_money
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, Reader, System
from portal.periods import LAST_ANCHOR_DAY, Cycle
from portal.regions import currency

DAY = timedelta(days=1)


class ContractFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a contract as typed.

    `valid_until` is the last day that the contract covers. `anchor` is a day on which a billing period begins; if it is
    empty, periods begin on the 1st. `vat_rate`, in per cent, applies to the taxable services.
    """

    name: str
    start_on: str
    valid_until: str = ""
    currency: str
    payment_days: str = "14"
    cycle: str = "monthly"
    anchor: str = ""
    vat_rate: str
    order_reference: str = ""


class Contract(Table, tablename="contract"):
    """A billing contract with a customer, in one currency (D45). Time is logged under its services.

    `end_on` is the first day that the contract no longer covers, or None. An invoice is due `payment_days` days after its
    date of issue. Billing periods begin on `anchor` and at every multiple of `cycle` before and after it.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    name = Text(default=None)
    start_on = Date(default=None)
    end_on = Date(null=True, default=None)
    currency = Char(length=3, default=None)
    payment_days = SmallInt(default=None)
    cycle = Text(default=None)
    anchor = Date(default=None)
    vat_rate = Numeric(digits=(7, 4), default=None)
    order_reference = Text(null=True, default=None)
    created_at = Timestamptz(default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Contract"]:
        """Return a query of the contracts that `reader` may see: agents see all, a contact those of their customer."""
        query = cls.objects()
        return query.where(cls.customer_id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(
        cls, contract: int, reader: Reader | System, *, customer: int | None = None, hold: bool = False
    ) -> "Contract":
        """Return the contract with this id. With `hold`, lock its row until the transaction ends.

        Raise `NotFound` if there is no such contract, if `reader` may not see it, or if `customer` is given and the
        contract belongs to another customer (R28).
        """
        query = cls.visible_to(reader).where(cls.id == in_range(contract))
        return await one(query if customer is None else query.where(cls.customer_id == customer), hold=hold)

    @classmethod
    async def of(cls, customer: int) -> list["Contract"]:
        """Return all contracts of a customer, sorted by first day, the latest first."""
        return await cls.objects().where(cls.customer_id == customer).order_by(cls.start_on, ascending=False)

    @classmethod
    async def create(cls, customer: Customer, facts: ContractFacts, at: datetime) -> "Contract":
        """Add a contract to a customer and return it.

        The customer is locked, so that it cannot end before the transaction does. Raise `Invalid` for a bad field,
        `Conflict` if the customer has ended.
        """
        values = _read(facts)
        if await current().fetchval("select ended_at from customer where id = $1 for share", customer.id):
            raise Conflict(f"{customer.name} has ended. Take that back before you add contracts.")
        [contract] = await cls.insert(cls(**values, customer_id=customer.id, created_at=at))
        return await cls.find(contract["id"], SYSTEM)

    async def change(self, facts: ContractFacts) -> None:
        """Replace every field of the contract. Time that is on a document already keeps its amounts.

        The row is locked until the transaction ends. Raise `Invalid` for a bad field, or if the currency changes although
        the contract has a service, because the service's time is priced in the old currency.
        """
        values = _read(facts)
        held = await current().fetchrow(
            "select currency, exists (select from service s where s.contract_id = c.id) as used from contract c where id = $1 for update",
            self.id,
        )
        if held["used"] and held["currency"] != values["currency"]:
            raise Invalid(
                {
                    "currency": f"Its services are priced in {held['currency']}. Make a new contract for {values['currency']}."
                }
            )
        await Contract.update(**values).where(Contract.id == self.id)

    @property
    def valid_until(self) -> date | None:
        """Return the last day that the contract covers, or None if the contract has no end."""
        return self.end_on - DAY if self.end_on else None

    @property
    def facts(self) -> ContractFacts:
        """Return the stored values of the contract as form fields, to fill in the form that edits them."""
        return ContractFacts(
            name=self.name,
            start_on=self.start_on.isoformat(),
            valid_until=self.valid_until.isoformat() if self.valid_until else "",
            currency=self.currency,
            payment_days=str(self.payment_days),
            cycle=self.cycle,
            anchor=self.anchor.isoformat(),
            vat_rate=f"{self.vat_rate.normalize():f}",
            order_reference=self.order_reference or "",
        )


def percentage(text: str) -> Decimal:
    """Return the percentage that was typed, with or without a percent sign: 0 to 100, with at most four decimals.

    Raise `ValueError` for other text.
    """
    typed = re.sub(r"[\s\u00a0]*%$", "", text.strip())
    try:
        return parse_money(typed, 4, largest=Decimal(100))
    except ValueError as error:
        raise ValueError("Write per cent points from 0 to 100, such as 19 or 7.7.") from error


def _read(facts: ContractFacts) -> dict[str, Any]:
    checked = Checked()
    start_on = checked("start_on", day, facts.start_on)
    valid_until = checked("valid_until", optional(day), facts.valid_until)
    values: dict[str, Any] = {
        "name": checked("name", line, facts.name),
        "start_on": start_on,
        "end_on": valid_until and valid_until + DAY,
        "currency": checked("currency", currency, facts.currency),
        "payment_days": checked("payment_days", whole(0, 365, "days"), facts.payment_days),
        "cycle": checked("cycle", one_of(tuple(Cycle)), facts.cycle),
        "anchor": checked("anchor", optional(_anchor), facts.anchor) or (start_on and start_on.replace(day=1)),
        "vat_rate": checked("vat_rate", percentage, facts.vat_rate),
        "order_reference": checked("order_reference", optional(line), facts.order_reference),
    }
    if start_on and valid_until and valid_until < start_on:
        checked.refuse("valid_until", "The contract cannot end before it starts.")
    checked.done()
    return values


def _anchor(text: str) -> date:
    """Return the typed day as a day on which billing periods begin.

    Raise `ValueError` for the 29th, 30th and 31st, which not every month has.
    """
    read = day(text)
    if read.day > LAST_ANCHOR_DAY:
        raise ValueError(f"Choose a day from the 1st to the {LAST_ANCHOR_DAY}th, which every month has.")
    return read
