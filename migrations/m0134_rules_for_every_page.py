"""Let the role that looks up sessions read all rules of time, because the query for a session reads them too."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0134"
VERSION = "1.38.0"
DESCRIPTION = "rules of time beside the session"

SQL = "grant select on time_rules to portal_app;"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
