"""Refuse line breaks and control characters in names and other texts of one line, whoever writes them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0263"
VERSION = "1.38.0"
DESCRIPTION = "texts of one line"

# Names stand in headers of mails, in file names and in lines of documents. `portal.fields.line` folds line breaks before it stores them.
SQL = r"""
do $$ declare name text; begin
  foreach name in array array[
    'agent.name', 'case_type.name', 'cases.subject', 'company.bank_name', 'company.city', 'company.legal_name', 'company.name', 'company.postcode',
    'company.street', 'contact.name', 'contact.phone', 'contract.name', 'contract.order_reference', 'credential.email', 'customer.city',
    'customer.email', 'customer.legal_name', 'customer.name', 'customer.postcode', 'customer.street', 'department.name', 'general_kind.name',
    'message.author_name', 'passkey.name', 'payment.reference', 'project.name', 'role.name', 'service.exemption_reason', 'service.name', 'task.name',
    'voucher.label'] loop
    execute format('alter table %I add constraint %I check (%I !~ ''[\u0001-\u001f\u007f-\u009f\u2028\u2029]'')',
      split_part(name, '.', 1), replace(name, '.', '_') || '_is_one_line', split_part(name, '.', 2));
  end loop;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
