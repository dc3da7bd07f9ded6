"""Make form keys unique per author, because they are looked up by key and author."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0035"
VERSION = "1.38.0"
DESCRIPTION = "form keys per agent"

SQL = """
alter table time_entry drop constraint time_entry_form_key_key;
create unique index time_entry_form on time_entry (form_key, entered_by_id) where form_key is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
