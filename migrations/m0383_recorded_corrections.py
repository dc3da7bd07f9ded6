"""Record in the log of changes who corrected a statement, of which contract, and why."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0383"
VERSION = "1.38.0"
DESCRIPTION = "corrections of statements recorded"

SQL = """
-- The id of a statement is a UUID, so `record_change` cannot record it. The subject is the contract, as it is for a download of a statement.
create function record_correction() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint,
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    'statement.insert', new.contract_id, jsonb_build_object('reason', jsonb_build_array(null, new.reason)));
  return null;
end $$;
revoke execute on function record_correction from public;
create trigger recorded after insert on statement for each row when (new.corrects_id is not null) execute function record_correction();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
