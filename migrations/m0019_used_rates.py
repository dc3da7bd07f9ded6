"""Index approvals by their rate, so that the list of rates learns quickly which ones have been used."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0019"
VERSION = "1.38.0"
DESCRIPTION = "used rates"

SQL = "create index approval_at_rate on approval (rate_id);"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
