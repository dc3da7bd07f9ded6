"""Store the included minutes that roll over into the next period when a billing run closes a period (D26)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from piccolo.columns import BigInt, Date, Integer
from piccolo.table import Table

from portal.billing.engine import BillingState, Key, PoolKey, RolledMinutes
from portal.database import current
from portal.database.rows import insert_all
from portal.periods import period_of


class StoredRolled(Table, tablename="rolled_minutes"):
    """Included minutes that rolled over into the period that begins on `period_start`.

    The minutes come from the earlier period that began on `origin`. They may roll over `periods` more times. `run_id`
    is the billing run that closed the period before `period_start`. The primary key is `service_id`, `period_start`
    and `origin`.
    """

    customer_id = BigInt(default=None)
    service_id = BigInt(primary_key=True, default=None)
    period_start = Date(default=None)
    origin = Date(default=None)
    minutes = Integer(default=None)
    periods = Integer(default=None)
    run_id = BigInt(default=None)


async def load(customer_ids: Collection[int]) -> dict[PoolKey, tuple[RolledMinutes, ...]]:
    """Return the minutes that rolled over into each period of these customers' services, the oldest first.

    A key is a service id and the first day of a period. A period is a key only if a run has closed the period before
    it; the value is empty if nothing rolled over.
    """
    found: dict[PoolKey, list[RolledMinutes]] = defaultdict(list)
    for row in await current().fetch(
        "select service_id, period_start, origin, minutes, periods from rolled_minutes where customer_id = any($1)"
        " order by service_id, period_start, origin",
        sorted(customer_ids),
    ):
        kept = found[row["service_id"], row["period_start"]]
        if row["minutes"]:
            kept.append(RolledMinutes(row["origin"], row["minutes"], row["periods"]))
    return {key: tuple(rolled) for key, rolled in found.items()}


async def record(
    run_id: int, customer_id: int, before: BillingState, after: BillingState, billed: Collection[Key]
) -> None:
    """Store the minutes that roll over from the periods that a billing run has closed.

    `before` and `after` are the states of the customer before and after the run. `billed` are the ids of the contracts
    that the run billed; periods of other contracts stay open. If none of the minutes that a closed period includes roll
    over, a row with 0 minutes is stored, which marks the period as closed. The caller has locked the customer.
    """
    places = before.places()
    rows = []
    for (service, start), rolled in after.rolled.items():
        if (service, start) in before.rolled or start is None or (contract := places[service][0]).id not in billed:
            continue
        closed = period_of(contract.anchor, contract.cycle, date.fromordinal(start.toordinal() - 1)).start
        of = {"customer_id": customer_id, "service_id": service, "period_start": start, "run_id": run_id}
        by_origin = {closed: RolledMinutes(closed, 0, 0)} | {each.origin: each for each in rolled}
        rows += [
            of | {"origin": each.origin, "minutes": each.minutes, "periods": each.periods}
            for each in by_origin.values()
        ]
    await insert_all(StoredRolled, rows)


_REOPEN = """
delete from rolled_minutes r using service s
where s.id = r.service_id and s.contract_id = $1 and r.run_id = $2
  and not exists (select 1 from rolled_minutes later where later.service_id = r.service_id and later.period_start > r.period_start
                  and later.run_id <> r.run_id)
  and not exists (select 1 from allocation a join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
                  where a.customer_id = r.customer_id and a.pool_service_id = r.service_id and a.period_start >= r.period_start
                    and a.rolled_from is not null)
"""


async def reopen(contract_id: int, run_id: int) -> None:
    """Reopen the periods of a contract that a billing run closed, after the draft of that run was deleted.

    A period stays closed if settled time in a later period has used minutes that rolled over, or if another run has
    closed a later period. The caller has locked the customer, and recomputes the allocations afterwards.
    """
    await current().execute(_REOPEN, contract_id, run_id)
