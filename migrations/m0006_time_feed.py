"""Index time entries for the feed of a case, and add the form key that makes logging time idempotent."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-22T0006"
VERSION = "1.38.0"
DESCRIPTION = "time entries by when they were logged, form keys"

SQL = """
-- The feed sorts entries by when they were logged, and a case may have thousands (S1.12).
create index time_entry_logged on time_entry (case_id, created_at desc, id desc);
-- The key of the form that an entry came from. It makes logging idempotent: a form that is sent twice makes one entry.
alter table time_entry add column form_key uuid unique;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
