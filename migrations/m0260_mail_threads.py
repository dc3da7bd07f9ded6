"""Index the mailed notices by person and subject, so that a backlog of notices is put into mails quickly.

For each notice that is due, the worker looks for an earlier mail to the same person about the same thing. Without the
index, PostgreSQL may read all notices for each of them while its statistics are old.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0260"
VERSION = "1.38.0"
DESCRIPTION = "index of mailed notices"

SQL = """
create index notice_thread on notice (credential_id, subject_id, mail_begun_at) where mail_begun_at is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
