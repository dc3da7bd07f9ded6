"""Record who invited a person, so that the mail with the link can say so."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0261"
VERSION = "1.38.0"
DESCRIPTION = "who invited a person"

SQL = """
-- Null if nobody who was signed in made the link: it was asked for on the sign-in page, or made on the command line. A contact who is erased
-- loses their credential, and with it this reference.
alter table invitation add made_by_id bigint references credential on delete set null default nullif(app_credential(), 0);
create index on invitation (made_by_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
