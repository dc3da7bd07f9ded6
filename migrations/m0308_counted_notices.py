"""Let admins count the notices of a person whom they are about to erase."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0308"
VERSION = "1.38.0"
DESCRIPTION = "counted notices"

SQL = """
-- Row-level security lets agents see their own notices alone. Nobody but an admin gets another number than 0.
create function notices_of(person bigint) returns bigint stable security definer set search_path = public, pg_temp language sql as $$
  select count(*) from notice where credential_id = person and exists (
    select from credential c join agent a on a.id = c.agent_id
    where c.id = app_credential() and a.grade = 'admin' and a.ended_at is null)
$$;
revoke execute on function notices_of from public;
grant execute on function notices_of to portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
