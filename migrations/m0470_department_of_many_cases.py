"""Let a bulk change set the department of its cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0470"
VERSION = "1.38.0"
DESCRIPTION = "department of many cases"

# The value of such a case is its department and its agent, because a case that moves may lose its agent, which undoing restores.
# Both ids have up to 19 digits.
SQL = """
alter table bulk_change drop constraint bulk_change_verb_check;
alter table bulk_change add constraint bulk_change_verb_check
  check (verb in ('assign', 'dispatch', 'department', 'status', 'priority', 'tag', 'untag'));
alter table bulk_member drop constraint bulk_member_former_check, drop constraint bulk_member_became_check,
  add constraint bulk_member_former_check check (length(former) <= 40),
  add constraint bulk_member_became_check check (length(became) <= 40);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
