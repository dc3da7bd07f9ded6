"""Add the company's usual VAT rate, with which forms are prefilled."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0021"
VERSION = "1.38.0"
DESCRIPTION = "usual vat rate"

SQL = "alter table company add column vat_rate numeric(7,4) check (vat_rate between 0 and 100);"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
