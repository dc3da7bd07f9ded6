"""Record downloads of the invoicing potential, and of revenue and profit."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0280"
VERSION = "1.38.0"
DESCRIPTION = "downloads of potential and earnings"

SQL = """
create or replace function record_export(subject text, subject_id bigint, kind text) returns void
security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if subject is null or kind is null or not (
    subject in ('invoice', 'statement', 'credit_note') and kind in ('pdf', 'csv') or subject = 'timesheet' and kind in ('csv', 'xlsx', 'xml')
    or subject in ('changes', 'potential', 'earnings') and kind = 'csv'
  ) then
    raise check_violation using message = 'an export is a file of a document, a timesheet, a list of figures or the audit';
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
