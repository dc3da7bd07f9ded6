"""Drop the release of an entry that moves to another customer, so that the entry can move."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0485"
VERSION = "1.38.0"
DESCRIPTION = "release of moved time"

# A manager decided that one customer is charged beyond the prepaid hours; that says nothing about another customer.
SQL = """
create function drop_release() returns trigger language plpgsql as $$
begin
  delete from release where entry_id = old.id;
  return new;
end $$;
create trigger release_dropped before update of customer_id on time_entry for each row
  when (old.customer_id is distinct from new.customer_id) execute function drop_release();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
