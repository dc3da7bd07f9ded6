"""Record which approvals were given in one decision, so that they can be undone together, and index waiting time."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0032"
VERSION = "1.38.0"
DESCRIPTION = "approvals given together, indexes for waiting time"

SQL = """
-- Approvals that a manager gave in one step share a `decision`. Earlier approvals have none.
alter table approval add column decision uuid not null default gen_random_uuid();
alter table approval alter column decision drop default;
create index on approval (decision);
create index approval_latest on approval (approved_at desc, id desc) where withdrawn_at is null;

-- Counts and sums of waiting time need the columns of this index only. A page reads one range of it for each agent shown.
drop index time_entry_waiting;
create index time_entry_waiting on time_entry (agent_id, work_date desc, id desc)
  include (state, customer_id, billable_minutes) where state in ('draft', 'submitted');

-- Finds the earlier entry of the same agent with the same text on a case, without reading all time of that case.
create index time_entry_same_text on time_entry (case_id, agent_id, md5(external_comment))
  where case_id is not null and external_comment <> '';
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
