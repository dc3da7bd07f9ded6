"""Record which fees and vouchers were billed, and by which document, so that none is billed twice (D39)."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from piccolo.columns import UUID, BigInt, Date
from piccolo.table import Table

from portal.billing.engine import BillingState, Key, PoolKey
from portal.database import current
from portal.database.rows import insert_all
from portal.periods import Period


class BilledFee(Table, tablename="billed_fee"):
    """The fee that was billed for some or all days of one period of a service.

    These are the days from `active_from` up to, but not including, `active_until`. A draft or invoice (`invoice_id`) or
    a statement (`statement_id`) bills the fee. Both columns are None if the run `run_id` made no document, because
    everything that was due cost nothing. The primary key is the service, the first day of the period and `active_from`.
    When a draft is deleted, the rows of its fees are deleted too, so that the next run bills the fees again. A credit
    for days after the end of the contract moves `active_until` to an earlier day.
    """

    service_id = BigInt(primary_key=True, default=None)
    period_start = Date(default=None)
    active_from = Date(default=None)
    active_until = Date(default=None)
    customer_id = BigInt(default=None)
    run_id = BigInt(default=None)
    invoice_id = BigInt(null=True, default=None)
    statement_id = UUID(null=True, default=None)


class BilledVoucher(Table, tablename="billed_voucher"):
    """A voucher whose sale was billed by a draft or invoice (`invoice_id`) or by a statement (`statement_id`).

    Both columns are None if the run `run_id` made no document, because everything that was due cost nothing.
    """

    voucher_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    run_id = BigInt(default=None)
    invoice_id = BigInt(null=True, default=None)
    statement_id = UUID(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Billed:
    """The fees and the vouchers that were billed; `bool()` is False if there are none.

    `fees` maps a service and the first day of a period to the stretches of days for which the fee was billed. `charged`
    maps a service and the first day of such a stretch to the amount that was charged for it, but only for periods whose
    first day was not billed. `vouchers` are the ids of the vouchers.
    """

    fees: Mapping[tuple[Key, date], tuple[Period, ...]] = field(default_factory=dict)
    vouchers: frozenset[Key] = frozenset()
    charged: Mapping[PoolKey, Decimal] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.fees or self.vouchers)

    @classmethod
    def between(cls, before: BillingState, after: BillingState) -> "Billed":
        """Return what is billed in the state `after` a billing run but not in the state `before` it."""
        fees = {
            fee: new
            for fee, parts in after.billed_fees.items()
            if (new := tuple(part for part in parts if part not in before.billed_fees.get(fee, ())))
        }
        return cls(fees, after.billed_vouchers - before.billed_vouchers)


NOTHING_BILLED = Billed()


async def load(customer_ids: Collection[int]) -> Billed:
    """Return the fees and vouchers that have been billed to these customers."""
    rows = await current().fetch(
        "select service_id, period_start, active_from, active_until, null as voucher_id from billed_fee where customer_id = any($1)"
        " union all select null, null, null, null, voucher_id from billed_voucher where customer_id = any($1)",
        list(customer_ids),
    )
    late = await current().fetch(_CHARGED, list(customer_ids))
    fees: dict[tuple[Key, date], tuple[Period, ...]] = {}
    for row in rows:
        if row["voucher_id"] is None:
            fee = row["service_id"], row["period_start"]
            fees[fee] = (*fees.get(fee, ()), Period(row["active_from"], row["active_until"]))
    return Billed(
        fees,
        frozenset(row["voucher_id"] for row in rows if row["voucher_id"] is not None),
        {(row["service_id"], row["active_from"]): row["charged"] for row in late},
    )


# A credit for days after the end of the contract lowers what counts as charged for the line; any other credit does not.
_CHARGED = """
select b.service_id, b.active_from, coalesce(l.net, 0) - coalesce((
  select sum(c.net) from credit_line c
  where c.invoice_id = l.invoice_id and c.line_position = l.position and c.unused_from is not null), 0) as charged
from billed_fee b
left join invoice_line l on (l.invoice_id, l.service_id, l.period_start, l.active_from) = (b.invoice_id, b.service_id, b.period_start, b.active_from)
where b.customer_id = any($1)
  and not exists (select from billed_fee f where f.service_id = b.service_id and f.period_start = b.period_start and f.active_from = f.period_start)
"""


async def record(
    run_id: int, customer_id: int, of: BillingState, now: Billed, made: Mapping[Key, int | uuid.UUID | None]
) -> None:
    """Record which fees and vouchers a billing run has billed to a customer.

    `now` has the fees and vouchers that the engine billed; `of` is the customer's state before the run. `made` maps the
    id of a contract to the id of its draft or statement, or to None if the engine made no document for the contract. A
    contract whose document was too large to store is not in `made`, and its fees and vouchers are not recorded. The
    database refuses to bill anything twice.
    """
    contracts = {service.id: contract.id for contract in of.contracts for service in contract.services}
    first = {voucher.id: voucher.services[0] for voucher in of.vouchers}

    def row(service: Key) -> dict[str, object]:
        id = made[contracts[service]]
        return {
            "customer_id": customer_id,
            "run_id": run_id,
            "invoice_id": id if isinstance(id, int) else None,
            "statement_id": id if isinstance(id, uuid.UUID) else None,
        }

    fees = [
        row(service)
        | {"service_id": service, "period_start": start, "active_from": part.start, "active_until": part.end}
        for (service, start), parts in now.fees.items()
        for part in parts
        if contracts[service] in made
    ]
    vouchers = [voucher for voucher in now.vouchers if contracts[first[voucher]] in made]
    await insert_all(BilledFee, fees)
    await insert_all(BilledVoucher, [row(first[voucher]) | {"voucher_id": voucher} for voucher in vouchers])
