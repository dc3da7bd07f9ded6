"""Record who downloaded which document (R89), and let the sign-in role enqueue mail."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0016"
VERSION = "1.38.0"
DESCRIPTION = "exports"

SQL = """
-- A download changes no row, so no trigger sees it. The app records it through this function, which can record nothing else.
create function record_export(subject text, subject_id bigint, kind text) returns void
security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if subject is null or subject not in ('invoice', 'statement') or kind is null or kind not in ('pdf', 'csv') then
    raise check_violation using message = 'an export is a file of an invoice or a statement';
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint,
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    subject || '.export', subject_id, jsonb_build_object('file', jsonb_build_array(null, kind)));
end $$;
revoke execute on function record_export from public;
grant execute on function record_export to portal_agent, portal_contact;

-- Whoever sets a password by a link has no session. The mail that tells the owner is enqueued in the same transaction.
grant select (id, entrypoint, priority, dedupe_key), insert on pgqueuer to portal_app;
grant insert on pgqueuer_log to portal_app;
grant usage on sequence pgqueuer_id_seq, pgqueuer_log_id_seq to portal_app;

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
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
