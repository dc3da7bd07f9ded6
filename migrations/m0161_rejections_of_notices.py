"""Let the notice of a rejection name its decision, so that it survives when a part of the decision is undone."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0161"
VERSION = "1.38.0"
DESCRIPTION = "decisions of the notices of rejections"

SQL = """
-- The decision by which time was rejected. The rejection that `record_id` names may be undone while others of the decision stand.
alter table notice add column decision uuid;
update notice n set decision = r.decision from rejection r where n.kind = 'time.rejected' and r.id = n.record_id;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
