"""Record in the audit when second factors or recovery codes are added, replaced or removed, not each use (R89)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0018"
VERSION = "1.38.0"
DESCRIPTION = "factors in audit"

SQL = """
-- Each use changes `last_step` or `sign_count`. A row for each sign-in would hide the one row that tells of a replaced secret.
drop trigger recorded on authenticator;
create trigger recorded after insert or delete on authenticator for each row execute function record_change();
create trigger recorded_change after update on authenticator for each row
  when (old.created_at is distinct from new.created_at) execute function record_change();
drop trigger recorded on passkey;
create trigger recorded after insert or delete on passkey for each row execute function record_change();
create trigger recorded_change after update on passkey for each row
  when ((old.name, old.handle, old.public_key) is distinct from (new.name, new.handle, new.public_key)) execute function record_change();

-- Ten codes are made at once, so one row records how many.
create function record_codes() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  insert into audit (credential_id, address, request, what, subject_id, changes)
  select nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint,
         coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
         'recovery_code.insert', credential_id, jsonb_build_object('codes', jsonb_build_array(null, count(*)))
  from added group by credential_id;
  return null;
end $$;
create trigger recorded after insert on recovery_code referencing new table as added for each statement execute function record_codes();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
