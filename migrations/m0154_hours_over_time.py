"""Give working hours a first day, so that a change of them moves no targets of earlier weeks."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0154"
VERSION = "1.38.0"
DESCRIPTION = "working hours from a day on"

SQL = """
-- The hours hold from this day until the agent's next ones begin. Those from before this column hold from the start.
alter table working_hours add column effective_from date not null default '2000-01-01';
alter table working_hours alter column effective_from drop default;
alter table working_hours drop constraint working_hours_pkey;
alter table working_hours add primary key (agent_id, effective_from, weekday);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
