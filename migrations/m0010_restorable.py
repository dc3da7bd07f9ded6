"""Bind `is_money()` to the function that it calls, because a dump is restored without a search path (R95)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-26T0010"
VERSION = "1.38.0"
DESCRIPTION = "dumps can be restored"

# A function body that is not a string is bound to the functions it names when it is created.
SQL = """
create or replace function is_money(amount numeric, currency char(3)) returns boolean immutable parallel safe
return amount is null or scale(trim_scale(amount)) <= currency_digits(currency);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
