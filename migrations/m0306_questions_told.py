"""Let managers be notified of questions about invoices and of renewed contracts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0306"
VERSION = "1.38.0"
DESCRIPTION = "notices of questions and renewals"

SQL = """
do $$ declare known text; begin
  select pg_get_constraintdef(oid) into known from pg_constraint where conname = 'notice_kind_check';
  alter table notice drop constraint notice_kind_check;
  execute 'alter table notice add constraint notice_kind_check '
    || replace(known, 'ARRAY[', 'ARRAY[''invoice.asked''::text, ''contract.renewed''::text, ');
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
