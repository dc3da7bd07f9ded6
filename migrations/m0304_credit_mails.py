"""Let credit notes be mailed to those who get the invoices."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0304"
VERSION = "1.38.0"
DESCRIPTION = "mails of credit notes"

SQL = """
-- The credit note that a mail brings; null for the mail of the invoice itself.
alter table invoice_mail add column credit_note_id bigint,
  add foreign key (customer_id, credit_note_id) references credit_note (customer_id, id),
  drop constraint invoice_mail_invoice_id_contact_id_form_key_key,
  add constraint invoice_mail_receiver unique nulls not distinct (invoice_id, credit_note_id, contact_id, form_key);
create index on invoice_mail (customer_id, credit_note_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
