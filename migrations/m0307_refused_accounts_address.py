"""Let contacts see that a mail server has refused the accounts address of their customer."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0307"
VERSION = "1.38.0"
DESCRIPTION = "refused accounts addresses"

SQL = """
drop policy contacts on mail_refusal;
create policy contacts on mail_refusal for select to portal_contact using (
  exists (select from credential c where c.email = mail_refusal.email) or exists (select from customer u where u.email = mail_refusal.email)
);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
