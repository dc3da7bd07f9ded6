"""Let a billing run bill one customer after another, so that its progress shows and it continues after a crash."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0300"
VERSION = "1.38.0"
DESCRIPTION = "billing runs by customer"

SQL = """
alter table billing_run
  -- Whether the drafts are issued as soon as they are made.
  add column issues boolean not null default false,
  add column scheduled boolean not null default false,
  -- Null while customers of the run still wait.
  add column finished_at timestamptz;
-- The audit log tells who started a run; how far the run is, is not a change that somebody made.
drop trigger recorded on billing_run;
update billing_run set finished_at = run_at;
create trigger recorded after insert on billing_run for each row execute function record_change();
create index billing_run_under_way on billing_run (id) where finished_at is null;
-- A run that found nothing is removed again.
grant delete, update (finished_at) on billing_run to portal_agent;
grant delete on skipped_entry to portal_agent;

-- A customer whom a run bills: each in one transaction, which sets done_at.
create table run_customer (
  run_id bigint not null references billing_run on delete cascade,
  customer_id bigint not null references customer,
  done_at timestamptz,
  -- What of this customer was refused, and why.
  sentence text check (sentence <> ''),
  primary key (run_id, customer_id),
  check (sentence is null or done_at is not null)
);
create index on run_customer (customer_id);
create index run_customer_waiting on run_customer (run_id, customer_id) where done_at is null;
grant select, insert, update (done_at, sentence) on run_customer to portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
