"""Let contacts write rows in their own name only, whatever the code says (R24)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-22T0008"
VERSION = "1.38.0"
DESCRIPTION = "contacts write as themselves only"

SQL = """
create function app_contact() returns bigint stable parallel safe language sql
as $$ select contact_id from credential where id = app_credential() $$;

create policy as_themselves on message as restrictive for insert to portal_contact
  with check (contact_id = (select app_contact()));
create policy as_themselves on case_event as restrictive for insert to portal_contact
  with check (contact_id = (select app_contact()) and agent_id is null);
create policy as_themselves on cases as restrictive for insert to portal_contact
  with check (contact_id = (select app_contact()) and status = 'new' and agent_id is null and opened_by_agent_id is null);
create policy as_themselves on outbox as restrictive for insert to portal_contact
  with check (actor_id = (select app_credential()));
create policy as_themselves on invoice_seen as restrictive for insert to portal_contact
  with check (contact_id = (select app_contact()));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
