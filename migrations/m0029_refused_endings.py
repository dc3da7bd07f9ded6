"""Create the list of further file name extensions that admins refuse, beside those of executables (R56)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0029"
VERSION = "1.38.0"
DESCRIPTION = "refused endings"

SQL = """
create table refused_ending (
  ending text primary key check (ending ~ '^[a-z0-9_+~-]{1,16}$')
);
-- The sign-in role reads the list, because files are checked before the transaction knows who sent the form.
grant select on refused_ending to portal_app;
grant select, insert, delete on refused_ending to portal_agent;
create trigger recorded after insert or delete on refused_ending for each row execute function record_change();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
