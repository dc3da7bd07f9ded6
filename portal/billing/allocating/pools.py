"""Load the pools of prepaid minutes, and the minutes that settled time has drawn from each pool.

A pool is a voucher, or the included minutes of a service in one period. The included minutes are not stored, because
they follow from the terms of the service.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from portal.billing.allocating import rolling
from portal.billing.engine import Key, PoolKey, RolledMinutes, Voucher
from portal.database import current

LONGEST_PERIOD = timedelta(days=366)

_VOUCHERS = """
select v.id, v.customer_id, v.label, v.minutes - v.credited_minutes as minutes, v.price, v.currency,
       v.sold_on, v.valid_from, v.end_on, v.sold_elsewhere,
       is_usable(v) as usable, array_agg(x.service_id order by x.position) as services
from voucher v join voucher_service x on x.voucher_id = v.id where v.customer_id = any($1) group by v.id order by v.id
"""

_DRAWN = """
select a.pool_service_id as pool, a.period_start, sum(a.minutes) as minutes
from allocation a join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
where a.customer_id = any($1) and a.period_start >= least($2, (
  -- What rolls into the present period follows from what was drawn since a run last closed one.
  select min(coalesce((select max(r.period_start) from rolled_minutes r where r.service_id = s.id), '-infinity'))
  from service s where s.customer_id = any($1) and s.rollover_periods is not null))
group by 1, 2
union all
select a.voucher_id, null, sum(a.minutes)
from voucher v join allocation a on a.customer_id = v.customer_id and a.voucher_id = v.id
join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
where v.customer_id = any($1) and (v.end_on is null or v.end_on > $3) group by 1
"""


@dataclass(frozen=True, slots=True)
class Pools:
    """The vouchers of some customers, by customer id and currency, and the minutes drawn from pools by settled entries.

    A voucher that is not usable yet has 0 minutes. `sold_elsewhere` holds the ids of the vouchers that are never
    billed. `rolled` has the minutes that were rolled over into a period, for each period whose predecessor a run has
    closed.
    """

    vouchers: Mapping[tuple[int, str], list[Voucher]] = field(default_factory=dict)
    drawn: Mapping[PoolKey, int] = field(default_factory=dict)
    sold_elsewhere: frozenset[Key] = frozenset()
    rolled: Mapping[PoolKey, tuple[RolledMinutes, ...]] = field(default_factory=dict)


NO_POOLS = Pools()


async def load_pools(customer_ids: Collection[int], earliest: date, *, rolls: bool) -> Pools:
    """Return the vouchers of these customers, and what was drawn from pools that can pay for days from `earliest` on.

    Minutes drawn from pools that ended before `earliest` may be missing. `rolls` says whether minutes roll over, or
    ever did, for any service of these customers.
    """
    ids = sorted(customer_ids)
    rows = await current().fetch(_VOUCHERS, ids)
    first = earliest - LONGEST_PERIOD if earliest > date.min + LONGEST_PERIOD else date.min
    drawn = await current().fetch(_DRAWN, ids, first, earliest)
    vouchers = defaultdict(list)
    for row in rows:
        vouchers[row["customer_id"], row["currency"]].append(_voucher(row))
    return Pools(
        vouchers,
        {(row["pool"], row["period_start"]): row["minutes"] for row in drawn},
        frozenset(row["id"] for row in rows if row["sold_elsewhere"]),
        await rolling.load(ids) if rolls else {},
    )


def _voucher(row: Any) -> Voucher:
    return Voucher(
        id=row["id"],
        label=row["label"],
        services=tuple(row["services"]),
        minutes=row["minutes"] if row["usable"] else 0,
        price=row["price"],
        sold=row["sold_on"],
        valid_from=row["valid_from"],
        valid_until=row["end_on"],
    )
