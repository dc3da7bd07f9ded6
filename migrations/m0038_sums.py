"""Allow line positions beyond 32,767, and let a run record that it skipped time that is too much for one document."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0038"
VERSION = "1.38.0"
DESCRIPTION = "sums"

SQL = """
alter table invoice_line alter column position type int;
alter table detail_row alter column line_position type int;

alter table skipped_entry drop constraint skipped_entry_reason_check;
alter table skipped_entry add constraint skipped_entry_reason_check
  check (reason in ('not_approved', 'held', 'customer_unticked', 'too_large'));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
