"""Warn contacts and agents, once, of prepaid hours that run out, vouchers that expire and contracts that end (S2.3).

Each warning is a row of the table `warning`. The row and its notices are inserted in one transaction. A worker that is
killed leaves both the row and the notices, or neither. If usage falls and rises again, nobody is warned a second time.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from portal.billing import FULL, Standing, standings
from portal.contracts.company import Company
from portal.database import current
from portal.notices.kinds import KINDS, Due
from portal.people.readers import SYSTEM
from portal.periods import today
from portal.words import Settlement

DAY = timedelta(days=1)
AHEAD = 30
"""How many days before the end of a voucher or contract people are warned.

If a quarter of the term of a voucher or contract is shorter than `AHEAD` days, people are warned when a quarter of the
term is left. For a contract that renews itself, the days are counted back from the last day on which notice can be
given.
"""
MORNING = 8
"""The hour of the day, in the company's time zone, from which people are warned of vouchers and contracts that end."""

_NOTICES = {"low": "hours.low", "used_up": "hours.low", "expiring": "hours.expiring", "ending": "contract.ending"}
"""The kind of notice by the kind of warning."""


class Reached(NamedTuple):
    """A reason to warn people once: prepaid hours that run out, a voucher that expires or a contract that ends.

    `kind` is a key of `_NOTICES`. `minutes` are the prepaid minutes that are left. All other fields are columns of the
    table `warning`.
    """

    customer_id: int
    kind: str
    service_id: int | None
    voucher_id: int | None
    contract_id: int | None
    day: date
    minutes: int


async def of_hours(customer_ids: Collection[int], at: datetime) -> list[Due]:
    """Record warnings for prepaid hours of these customers that are (nearly) used up, and return the notices to make.

    Prepaid hours are vouchers and the hours included in a contract. People are warned when at least `FULL` percent are
    used. The included hours of the present billing period and of the previous one are checked, because time is often
    approved late. A warning that was recorded before is not recorded again and yields no notices. The caller's
    transaction must run as `SYSTEM`. Call this after time was approved or a voucher became usable.
    """
    company = await Company.find()
    rows = await current().fetch(_PREPAID, list(customer_ids)) if company and customer_ids else []
    reached = []
    for row in rows:
        reached += await _of_customer(row["customer_id"], today(company.time_zone, at)) if company else []
    return await _warn(reached, at)


_PREPAID = (
    "select distinct customer_id from service where customer_id = any($1) and settlement <> 'time_spent' order by 1"
)


async def _of_customer(customer_id: int, on: date) -> list[Reached]:
    """Return the customer's included hours and vouchers that are used to at least `FULL` percent on the day `on`.

    The included hours are those of the present billing period and of the previous one.
    """
    found = [one for one in await standings(SYSTEM, customer_id, on) if one.is_prepaid]
    before: list[Standing] = []
    for day in sorted({one.period.start - DAY for one in found}):
        ids = [int(str(one.service.id)) for one in found if one.period.start - DAY == day]
        before += await standings(SYSTEM, customer_id, day, ids)
    reached = []
    for one in [*before, *found]:
        if one.service.settlement is Settlement.SUBSCRIPTION and (kind := _kind(one.included, one.granted)):
            left = one.granted - one.included
            reached.append(Reached(customer_id, kind, int(str(one.service.id)), None, None, one.period.start, left))
    for balance in {balance.voucher["id"]: balance for one in found for balance in one.vouchers}.values():
        size = balance.voucher["minutes"] - balance.voucher["credited_minutes"]
        is_usable = balance.state(on) in ("open", "used_up")
        if is_usable and (kind := _kind(size - balance.left, size)):
            row = balance.voucher
            reached.append(Reached(customer_id, kind, None, row["id"], None, row["valid_from"], balance.left))
    return reached


def _kind(used: int, size: int) -> str:
    """Return the kind of warning if `used` of `size` prepaid minutes are used: `used_up`, `low`, or "" for none."""
    if not size or used * 100 < size * FULL:
        return ""
    return "used_up" if used >= size else "low"


async def of_days(at: datetime) -> list[Due]:
    """Record a warning for each voucher that expires soon and each contract that ends soon; return the notices to make.

    The caller's transaction must run as `SYSTEM`. Call this at least once an hour. Before `MORNING`, nothing is due.
    Nobody is warned of the same end twice.
    """
    company = await Company.find()
    if company is None or at.astimezone(ZoneInfo(company.time_zone)).hour < MORNING:
        return []
    rows = await current().fetch(_ENDING, today(company.time_zone, at), AHEAD)
    return await _warn([Reached(**row) for row in rows], at)


_ENDING = """
select v.customer_id, 'expiring' as kind, null::bigint as service_id, v.id as voucher_id, null::bigint as contract_id, v.end_on as day,
  v.minutes - v.credited_minutes - u.drawn - u.reserved as minutes
from voucher v join voucher_use u on u.customer_id = v.customer_id and u.voucher_id = v.id
where v.end_on > $1 and v.end_on - $1 <= least($2, (v.end_on - v.valid_from) / 4)
  and u.usable and v.minutes - v.credited_minutes > u.drawn + u.reserved
  and not exists (select from warning w where w.kind = 'expiring' and w.voucher_id = v.id and w.day = v.end_on)
union all
select k.customer_id, 'ending', null, null, k.id, k.end_on, 0 from contract k
where k.end_on > $1 and k.end_on - case when k.renewal_months is null then 0 else coalesce(k.notice_days, 0) end - $1
    <= least($2, (k.end_on - k.start_on) / 4)
  and not exists (select from warning w where w.kind = 'ending' and w.contract_id = k.id and w.day = k.end_on)
order by customer_id, kind, voucher_id, contract_id
"""


async def _warn(reached: Iterable[Reached], at: datetime) -> list[Due]:
    """Record a warning for each of `reached`, and return the notices for the warnings that were not recorded before.

    For hours that are used up, the warning `low` is recorded too, without a notice, so that nobody is warned of low
    hours afterwards.
    """
    by_key = {one[2:6]: one for one in reached}
    rows = [one._replace(kind=kind) for one in by_key.values() for kind in {"low", one.kind} if _applies(kind, one)]
    if not rows:
        return []
    columns = zip(*(row[:6] for row in sorted(rows, key=str)), strict=True)
    new = await current().fetch(_RECORD, *columns, at)
    told = {row["id"]: one for row in new if (one := by_key[tuple(row)[2:]]).kind == row["kind"]}
    return [
        Due(KINDS[_NOTICES[told[row["id"]].kind]], row["credential_id"], row["id"], row["id"], at, told[row["id"]].minutes)
        for row in await current().fetch(_RECEIVERS, list(told))
    ]  # fmt: skip


def _applies(kind: str, one: Reached) -> bool:
    return one.kind in (kind, "used_up")


_RECORD = """
insert into warning (customer_id, kind, service_id, voucher_id, contract_id, day, at)
select r.*, $7 from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::date[]) r
on conflict do nothing returning id, kind, service_id, voucher_id, contract_id, day
"""

_RECEIVERS = """
with concerned as (
  select id, service_id from warning where id = any($1) and service_id is not null
  union all select w.id, x.service_id from warning w join voucher_service x on x.voucher_id = w.voucher_id where w.id = any($1)
  union all select w.id, s.id from warning w join service s on s.contract_id = w.contract_id where w.id = any($1)
), designated as (
  select distinct w.id, a.id as agent_id from concerned w join service_designation d on d.service_id = w.service_id
  join agent a on a.id = d.agent_id where a.grade = 'manager' and a.ended_at is null
)
select w.id, c.id as credential_id from warning w
join contact t on t.customer_id = w.customer_id and (t.sees_all_cases or t.sees_invoices) join credential c on c.contact_id = t.id
where w.id = any($1)
union all
select w.id, c.id from warning w
join agent a on a.grade <> 'agent' and a.ended_at is null
  and (a.id in (select agent_id from designated d where d.id = w.id) or not exists (select from designated d where d.id = w.id))
join credential c on c.agent_id = a.id where w.id = any($1)
"""
"""SQL for the recipients of warnings: the contacts who may see the hours, and the managers designated for the services.

If no manager is designated, all managers and admins are notified.
"""
