"""Record which notices are mailed together, and when their mail was enqueued."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0155"
VERSION = "1.38.0"
DESCRIPTION = "notices that are mailed together"

SQL = """
-- A mail is one batch of notices of one person, named by its highest notice id. The batch never changes, so a mail that is sent again says the
-- same under the same Message-ID.
alter table notice
  add column mail_batch bigint,
  add column mail_begun_at timestamptz,
  add check ((mail_batch is null) = (mail_begun_at is null)),
  add check (mail_batch is null or mail is not null),
  add check (mailed_at is null or mail_batch is not null);
drop index notice_to_mail;
create index notice_to_mail on notice (mail_due_at) where mail_due_at is not null and mail_batch is null;
create index notice_mailed_together on notice (mail_batch) where mail_batch is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
