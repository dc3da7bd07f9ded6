"""Let contacts read what is used and left of their services and vouchers, without reading single time entries."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0230"
VERSION = "1.38.0"
DESCRIPTION = "what is used and left"

SQL = """
-- Contacts have no grant on time, allocations and moves. What follows runs as the owner and returns only sums, and only those of the contact's own
-- customer; agents get those of all customers.
create function may_read_usage(of_customer bigint) returns boolean stable language sql as $$
  select of_customer = app_customer() or current_setting('role', true) = 'portal_agent'
$$;

-- The minutes of services in periods of days, by what pays for them. `included` is what the included minutes of the period that begins on that day paid
-- for; `pending` is billable time that is not approved yet.
create function used_minutes(services bigint[], starts date[], ends date[])
returns table (service_id bigint, included int, vouchers int, charged int, free int, held int, pending int)
stable security definer set search_path = public, pg_temp language sql as $$
  select p.service_id, p.included, a.vouchers, a.charged, a.free, a.held, e.pending
  from (
    select w.*, s.customer_id, (
      select coalesce(sum(a.minutes), 0)::int from allocation a
      where a.customer_id = s.customer_id and a.pool_service_id = s.id and a.period_start = w.start_on) as included
    from unnest(services, starts, ends) as w (service_id, start_on, end_on) join service s on s.id = w.service_id
    where may_read_usage(s.customer_id)) p
  cross join lateral (
    select coalesce(sum(a.minutes) filter (where a.kind = 'voucher'), 0)::int as vouchers,
      coalesce(sum(a.minutes) filter (where a.kind = 'charged'), 0)::int as charged,
      coalesce(sum(a.minutes) filter (where a.kind = 'no_charge'), 0)::int as free,
      coalesce(sum(a.minutes) filter (where a.kind = 'held'), 0)::int as held
    from time_entry e join allocation a on a.entry_id = e.id
    where e.service_id = p.service_id and e.work_date >= p.start_on and e.work_date < p.end_on) a
  cross join lateral (
    select coalesce(sum(e.billable_minutes), 0)::int as pending from time_entry e
    where e.service_id = p.service_id and e.work_date >= p.start_on and e.work_date < p.end_on
      and e.state in ('draft', 'submitted') and e.billing = 'billable') e
$$;

-- Whether a voucher pays for time already (D25). A sale at 0.00 has no invoice and needs none.
create function is_usable(v voucher) returns boolean
stable security definer set search_path = public, pg_temp language sql as $$
  select v.usable_once = 'sold' or exists (
    select 1 from billed_voucher b left join invoice_balance o on o.invoice_id = b.invoice_id
    where b.voucher_id = v.id and (b.invoice_id is null or (o.invoice_id is not null and (v.usable_once = 'issued' or o.open <= 0))))
$$;

-- What is left of each voucher follows from the minutes that documents drew from it and those that approved time will draw.
create view voucher_use with (security_barrier = true) as
select v.id as voucher_id, v.customer_id, is_usable(v) as usable, (select invoice_id from billed_voucher where voucher_id = v.id) as sale_id,
  coalesce((select sum(m.minutes) from voucher_move m where m.voucher_id = v.id), 0)::int as drawn,
  coalesce((select sum(a.minutes) from allocation a where a.voucher_id = v.id
            and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)), 0)::int as reserved
from voucher v where may_read_usage(v.customer_id);

-- The ledger of a voucher, with what was left after each move, and the day of the work.
create view voucher_ledger with (security_barrier = true) as
select m.id, m.customer_id, m.voucher_id, m.entry_id, m.at, m.minutes, e.work_date,
  v.minutes - sum(m.minutes) over (partition by m.voucher_id order by m.id) as left_then
from voucher_move m join voucher v on v.id = m.voucher_id left join time_entry e on e.id = m.entry_id
where may_read_usage(m.customer_id);

revoke execute on function used_minutes, is_usable from public;
grant execute on function used_minutes, is_usable to portal_agent, portal_contact;
grant select on voucher_use, voucher_ledger to portal_agent, portal_contact;
grant select on voucher, voucher_service to portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
