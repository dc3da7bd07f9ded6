"""Let appointments be cancelled, be changed by two people at once, and be read by the customer (S1.11)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0123"
VERSION = "1.38.0"
DESCRIPTION = "appointments called off, and shown to customers"

SQL = """
alter table appointment
  add column cancelled_at timestamptz,
  add column form_key uuid,
  add column version int not null default 1,
  add constraint appointment_outcome check (done_at is null or cancelled_at is null);
create unique index appointment_form on appointment (case_id, form_key) where form_key is not null;
-- A contact reads of the appointments on cases that the contact may see when they are, of which kind and with whom.
drop policy contacts on appointment;
create policy contacts on appointment for select to portal_contact using (
  customer_id = (select app_customer()) and exists (select from cases c where c.id = appointment.case_id)
);
grant select (id, customer_id, case_id, agent_id, kind, starts_at, ends_at, done_at, cancelled_at) on appointment to portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
