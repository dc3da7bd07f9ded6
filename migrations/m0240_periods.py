"""Let contracts be billed by week and by half-year, with periods that begin on any day of the month."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0240"
VERSION = "1.38.0"
DESCRIPTION = "billing periods of a week and a half-year, on any day of the month"

SQL = """
alter table contract drop constraint contract_cycle_check, drop constraint contract_anchor_check;
alter table contract add constraint contract_cycle_check
  check (cycle in ('weekly', 'monthly', 'quarterly', 'half_yearly', 'yearly'));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
