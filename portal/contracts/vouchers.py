"""Vouchers: prepaid hours of a customer, for some of its services and a range of days (S3.22, D20)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Char, Date, Integer, Numeric, SmallInt, Text, Timestamptz
from piccolo.query import Objects
from piccolo.table import Table

from portal import outbox
from portal.contracts.terms import of_voucher, prepaid
from portal.database import current, transaction
from portal.database.rows import insert_all, insert_one, one
from portal.durations import spoken
from portal.errors import Conflict, Invalid
from portal.fields import Checked, day, identifier, in_range, line, one_line, one_of, optional, yes_or_no
from portal.money import digits_of, parse_money
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, Reader, System
from portal.words import Settlement, UsableOnce

DAY = timedelta(days=1)
USED = "It has paid for time that is on a document, or its sale is billed, so it stays."
LATER = "It has paid for time on later days, which is on a document."


class VoucherFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a new voucher as typed.

    `services` are the ids of the services whose time the voucher pays for; the sale is billed on the contract of the
    first of these services. `hours` is a duration such as `10h`, `price` an amount in the currency of that contract. If
    `label` is empty, the label is made from the hours; if `valid_from` is empty, the voucher is valid from the day of
    the sale. `valid_until` is the last day of the voucher, or empty. `usable_once` is a member of `UsableOnce`.
    `sold_elsewhere` is `yes` or `no`; `yes` means that the sale is never billed.
    """

    services: list[str]
    hours: str
    price: str
    label: str = ""
    sold_on: str
    valid_from: str = ""
    valid_until: str = ""
    usable_once: str = UsableOnce.SOLD.value
    sold_elsewhere: str = "no"


class VoucherChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields of a voucher that can change after its sale, as typed."""

    label: str
    valid_until: str = ""
    usable_once: str = UsableOnce.SOLD.value


class Voucher(Table, tablename="voucher"):
    """Prepaid hours of a customer. Minutes, price and services never change (D23).

    `credited_minutes` are the minutes that credit notes have taken back. `end_on` is the first day on which the voucher
    no longer pays, or None. `usable_once` is a member of `UsableOnce`. The sale of a voucher that was `sold_elsewhere`
    is not billed.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    label = Text(default=None)
    minutes = Integer(default=None)
    credited_minutes = Integer(default=0)
    price = Numeric(digits=(15, 3), default=None)
    currency = Char(length=3, default=None)
    sold_on = Date(default=None)
    valid_from = Date(default=None)
    end_on = Date(null=True, default=None)
    usable_once = Text(default=None)
    sold_elsewhere = Boolean(default=None)
    created_at = Timestamptz(default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Voucher"]:
        """Return a query of the vouchers that `reader` may see.

        An agent sees all vouchers. A contact sees the vouchers of their own customer.
        """
        query = cls.objects()
        return query.where(cls.customer_id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(
        cls, voucher: int, reader: Reader | System, *, customer: int | None = None, hold: bool = False
    ) -> "Voucher":
        """Return the voucher with this id. With `hold`, lock its row until the transaction ends.

        Raise `NotFound` if there is no such voucher, if `reader` may not see it, or if `customer` is given and the
        voucher belongs to another customer.
        """
        query = cls.visible_to(reader).where(cls.id == in_range(voucher))
        return await one(query if customer is None else query.where(cls.customer_id == customer), hold=hold)

    @classmethod
    async def sell(cls, customer: Customer, facts: VoucherFacts, at: datetime) -> "Voucher":
        """Add a voucher to the customer and return it.

        What pays for approved time that is not billed yet may change. So the caller must lock the customer before, and
        recompute the allocations afterwards. Raise `Invalid` if a field is bad, if a service belongs to another
        customer or is paid by time spent, or if the services differ in currency or VAT. Raise `Conflict` if the
        customer has ended.
        """
        values, services = await _read(facts, customer)
        if customer.ended_at:
            raise Conflict(f"{customer.name} has ended. Take that back before you add vouchers.")
        id = await insert_one(cls, values | {"customer_id": customer.id, "created_at": at}, returning="id")
        of = {"customer_id": customer.id, "voucher_id": id}
        await insert_all(
            VoucherService,
            [of | {"service_id": service, "position": position} for position, service in enumerate(services)],
        )
        # If the voucher is used up at once, because it pays for approved time, the worker warns people.
        await outbox.tell(
            kind="voucher.sold", subject_id=id, customer_id=customer.id, contact_may_know=False, actor=None, at=at
        )
        return await cls.find(id, SYSTEM)

    async def change(self, facts: VoucherChange) -> None:
        """Replace the label, the last day and the condition that must hold before the voucher pays (`usable_once`).

        The caller must lock the customer before, and recompute the allocations afterwards. Raise `Invalid` for a bad
        field, or if the voucher has paid for time on a document that was worked after the new last day.
        """
        checked = Checked()
        last = checked("valid_until", optional(day), facts.valid_until)
        values: dict[str, Any] = {
            "label": checked("label", line, facts.label),
            "end_on": last and last + DAY,
            "usable_once": checked("usable_once", one_of(tuple(UsableOnce)), facts.usable_once),
        }
        if last and last < self.valid_from:
            checked.refuse("valid_until", "It cannot end before it starts.")
        if self.sold_elsewhere and values["usable_once"] != UsableOnce.SOLD:
            checked.refuse("usable_once", "It was sold elsewhere, so the portal issues no invoice for it.")
        checked.done()
        try:
            async with transaction(current().reader):
                await Voucher.update(**values).where(Voucher.id == self.id)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Invalid({"valid_until": LATER}) from error

    async def withdraw(self) -> None:
        """Delete a voucher that nothing depends on, such as one that was entered by mistake.

        Before the call, the caller must lock the customer and delete the allocations of unbilled time that refer to the
        voucher. After the call, the caller must recompute the allocations. Raise `Conflict` if the sale of the voucher
        is billed, or if the voucher has ever paid for time on a document, even time that a credit or a correction freed
        later.
        """
        try:
            async with transaction(current().reader):
                await Voucher.delete().where(Voucher.id == self.id)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Conflict(USED) from error

    @property
    def valid_until(self) -> date | None:
        """Return the last day on which the voucher pays, or None if it has no end."""
        return self.end_on - DAY if self.end_on else None

    @property
    def facts(self) -> VoucherChange:
        """Return the fields of the voucher that can change after its sale, to fill in the form that edits them."""
        return VoucherChange(
            label=self.label,
            valid_until=self.valid_until.isoformat() if self.valid_until else "",
            usable_once=self.usable_once,
        )


class VoucherService(Table, tablename="voucher_service"):
    """A service whose time a voucher pays for. The primary key is the voucher and the service."""

    customer_id = BigInt(default=None)
    voucher_id = BigInt(primary_key=True, default=None)
    service_id = BigInt(default=None)
    position = SmallInt(default=None)


_OFFERED = """
select s.id, s.taxable, c.currency, s.name || ', ' || c.name as words
from service s join contract c on c.id = s.contract_id
where s.customer_id = $1 and s.settlement <> 'time_spent' order by folded(s.name), s.id
"""


async def services_offered(customer_id: int) -> list[Any]:
    """Return a row for each of the customer's services that a voucher can pay for.

    Columns: id, words (the label of the service), taxable, currency.
    """
    return await current().fetch(_OFFERED, customer_id)


async def _read(facts: VoucherFacts, customer: Customer) -> tuple[dict[str, Any], Sequence[int]]:
    """Return the columns of a voucher, by name, and the ids of its services, from the fields of the form for its sale.

    Raise `Invalid` as `sell` does.
    """
    checked = Checked()
    offered = {row["id"]: row for row in await services_offered(customer.id)}
    services = list(dict.fromkeys(checked("services", identifier, service) for service in facts.services))
    chosen = [offered[service] for service in services if service in offered]
    if not services:
        checked.refuse("services", "Choose at least one service.")
    elif len(chosen) < len(services):
        checked.refuse("services", f"Choose services of this customer that are not paid by {_time_spent()}.")
    elif len({row["currency"] for row in chosen}) > 1:
        checked.refuse("services", "These services are billed in different currencies. Choose those of one currency.")
    elif len({row["taxable"] for row in chosen}) > 1:
        checked.refuse(
            "services", "Some of these services bear VAT and some do not. Choose only the ones or the others."
        )
    currency = chosen[0]["currency"] if chosen else ""
    sold_on = checked("sold_on", day, facts.sold_on)
    valid_from = checked("valid_from", optional(day), facts.valid_from) or sold_on
    valid_until = checked("valid_until", optional(day), facts.valid_until)
    elsewhere = checked("sold_elsewhere", yes_or_no, facts.sold_elsewhere)
    minutes = checked("hours", _left_elsewhere if elsewhere else of_voucher, facts.hours)
    values = {
        "label": checked("label", optional(line), facts.label) or one_line(f"Voucher {spoken(minutes or 0)}"),
        "minutes": minutes,
        "price": checked("price", lambda text: parse_money(text, digits_of(currency)), facts.price),
        "currency": currency,
        "sold_on": sold_on,
        "valid_from": valid_from,
        "end_on": valid_until and valid_until + DAY,
        "usable_once": checked("usable_once", one_of(tuple(UsableOnce)), facts.usable_once),
        "sold_elsewhere": elsewhere,
    }
    if sold_on and valid_from and valid_from < sold_on:
        checked.refuse("valid_from", "It cannot be valid before it is sold.")
    if valid_from and valid_until and valid_until < valid_from:
        checked.refuse("valid_until", "It cannot end before it starts.")
    if elsewhere and values["usable_once"] != UsableOnce.SOLD:
        checked.refuse("usable_once", "It was sold elsewhere, so the portal issues no invoice for it.")
    checked.done()
    return values, services


def _time_spent() -> str:
    return Settlement.TIME_SPENT.word.lower()


def _left_elsewhere(text: str) -> int:
    """Return, in minutes, the hours in `text`, which are left on a voucher that was sold elsewhere.

    The voucher may have less than 1 h left. Raise `ValueError` for an empty field and for 0.
    """
    if not (minutes := prepaid(text)):
        raise ValueError("Write the prepaid hours, such as 10h.")
    return minutes
