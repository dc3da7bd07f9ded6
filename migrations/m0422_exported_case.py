"""Let downloads of one case, as a ZIP file, and of its log, as a CSV file, be recorded in the audit log."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0422"
VERSION = "1.38.0"
DESCRIPTION = "downloads of a case and of its log"

SQL = """
create or replace function record_export(subject text, subject_id bigint, kind text) returns void
security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if subject is null or kind is null or not (
    subject in ('invoice', 'statement', 'credit_note') and kind in ('pdf', 'csv') or subject = 'timesheet' and kind in ('csv', 'xlsx', 'xml')
    or subject in ('changes', 'potential', 'earnings', 'cases') and kind = 'csv' or subject = 'case' and kind in ('zip', 'csv')
  ) then
    raise check_violation using message = 'an export is a file of a document, a timesheet, a list of figures or cases, a case, or the audit';
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint,
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    subject || '.export', subject_id, jsonb_build_object('file', jsonb_build_array(null, kind)));
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
