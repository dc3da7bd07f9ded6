"""Record what a billing run failed to bill, with a sentence that says why."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0060"
VERSION = "1.38.0"
DESCRIPTION = "failed billing"

SQL = """
alter table skipped_entry drop constraint skipped_entry_reason_check;
alter table skipped_entry add constraint skipped_entry_reason_check
  check (reason in ('not_approved', 'held', 'customer_unticked', 'too_large', 'failed'));
alter table skipped_entry add column sentence text check ((sentence is not null) = (reason = 'failed'));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
