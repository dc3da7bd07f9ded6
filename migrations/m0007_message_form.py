"""What a form sent twice needs of messages, and what the case page reads of them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-22T0007"
VERSION = "1.38.0"
DESCRIPTION = "messages' form keys"

SQL = """
-- The key of the form that a message came from, so that one form makes one message however often it is sent. It is its author's alone.
alter table message add column form_key uuid;
create unique index message_form on message (form_key, contact_id, agent_id) nulls not distinct where form_key is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
