"""Record changes to access, prices, the company, submitted time and documents by triggers (R89, R90)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0015"
VERSION = "1.38.0"
DESCRIPTION = "audit"

SQL = """
create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  credential_id bigint,
  address text not null,
  request text not null,
  what text not null,
  subject_id bigint,
  changes jsonb not null
);
create index on audit (subject_id, what);
create trigger append_only before update or delete on audit for each row execute function refuse_change();

-- Whether the audit may repeat a column's values. Names and secrets are recorded as changed, without old and new value (D58).
create function is_told(name text) returns boolean immutable parallel safe language sql as $$
  select name <> all (array['name', 'legal_name', 'email', 'phone', 'street', 'postcode', 'city', 'vat_id', 'bank_name', 'iban', 'bic',
    'external_comment', 'description', 'order_reference', 'password_hash', 'token_hash', 'secret', 'last_step', 'handle', 'public_key',
    'sign_count', 'browser', 'last_used_at', 'parties'])
$$;

-- The trigger runs as the owner, so that the app's roles can neither skip it nor write rows of their own.
create function record_change() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
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
    -- during a sign-in there is no credential yet
    coalesce(nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint,
             case when tg_table_name = 'session' and tg_op = 'INSERT' then (becomes ->> 'credential_id')::bigint end),
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    tg_table_name || '.' || lower(tg_op),
    coalesce(coalesce(becomes, was) ->> 'id', coalesce(becomes, was) ->> 'credential_id', coalesce(becomes, was) ->> 'agent_id')::bigint,
    changed);
  return null;
end $$;

do $$ declare name text; begin
  foreach name in array array['agent', 'contact', 'designation', 'customer', 'invitation', 'authenticator', 'passkey',
                              'company', 'role', 'rate', 'contract', 'service', 'billing_run'] loop
    execute format('create trigger recorded after insert or update or delete on %I for each row execute function record_change()', name);
  end loop;
end $$;
create trigger recorded after insert or delete on credential for each row execute function record_change();
create trigger recorded_change after update on credential for each row
  when (old.* is distinct from new.*) execute function record_change();
create trigger recorded after insert on session for each row execute function record_change();
create trigger recorded_end after update on session for each row
  when (old.ended_at is distinct from new.ended_at) execute function record_change();
create trigger recorded after update on time_entry for each row
  when (old.state <> 'draft' and old.* is distinct from new.*) execute function record_change();
create trigger recorded_end after delete on time_entry for each row when (old.state <> 'draft') execute function record_change();
create trigger recorded after update on invoice for each row
  when (old.state is distinct from new.state) execute function record_change();

grant select on audit to portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
