"""Index open cases by customer, so that counting them reads no rows."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-27T0017"
VERSION = "1.38.0"
DESCRIPTION = "index of open cases by customer and contact"

SQL = """
create index cases_open_of_contacts on cases (customer_id, contact_id) where status not in ('resolved', 'closed');
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
