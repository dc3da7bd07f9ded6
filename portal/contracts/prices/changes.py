"""Store price changes: the fee, the included hours and the overage rate of a service from a day on (D26)."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Date, Integer, Numeric, Timestamptz
from piccolo.table import Table

from portal.contracts.contracts import Contract
from portal.contracts.services import Service
from portal.contracts.terms import PRICES, prices_of
from portal.database.rows import insert_one, one
from portal.database.uniqueness import unless_taken
from portal.durations import spoken
from portal.errors import Invalid
from portal.fields import Checked, day, in_range
from portal.money import digits_of
from portal.words import Settlement

SAME_DAY = "Other prices begin on this day already. Delete them first."
NOT_LATER = "The service begins on {start:%-d %b %Y}. Its first prices are on its own form."
NOTHING = "These are the prices that hold already on that day."
WITHOUT_PRICES = "A service that is paid by time spent has rates, and no prices of its own."


class PriceFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of new prices as typed. The form has only the prices that the settlement of the service needs.

    `effective_from` is the first day of the prices. `fee` and `included` are for a whole period. `overage_rate` is
    the hourly rate beyond the prepaid hours; if it is empty, the usual hourly rates apply.
    """

    effective_from: str = ""
    fee: str = ""
    included: str = ""
    overage_rate: str = ""


class PriceChange(Table, tablename="price_change"):
    """All prices of a service from a day on, until the next price change. A row may be deleted, but never changes.

    Only a subscription has a `fee` and `included_minutes`; they are None for a service that is paid by vouchers.
    `overage_rate` is the hourly rate beyond the prepaid hours; if it is None, the usual hourly rates apply.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    service_id = BigInt(default=None)
    effective_from = Date(default=None)
    fee = Numeric(digits=(15, 3), null=True, default=None)
    included_minutes = Integer(null=True, default=None)
    overage_rate = Numeric(digits=(12, 4), null=True, default=None)
    created_at = Timestamptz(default=None)

    @classmethod
    async def find(cls, change: int, service: int) -> "PriceChange":
        """Return the price change with this id. Raise `NotFound` if the service has no such price change."""
        return await one(cls.objects().where(cls.id == in_range(change), cls.service_id == service))

    @classmethod
    async def of(cls, service: int) -> list["PriceChange"]:
        """Return the price changes of a service, the earliest first."""
        return await cls.objects().where(cls.service_id == service).order_by(cls.effective_from)

    @classmethod
    async def create(cls, service: Service, contract: Contract, facts: PriceFacts, at: datetime) -> None:
        """Store new prices of the service, which apply from a day on.

        What pays for approved time that is not billed yet may change. So the caller must lock the customer before, and
        recompute the allocations afterwards. Fees that documents have billed and prices that approvals have fixed do
        not change. Raise `Invalid` for a bad field, if the prices would begin on or before the first day of the service
        or of its contract, if other prices begin on the same day, or if nothing changes.
        """
        values = await _read(facts, service, contract)
        row = values | {"customer_id": service.customer_id, "service_id": service.id, "created_at": at}
        async with unless_taken("effective_from", SAME_DAY):
            await insert_one(cls, row, returning="id")

    async def withdraw(self) -> None:
        """Delete the price change, so that the previous prices apply. The caller must recompute the allocations."""
        await PriceChange.delete().where(PriceChange.id == self.id)

    @property
    def facts(self) -> PriceFacts:
        """Return the prices as form fields, without a day, to fill in the form that plans another price change."""
        return _typed(self.fee, self.included_minutes, self.overage_rate)


async def prices_now(service: Service) -> PriceFacts:
    """Return the latest prices of a service, even if they begin in the future, as form fields without a day."""
    changes = await PriceChange.of(service.id)
    return changes[-1].facts if changes else _typed(service.fee, service.included_minutes, service.overage_rate)


def _typed(fee: Decimal | None, included: int | None, overage_rate: Decimal | None) -> PriceFacts:
    return PriceFacts(
        fee="" if fee is None else f"{fee.normalize():f}",
        included=spoken(included) if included else "",
        overage_rate="" if overage_rate is None else f"{overage_rate.normalize():f}",
    )


async def _read(facts: PriceFacts, service: Service, contract: Contract) -> dict[str, Any]:
    settlement = Settlement(service.settlement)
    if not PRICES[settlement]:
        raise Invalid({"effective_from": WITHOUT_PRICES})
    checked = Checked()
    first = max(service.effective_start, contract.start_on)
    starts = checked("effective_from", day, facts.effective_from)
    values = prices_of(checked, facts, settlement, digits_of(contract.currency))
    if starts and starts <= first:
        checked.refuse("effective_from", NOT_LATER.format(start=first))
    checked.done()
    before = await _in_force(service, starts)
    if all(values[name] == getattr(before, name) for name in PRICES[settlement]):
        raise Invalid({"effective_from": NOTHING})
    return values | {"effective_from": starts}


async def _in_force(service: Service, on: date) -> "Service | PriceChange":
    """Return the object whose prices apply before the day `on`: the last earlier price change, or the service."""
    return next((one for one in reversed(await PriceChange.of(service.id)) if one.effective_from < on), service)
