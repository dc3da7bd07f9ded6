"""Approvals that were given together can be taken back together; lists of waiting time cost what they show."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0032"
VERSION = "1.38.0"
DESCRIPTION = "approvals given together, indexes for waiting time"

SQL = """
-- What one manager approved in one step shares its `decision`; approvals of before stand alone.
alter table approval add column decision uuid not null default gen_random_uuid();
alter table approval alter column decision drop default;
create index on approval (decision);
create index approval_latest on approval (approved_at desc, id desc) where withdrawn_at is null;

-- Counts and sums of what waits are read from the index alone, and a page of it is a range of one agent's part.
drop index time_entry_waiting;
create index time_entry_waiting on time_entry (agent_id, work_date desc, id desc)
  include (state, customer_id, billable_minutes) where state in ('draft', 'submitted');

-- "Same text as an earlier entry": found without reading all time of the case.
create index time_entry_same_text on time_entry (case_id, agent_id, md5(external_comment))
  where case_id is not null and external_comment <> '';
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
