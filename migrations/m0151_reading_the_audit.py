"""Create the indexes by which the audit log is filtered; record weekdays of working hours, and who downloads the log."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0151"
VERSION = "1.38.0"
DESCRIPTION = "reading the audit"

SQL = """
create index audit_by_time on audit (at, id);
create index audit_by_person on audit (credential_id, at, id);
-- Which changes mention a row, such as the rates of a customer. Time entries change in thousands and are found by their own rows.
create index audit_mentions on audit using gin (changes jsonb_path_ops) where what <> 'time_entry.update';

create or replace function record_change() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  becomes jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  changed jsonb;
begin
  select jsonb_object_agg(name, case when is_told(name) then jsonb_build_array(was -> name, becomes -> name) else 'null'::jsonb end)
  into changed
  from jsonb_object_keys(coalesce(becomes, was)) name
  where coalesce(was -> name, 'null') <> coalesce(becomes -> name, 'null');
  if changed is null then
    return null;
  end if;
  -- The subject of working hours is the agent, so only the weekday tells which row was changed.
  if tg_table_name = 'working_hours' then
    changed := changed || jsonb_build_object('weekday', jsonb_build_array(was -> 'weekday', becomes -> 'weekday'));
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    -- during a sign-in there is no credential yet, or that of an earlier session, which this one replaces
    coalesce(case when tg_table_name = 'session' and tg_op = 'INSERT' then (becomes ->> 'credential_id')::bigint end,
             nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint),
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    tg_table_name || '.' || lower(tg_op),
    coalesce(coalesce(becomes, was) ->> 'id', coalesce(becomes, was) ->> 'credential_id', coalesce(becomes, was) ->> 'agent_id')::bigint,
    changed);
  return null;
end $$;

create or replace function record_export(subject text, subject_id bigint, kind text) returns void
security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if subject is null or kind is null or not (
    subject in ('invoice', 'statement') and kind in ('pdf', 'csv') or subject = 'timesheet' and kind in ('csv', 'xlsx', 'xml')
    or subject = 'changes' and kind = 'csv'
  ) then
    raise check_violation using message = 'an export is a file of an invoice, a statement, a timesheet or the audit';
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
