"""Remember when each person last looked at a case."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0402"
VERSION = "1.38.0"
DESCRIPTION = "looks at cases"

SQL = """
create table case_look (
  credential_id bigint not null references credential,
  case_id bigint not null references cases,
  looked_at timestamptz not null,
  primary key (credential_id, case_id)
);
create index on case_look (case_id, credential_id);
alter table case_look enable row level security;
create policy own on case_look to portal_agent, portal_contact
  using (credential_id = (select app_credential())) with check (credential_id = (select app_credential()));
-- Whose case it is does not matter: a row says nothing about the case, and a case that the person may not see is in no list of theirs.
grant select, insert, update (looked_at) on case_look to portal_agent, portal_contact;

-- Since when messages are new for somebody who never looked: since they have a sign-in, and not what was there before this migration.
do $$ begin
  execute format('create function unread_since() returns timestamptz stable security definer set search_path = public, pg_temp language sql as %L',
    format('select greatest(created_at, %L::timestamptz) from credential where id = app_credential()',
      coalesce((select max(updated_at) from cases), '-infinity')));
end $$;
revoke execute on function unread_since from public;
grant execute on function unread_since to portal_agent, portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
