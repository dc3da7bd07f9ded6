"""Let a contract say whether the time detail is printed on its invoices."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0196"
VERSION = "1.38.0"
DESCRIPTION = "printed time detail"

SQL = """
alter table contract add column prints_detail boolean not null default false;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
