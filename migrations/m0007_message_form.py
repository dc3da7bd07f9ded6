"""Add the form key that makes sending a message idempotent."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-22T0007"
VERSION = "1.38.0"
DESCRIPTION = "messages' form keys"

SQL = """
-- The key of the form that a message came from: a form that is sent twice makes one message. Only the author may read it.
alter table message add column form_key uuid;
create unique index message_form on message (form_key, contact_id, agent_id) nulls not distinct where form_key is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
