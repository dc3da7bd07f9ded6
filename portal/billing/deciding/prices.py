"""Read the hourly prices of an approved entry, and say from which rate or setting each price comes (D17, D18)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.billing.engine import RateSource
from portal.database import current
from portal.people.readers import AgentReader

WHY = {
    RateSource.ENTRY: "the price that was set for this entry",
    RateSource.SCHEDULE: "the price of these hours under “{service}”",
    RateSource.OVERAGE: "the rate of “{service}” beyond its prepaid hours",
    RateSource.SERVICE_AGENT: "the rate of {agent} under “{service}”",
    RateSource.SERVICE_ROLE: "the rate of the role {role} under “{service}”",
    RateSource.SERVICE: "the rate of “{service}”",
    RateSource.CUSTOMER_ROLE: "the rate of the role {role} for {customer}",
    RateSource.CUSTOMER: "the rate of {customer}",
    RateSource.ROLE: "the rate of the role {role}",
}
"""Where a price comes from, in words that continue a sentence."""


@dataclass(frozen=True, slots=True)
class PricedMinutes:
    """Minutes of one entry that are charged or held at one hourly price.

    `why` says where the price comes from. `since` is the day from which the rate has been in force, or None if the
    price does not come from a dated rate.
    """

    minutes: int
    hourly_rate: Decimal
    currency: str
    why: str
    since: date | None


_PRICES = """
select a.minutes, a.hourly_rate, a.currency::text, a.rate_source, s.name as service, g.name as agent, u.name as customer,
  coalesce(p.role_name, '') as role, case when a.rate_source = p.rate_source then r.effective_from end as since
from (select entry_id, currency, hourly_rate, rate_source, sum(minutes)::int as minutes, min(position) as place from allocation
      where entry_id = $1 and hourly_rate is not null group by 1, 2, 3, 4) a
join time_entry e on e.id = a.entry_id join service s on s.id = e.service_id join agent g on g.id = e.agent_id join customer u on u.id = e.customer_id
join approval p on p.entry_id = e.id and p.withdrawn_at is null left join rate r on r.id = p.rate_id
order by a.place, a.hourly_rate
"""


async def prices_of(entry_id: int, reader: AgentReader) -> list[PricedMinutes]:
    """Return the prices of an approved entry in the order in which its minutes are allocated.

    The list is empty if `reader` is not a manager.
    """
    rows = await current().fetch(_PRICES, entry_id) if reader.is_manager else []
    return [
        PricedMinutes(
            row["minutes"],
            row["hourly_rate"],
            row["currency"],
            WHY[RateSource(row["rate_source"])].format(**row),
            row["since"],
        )
        for row in rows
    ]
