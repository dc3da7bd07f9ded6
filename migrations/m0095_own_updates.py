"""Add the contact of the changed case to the outbox, so that live updates need not read the cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0095"
VERSION = "1.38.0"
DESCRIPTION = "the contact of an outbox row"

SQL = """
alter table outbox add column contact_id bigint;
alter table outbox add foreign key (customer_id, contact_id) references contact (customer_id, id);
update outbox o set contact_id = c.contact_id from cases c
  where o.kind like 'case.%' and c.id = o.subject_id and c.customer_id = o.customer_id;

create or replace function tell_listeners() returns trigger language plpgsql as $$
begin
  perform pg_notify('portal', json_build_object('id', new.id, 'kind', new.kind, 'customer', new.customer_id,
    'contact', new.contact_id, 'contact_may_know', new.contact_may_know, 'subject', new.subject_id,
    'actor', new.actor_id)::text);
  return null;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
