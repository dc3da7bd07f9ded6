"""Let admins say which case types contacts may choose."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0211"
VERSION = "1.38.0"
DESCRIPTION = "case types for contacts"

SQL = """
alter table case_type add column for_contacts boolean not null default true;
create policy of_a_type_for_contacts on cases as restrictive for insert to portal_contact
  with check (exists (select from case_type t where t.id = case_type_id and t.for_contacts));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
