"""Links by which somebody who forgot their password chooses a new one stand beside invitations (R7)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0014"
VERSION = "1.38.0"
DESCRIPTION = "password resets"

SQL = """
-- The default stays: the release of before does not give it (R96).
alter table invitation add kind text not null default 'invitation' check (kind in ('invitation', 'reset'));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
