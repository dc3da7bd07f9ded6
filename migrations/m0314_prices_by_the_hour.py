"""Let the hours of evenings, weekends and holidays have a price of their own, and use the holidays of the company's calendar."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0314"
VERSION = "1.38.0"
DESCRIPTION = "prices by the hour of the work"

SQL = r"""
-- Lines such as "Mon-Fri 18:00-22:00 x1.5" or, all of a service alike, "Mon-Fri 18:00-22:00 at 150".
alter table service
  drop constraint service_windows_check,
  add constraint service_windows_check check (right(windows, 1) <> E'\n' and (
    windows ~ '^([A-Z][A-Za-z, -]*( [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})? x[0-9]{1,2}([.][0-9]{1,2})?(\n|$))+$'
    or windows ~ '^([A-Z][A-Za-z, -]*( [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})? at [0-9]{1,8}([.][0-9]{1,4})?(\n|$))+$')),
  -- Whether the public holidays and days off of the company's calendar count as holidays, too.
  add column calendar_holidays boolean not null default false,
  add constraint service_calendar_holidays check (not calendar_holidays or windows is not null);

-- The worked minutes of an entry in their order, each stretch with its factor or its hourly price, such as "60x1.5 30x1" or "30x1 60@150".
create or replace function stretched_minutes(stretches text) returns int immutable strict language sql as $$
  select sum(substring(part from '^[0-9]+')::int)::int from regexp_split_to_table(stretches, ' ') part
$$;
create or replace function counted_minutes(stretches text, worked int) returns int immutable language sql as $$
  select case when coalesce(stretches, '') = '' then worked else (
    select round(sum(substring(part from '^[0-9]+')::int * coalesce(substring(part from 'x(.*)$')::numeric, 1)))::int
    from regexp_split_to_table(stretches, ' ') part) end
$$;
alter table time_entry
  drop constraint time_entry_stretches,
  add constraint time_entry_stretches check (stretches is null or stretches = ''
    or (stretches ~ '^[1-9][0-9]*[x@][0-9]+([.][0-9]+)?( [1-9][0-9]*[x@][0-9]+([.][0-9]+)?)*$' and started_at is not null
        and stretched_minutes(stretches) = actual_minutes));

do $$ declare former text; begin
  select conname into strict former from pg_constraint
  where conrelid = 'approval'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%overage%';
  execute format('alter table approval drop constraint %I', former);
end $$;
alter table approval add constraint approval_rate_source check (
  rate_source in ('entry', 'schedule', 'overage', 'service+agent', 'service+role', 'service', 'customer+role', 'customer', 'role'));

-- A charged allocation has an hourly rate, or the fee that its approval fixed. A held one has an hourly rate, unless its minutes have several: then its
-- entry says which.
create or replace function refuse_unpriced() returns trigger language plpgsql as $$
begin
  if exists (select 1 from added a where a.kind in ('charged', 'held') and a.hourly_rate is null and not exists (
      select 1 from approval p where p.entry_id = a.entry_id and p.withdrawn_at is null and a.kind = 'charged'
        and a.amount = round(p.fixed_fee, currency_digits(a.currency))) and not exists (
      select 1 from time_entry e where e.id = a.entry_id and a.kind = 'held' and e.stretches like '%@%')) then
    raise exception 'charged time has no price' using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
