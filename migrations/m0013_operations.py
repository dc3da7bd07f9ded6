"""Let the operations page read which migrations have run."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0013"
VERSION = "1.38.0"
DESCRIPTION = "the state of the system"

SQL = """
grant select on migration to portal_app, portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
