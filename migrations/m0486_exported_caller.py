"""Record downloads of what is held about a contact without a mail address, who has no credential."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0486"
VERSION = "1.38.0"
DESCRIPTION = "exports of contacts without a mail address"

SQL = """
-- As record_personal_export for a contact who has no credential. Only an admin may download it, because the contact cannot sign in.
create function record_contact_export(of_contact bigint) returns void security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if not exists (
    select from credential c join agent a on a.id = c.agent_id where c.id = app_credential() and a.grade = 'admin' and a.ended_at is null
  ) then
    raise insufficient_privilege using message = 'an admin downloads what is held about a contact';
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    app_credential(), coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    'contact.export', of_contact, '{"file": [null, "zip"]}');
end $$;
revoke execute on function record_contact_export from public;
grant execute on function record_contact_export to portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
