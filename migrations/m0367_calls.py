"""Let an agent who takes a call open a case in which the caller's words are a message by the caller."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0367"
VERSION = "1.38.0"
DESCRIPTION = "messages that were taken on the phone"

SQL = """
-- Who wrote down what the contact said on the phone; null for a message that its author wrote.
alter table message add column taken_by_id bigint references agent,
  add constraint message_taken check (taken_by_id is null or (contact_id is not null and kind = 'reply'));
create index on message (taken_by_id) where taken_by_id is not null;
create policy not_taken on message as restrictive for insert to portal_contact with check (taken_by_id is null);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
