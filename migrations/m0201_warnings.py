"""Add the kinds of notices about deadlines that come near or have passed."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0201"
VERSION = "1.38.0"
DESCRIPTION = "warnings of deadlines"

SQL = """
-- The new kinds are added to whatever kinds there are.
do $$
declare
  rule text := (select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'notice'::regclass and conname = 'notice_kind_check');
begin
  alter table notice drop constraint notice_kind_check;
  execute 'alter table notice add constraint notice_kind_check '
    || replace(rule, 'ARRAY[', 'ARRAY[''case.ending''::text, ''case.overdue''::text, ');
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
