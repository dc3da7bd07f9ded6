"""Index cases by project, so that the cases of a project are found quickly however many cases there are."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0101"
VERSION = "1.38.0"
DESCRIPTION = "index of the cases of a project"

SQL = """
create index cases_of_project on cases (project_id, updated_at desc, id desc) where project_id is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
