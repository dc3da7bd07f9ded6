"""Let the worker begin billing runs on a schedule."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0301"
VERSION = "1.38.0"
DESCRIPTION = "schedule of billing"

SQL = """
-- When runs begin by themselves; at most one row.
create table billing_schedule (
  id smallint primary key default 1 check (id = 1),
  cycle text not null check (cycle in ('off', 'monthly', 'weekly')),
  month_day smallint not null check (month_day between 1 and 28),
  week_day smallint not null check (week_day between 1 and 7),    -- 1 is Monday
  outcome text not null check (outcome in ('drafts', 'issue')),
  -- In whose name the runs bill.
  set_by_id bigint not null references agent,
  -- The day of the schedule for which a run has begun, or which had passed when the schedule was set: no earlier day gets a run.
  last_day date not null
);
create index on billing_schedule (set_by_id);
grant select, insert, update on billing_schedule to portal_agent;
create trigger recorded after insert or delete on billing_schedule for each row execute function record_change();
create trigger recorded_change after update on billing_schedule for each row
  when ((old.cycle, old.month_day, old.week_day, old.outcome) is distinct from (new.cycle, new.month_day, new.week_day, new.outcome))
  execute function record_change();

-- Customers whom runs on schedule leave out.
create table unscheduled_customer (
  customer_id bigint primary key references customer
);
grant select, insert, delete on unscheduled_customer to portal_agent;
create trigger recorded after insert or delete on unscheduled_customer for each row execute function record_change();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
