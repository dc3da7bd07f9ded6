"""Store how many entries a customer of a billing run may have, so that the run bills several small customers at once."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0490"
VERSION = "1.38.0"
DESCRIPTION = "billing runs in groups"

# The customers of a run that is under way now, or that the previous release begins before the restart, count as large, so that each is
# billed alone.
SQL = """
alter table run_customer add column entries int not null default 1000000 check (entries >= 0);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
