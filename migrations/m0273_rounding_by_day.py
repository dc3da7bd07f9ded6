"""Let a service round the sum of a day's minutes instead of each entry."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0273"
VERSION = "1.38.0"
DESCRIPTION = "rounding by case, service, agent and day"

SQL = """
alter table service add column rounding_per text not null default 'entry' check (rounding_per in ('entry', 'day'));
-- Time that was logged while its service rounds by day counts as it was worked, until it is approved; then its day is rounded once, and the last
-- approved entry of the day takes the difference. Documents keep what they have settled.
alter table time_entry add column rounded_by_day boolean not null default false,
  add constraint time_entry_rounded_by_day check (not rounded_by_day or (override_reason is null and billing <> 'not_billable'));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
