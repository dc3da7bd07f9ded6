"""Read the terms of contracts and services as values of the engine: how time is paid for, counted and priced."""

from decimal import Decimal
from typing import Any

from portal.billing.engine import (
    ContractTerms,
    Due,
    Overflow,
    PriceChange,
    Rollover,
    Rollup,
    ServiceTerms,
    Settlement,
    VatCategory,
    VatRate,
)
from portal.durations import Rounding, RoundingMode
from portal.periods import Cycle
from portal.words import RoundingPer

Row = Any
"""A database row: an `asyncpg.Record`, or a mapping with the same keys."""

CONTRACTS = """
select c.id, c.customer_id, c.name, c.start_on, c.end_on, c.currency, c.cycle, c.anchor, c.vat_rate
from contract c where c.customer_id = any($1) order by c.customer_id, c.id
"""

SERVICES = """
select s.id, s.contract_id, s.name, s.settlement, s.rollup, s.taxable, s.exemption_reason, s.effective_start,
       s.overflow, s.overage_rate, s.fee, s.included_minutes, s.due, s.included_from_id as shares,
       s.rounding_minimum, s.rounding_increment, s.rounding_mode, s.rounding_per, s.rollover_periods, s.rollover_cap, s.rollover_from,
       s.rollover_periods is not null or exists (select from rolled_minutes r where r.service_id = s.id) as rolls_over, p.*
from service s cross join lateral (
  select array_agg(effective_from order by effective_from) as price_days, array_agg(fee order by effective_from) as later_fees,
    array_agg(included_minutes order by effective_from) as later_minutes, array_agg(overage_rate order by effective_from) as later_rates
  from price_change where service_id = s.id) p
where s.customer_id = any($1) order by s.id
"""


def contract_of(row: Row, services: list[Row]) -> ContractTerms:
    """Return a contract with its services, from rows of `CONTRACTS` and `SERVICES`."""
    return ContractTerms(
        id=row["id"],
        name=row["name"],
        start=row["start_on"],
        end=row["end_on"],
        cycle=Cycle(row["cycle"]),
        anchor=row["anchor"],
        services=tuple(_service(service, row["vat_rate"]) for service in services),
    )


def vat_of(*, taxable: bool, rate: Decimal) -> VatRate:
    """Return the VAT rate of a service or product: the rate of the contract (`rate`) if it is taxable, otherwise 0."""
    return VatRate(VatCategory.STANDARD, rate) if taxable else VatRate(VatCategory.EXEMPT, Decimal(0))


def _service(row: Row, vat_rate: Decimal) -> ServiceTerms:
    return ServiceTerms(
        id=row["id"],
        name=row["name"],
        settlement=Settlement(row["settlement"]),
        rollup=Rollup(row["rollup"]),
        vat=vat_of(taxable=row["taxable"], rate=vat_rate),
        effective_start=row["effective_start"],
        changes=_changes(row),
        rollover=_rollover(row),
        day_rounding=_day_rounding(row),
        **_terms(row),
    )


def _day_rounding(row: Row) -> Rounding | None:
    if row["rounding_per"] != RoundingPer.DAY:
        return None
    return Rounding(row["rounding_minimum"], row["rounding_increment"], RoundingMode(row["rounding_mode"]))


def _rollover(row: Row) -> Rollover | None:
    if row["rollover_periods"] is None:
        return None
    return Rollover(row["rollover_periods"], row["rollover_cap"], row["rollover_from"])


def _changes(row: Row) -> tuple[PriceChange, ...]:
    """Return the price changes of a service, ordered by day."""
    if row["price_days"] is None:
        return ()
    columns = (row["price_days"], row["later_fees"], row["later_minutes"], row["later_rates"])
    return tuple(
        PriceChange(day, fee or Decimal(0), minutes or 0, rate)
        for day, fee, minutes, rate in zip(*columns, strict=True)
    )


def _terms(row: Row) -> dict[str, Any]:
    """Return the terms that only some settlements (how time is paid for) have, as arguments of `ServiceTerms`.

    Columns that are null are left out, so that the defaults of the engine apply.
    """
    read = {"overflow": Overflow, "due": Due}
    names = ("overflow", "overage_rate", "fee", "included_minutes", "due", "shares")
    return {name: read.get(name, lambda value: value)(row[name]) for name in names if row[name] is not None}
