"""Record in the outbox which transaction wrote each row, so that a page can request what changed after its rendering."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-26T0009"
VERSION = "1.38.0"
DESCRIPTION = "the outbox knows its transactions"

# Existing rows get the id of this migration's transaction, so that no page that is open meanwhile misses them.
SQL = """
alter table outbox add column transaction_id xid8 not null default pg_current_xact_id();
create index on outbox (transaction_id);

create policy what_contacts_may_know on outbox for select to portal_contact
  using (customer_id = (select app_customer()) and contact_may_know);
grant select on outbox to portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
