"""Let open cases be sorted by their deadlines."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0202"
VERSION = "1.38.0"
DESCRIPTION = "cases by deadline"

SQL = """
-- Lists also show open cases without a deadline, so the indexes have those too.
create index cases_by_due on cases (due_at, id) where status not in ('resolved', 'closed');
create index cases_of_agent_by_due on cases (agent_id, due_at, id) where status not in ('resolved', 'closed');
drop index cases_due_first;
drop index cases_due_of_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
