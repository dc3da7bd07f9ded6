"""Record in the audit log what admins do with tags, and notify agents and managers of a bad rating."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0401"
VERSION = "1.38.0"
DESCRIPTION = "recorded tags and notices of bad ratings"

SQL = """
-- The tag into which this one is merged, set in the transaction that then deletes it, so that the line of the audit says both.
alter table tag add column merged_into_id bigint references tag;
create index on tag (merged_into_id) where merged_into_id is not null;
-- Agents make tags while they type, which is no change of the set-up.
create trigger recorded after update of name on tag for each row execute function record_change();
create trigger recorded_end after delete on tag for each row execute function record_change();

do $$ declare known text; begin
  select pg_get_constraintdef(oid) into known from pg_constraint where conname = 'notice_kind_check';
  alter table notice drop constraint notice_kind_check;
  execute 'alter table notice add constraint notice_kind_check ' || replace(known, 'ARRAY[', 'ARRAY[''case.rated''::text, ');
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
