"""Add password resets to the table of invitations: links by which somebody sets a new password (R7)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0014"
VERSION = "1.38.0"
DESCRIPTION = "password resets"

SQL = """
-- The column keeps its default, because the previous release inserts rows without it (R96).
alter table invitation add kind text not null default 'invitation' check (kind in ('invitation', 'reset'));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
