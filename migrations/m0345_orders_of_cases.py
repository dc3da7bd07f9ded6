"""Index views and orders of the list of cases: by department, by whose turn it is, ending soon, latest deadline first."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0345"
VERSION = "1.38.0"
DESCRIPTION = "orders of the list of cases"

SQL = """
create index cases_of_department on cases (department_id, updated_at desc, id desc) where status not in ('resolved', 'closed');
create index cases_of_agent_by_turn on cases (agent_id, (status in ('new', 'open')) desc, updated_at desc, id desc)
  where status not in ('resolved', 'closed');
-- Cases without a deadline come last in both directions, so the indexes of m0202 cannot be read backwards.
create index cases_by_due_reversed on cases (due_at desc nulls last, id desc) where status not in ('resolved', 'closed');
create index cases_of_agent_by_due_reversed on cases (agent_id, due_at desc nulls last, id desc)
  where status not in ('resolved', 'closed');
-- Between `soon_at` and `due_at`, a case is ending soon.
create index cases_ending_soon on cases using gist (tstzrange(soon_at, due_at))
  where due_at is not null and status not in ('resolved', 'closed');
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
