"""Find the cases that a person has looked at last without reading all that they ever looked at."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0450"
VERSION = "1.38.0"
DESCRIPTION = "latest looks"

SQL = "create index case_look_latest on case_look (credential_id, looked_at)"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
