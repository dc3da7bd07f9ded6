"""Let a line that charges a product have the VAT of the product."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0322"
VERSION = "1.38.0"
DESCRIPTION = "products on invoice lines"

SQL = """
-- The product on the price list that a line added by hand charges; null for a free text. Its VAT applies to the line, not that of the service.
alter table invoice_line
  add column product_id bigint references product,
  add check (product_id is null or kind = 'extra');
create index on invoice_line (product_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
