"""Contracts: in what currency, how often and at what VAT rate a customer is billed (C9)."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Char, Date, Numeric, SmallInt, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal.contracts.naming import shown_contract
from portal.database import current, transaction
from portal.database.finder import Finder
from portal.database.rows import one
from portal.errors import Conflict, Invalid
from portal.fields import Checked, day, in_range, line, one_of, optional, whole
from portal.money import digits_of, parse_money, round_half_up
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, Reader, System
from portal.periods import Cycle, today
from portal.regions import currency

DAY = timedelta(days=1)
COINS = ("0.05", "0.1", "0.5", "1", "5", "10")
"""The coins to which the sum to pay can be rounded, as a form sends them."""
BILLED = "Fees or included hours of its billing periods are billed already. Make a new contract for other periods."


class ContractFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a contract as typed.

    `valid_until` is the last day that the contract covers. `anchor` is a day on which a billing period begins; if it is
    empty, periods begin on the 1st, and periods of a week on the weekday of `start_on`. `vat_rate`, in per cent,
    applies to the taxable services. `requires_order` demands that the contract's invoices have the customer's
    `order_reference` (D46). `prints_detail` says whether the time detail is printed on further pages of the invoices.
    `notice_days` is how many days before the end of the contract notice has to be given. If nobody gives notice, the
    contract is renewed by `renewal_months`; if that is empty, the contract ends. `cash_rounding` is the coin to which
    sums to pay are rounded, such as `0.05`; if it is empty, sums are not rounded.
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
    requires_order: bool = False
    prints_detail: bool = False
    notice_days: str = ""
    renewal_months: str = ""
    cash_rounding: str = ""


class Contract(Table, tablename="contract"):
    """A billing contract with a customer, in one currency (D45). Time is logged under its services.

    `end_on` is exclusive: it is the day after the last day that the contract covers, or None for a contract without an
    end. An invoice is due `payment_days` days after its date of issue. Billing periods begin on `anchor` and at every
    multiple of `cycle` before and after `anchor`. In a month that is too short for the day of `anchor`, the period
    begins on the last day of the month: 28 February after an anchor on 31 January. `notice_days` is how many days
    before `end_on` notice has to be given, or None. If nobody gives notice, the contract is renewed by
    `renewal_months`; if that is None, the contract ends. `cash_rounding` is the coin to which sums to pay are rounded,
    or None.
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
    prints_detail = Boolean(default=False)
    cash_rounding = Numeric(digits=(15, 3), null=True, default=None)
    created_at = Timestamptz(default=None)
    requires_order = Boolean(default=False)
    notice_days = SmallInt(null=True, default=None)
    renewal_months = SmallInt(null=True, default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Contract"]:
        """Return a query of the contracts that `reader` may see.

        An agent sees all contracts. A contact sees the contracts of their own customer.
        """
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

        The customer is locked, so that nobody can end the customer before the transaction ends. Raise `Invalid` for a
        bad field, or if the contract is to be renewed but has already ended at `at`; `Conflict` if the customer has
        ended.
        """
        values = _read(facts)
        await _refuse_past_renewal(values, at)
        if await current().fetchval("select ended_at from customer where id = $1 for share", customer.id):
            raise Conflict(f"{customer.name} has ended. Take that back before you add contracts.")
        [contract] = await cls.insert(cls(**values, customer_id=customer.id, created_at=at))
        return await cls.find(contract["id"], SYSTEM)

    async def change(self, facts: ContractFacts, at: datetime) -> None:
        """Replace every field of the contract. Time that is on a document already keeps its amounts.

        What pays for approved time that is not billed yet may change. So the caller must lock the customer before, and
        recompute the allocations afterwards. The row is locked until the transaction ends. Raise `Invalid`:

        - for a bad field;
        - for another currency if the contract has services, because their time is priced in the old currency;
        - for other billing periods if fees or included minutes of the present periods are billed;
        - for a last day that has passed already at `at`, if the contract is to be renewed and this change switches the
          renewal on or changes the last day.
        """
        values = _read(facts)
        if self.renewal_months is None or values["end_on"] != self.end_on:
            await _refuse_past_renewal(values, at)
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
        try:
            async with transaction(current().reader):
                await Contract.update(**values).where(Contract.id == self.id)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Invalid(dict.fromkeys(("cycle", "anchor"), BILLED)) from error

    @property
    def valid_until(self) -> date | None:
        """Return the last day that the contract covers, or None if the contract has no end."""
        return self.end_on - DAY if self.end_on else None

    @property
    def last_notice(self) -> date | None:
        """Return the last day on which notice can be given, or None if the contract has no end."""
        return self.end_on - timedelta(days=(self.notice_days or 0) + 1) if self.end_on else None

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
            requires_order=self.requires_order,
            prints_detail=self.prints_detail,
            notice_days="" if self.notice_days is None else str(self.notice_days),
            renewal_months=str(self.renewal_months or ""),
            cash_rounding=f"{self.cash_rounding.normalize():f}" if self.cash_rounding else "",
        )


CONTRACTS = Finder(
    "contract",
    f"select k.id, {shown_contract('k')} as name, u.name as about, u.ended_at is not null as is_last"  # noqa: S608
    " from contract k join customer u on u.id = k.customer_id",
)
"""Type-ahead search of contracts by name. Contracts of former customers (with `ended_at`) come last."""


def percentage(text: str) -> Decimal:
    """Return the percentage in `text`, with or without a percent sign: 0 to 100, with at most four decimals.

    Raise `ValueError` for other text.
    """
    typed = re.sub(r"[\s\u00a0]*%$", "", text.strip())
    try:
        return parse_money(typed, 4, largest=Decimal(100))
    except ValueError as error:
        raise ValueError("Write a percentage from 0 to 100, such as 19 or 7.7.") from error


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
        "anchor": checked("anchor", optional(day), facts.anchor) or (start_on and _usual_anchor(start_on, facts.cycle)),
        "vat_rate": checked("vat_rate", percentage, facts.vat_rate),
        "order_reference": checked("order_reference", optional(line), facts.order_reference),
        "requires_order": facts.requires_order,
        "prints_detail": facts.prints_detail,
        "notice_days": checked("notice_days", optional(whole(0, 730, "days")), facts.notice_days),
        "renewal_months": checked("renewal_months", optional(whole(1, 120, "months")), facts.renewal_months),
    }
    values["cash_rounding"] = checked("cash_rounding", optional(_coin(values["currency"])), facts.cash_rounding)
    if start_on and valid_until and valid_until < start_on:
        checked.refuse("valid_until", "The contract cannot end before it starts.")
    if values["renewal_months"] and not valid_until:
        checked.refuse("valid_until", "A contract that is renewed needs a last day.")
    checked.done()
    return values


async def _refuse_past_renewal(values: dict[str, Any], at: datetime) -> None:
    """Raise `Invalid` if a contract with these values is to be renewed although its last day is before the day of `at`.

    Its renewal would bill days that have passed.
    """
    if values["renewal_months"]:
        zone = await current().fetchval("select time_zone from company")
        if values["end_on"] <= today(zone or "UTC", at):
            raise Invalid({"valid_until": "It has ended already: write its new last day first."})


def _coin(currency: str | None) -> Callable[[str], Decimal]:
    """Return a function that reads the coin to which sums are rounded: one of `COINS` that exists in the currency.

    If `currency` is None, because the form has no valid currency, any of `COINS` is accepted.
    """

    def read(text: str) -> Decimal:
        if text not in COINS:
            raise ValueError("Choose one from the list.")
        coin = Decimal(text)
        if currency is not None and round_half_up(coin, digits_of(currency)) != coin:
            raise ValueError(f"{currency} has no amount of {text}.")
        return coin

    return read


def _usual_anchor(start_on: date, cycle: str) -> date:
    """Return the anchor of a contract if the form leaves it empty.

    It is the first of the month in which the contract starts or, for periods of a week, the day on which the contract
    starts.
    """
    return start_on if cycle == Cycle.WEEKLY else start_on.replace(day=1)
