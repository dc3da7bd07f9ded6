"""Let admins hide the list of first steps."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0176"
VERSION = "1.38.0"
DESCRIPTION = "first steps"

SQL = """
alter table company add column steps_dismissed_at timestamptz;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
