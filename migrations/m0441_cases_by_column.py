"""Let the list of cases be sorted by subject, customer and priority without reading all cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0441"
VERSION = "1.38.0"
DESCRIPTION = "cases by column"

# Sorting by customer reads `cases_customer_id_id_key`. Views that hold few cases are sorted from their own indexes.
SQL = """
create index cases_by_subject on cases (subject_folded, id);
create index cases_by_priority on cases (priority, id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
