"""Unassign the open cases of an agent who leaves, unless they were handed over by the end of the transaction."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0027"
VERSION = "1.38.0"
DESCRIPTION = "ending an agent releases their open cases"

SQL = """
create function release_cases_of_who_left() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  update cases set agent_id = agent_id where agent_id = new.id and status not in ('resolved', 'closed');
  return null;
end $$;
-- The trigger is deferred to the commit, so that the verb can name a successor first.
create constraint trigger releases_cases after update of ended_at on agent deferrable initially deferred
  for each row when (new.ended_at is not null) execute function release_cases_of_who_left();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
