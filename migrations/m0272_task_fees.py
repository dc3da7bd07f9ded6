"""Let a task cost a fixed fee instead of an hourly price."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0272"
VERSION = "1.38.0"
DESCRIPTION = "fixed fees of tasks"

SQL = """
-- Each billable entry with such a task costs the fee, however long it took. The approval fixes it, as it fixes an hourly rate.
alter table task add column fixed_fee numeric(15,3) check (fixed_fee >= 0);
alter table approval add column fixed_fee numeric(15,3),
  add constraint approval_fixed_fee check (fixed_fee is null or (fixed_fee >= 0 and hourly_rate is null));

-- A charged allocation has an hourly rate, or the fee that its approval fixed as its amount. (The constraint that is replaced has a number for a name.)
do $$ declare former text; begin
  select conname into strict former from pg_constraint
  where conrelid = 'allocation'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%hourly_rate IS NOT NULL%';
  execute format('alter table allocation drop constraint %I', former);
end $$;
alter table allocation
  add constraint allocation_price check (hourly_rate is null or kind in ('charged', 'held')),
  add constraint allocation_rate_source check ((hourly_rate is null) = (rate_source is null));
create function refuse_unpriced() returns trigger language plpgsql as $$
begin
  if exists (select 1 from added a where a.kind in ('charged', 'held') and a.hourly_rate is null and not exists (
      select 1 from approval p where p.entry_id = a.entry_id and p.withdrawn_at is null and a.kind = 'charged'
        and a.amount = round(p.fixed_fee, currency_digits(a.currency)))) then
    raise exception 'charged time has no price' using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create trigger priced after insert on allocation referencing new table as added for each statement execute function refuse_unpriced();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
