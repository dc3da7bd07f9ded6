"""Index the cases that wait for an agent, so that the counts in the navigation do not read all open cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-26T0011"
VERSION = "1.38.0"
DESCRIPTION = "an index of waiting cases"

SQL = """
create index cases_waiting on cases (updated_at desc, id desc) where status in ('waiting_for_customer', 'waiting_for_others');
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
