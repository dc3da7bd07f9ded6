"""Index the deletions of time entries by their instant."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0143"
VERSION = "1.38.0"
DESCRIPTION = "index of deleted time"

SQL = "create index entry_version_deleted on entry_version (at, id) where verb = 'deleted';"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
