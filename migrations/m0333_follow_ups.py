"""Let an admin say for how long a reply opens a case again; a later one begins a new case that follows it (S3.18)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0333"
VERSION = "1.38.0"
DESCRIPTION = "follow-ups of cases"

SQL = """
-- Without a row, every reply opens a case again.
create table follow_up_rule (
  id smallint primary key default 1 check (id = 1),
  reopen_days smallint not null check (reopen_days between 1 and 3650)
);
alter table follow_up_rule enable row level security;
create policy agents on follow_up_rule to portal_agent using (true) with check (true);
create policy contacts on follow_up_rule for select to portal_contact using (true);
grant select, insert, update, delete on follow_up_rule to portal_agent;
grant select on follow_up_rule to portal_contact;
create trigger recorded after insert or update or delete on follow_up_rule for each row execute function record_change();

-- The case that was closed too long ago when its customer wrote again.
alter table cases add column follows_id bigint, add foreign key (customer_id, follows_id) references cases (customer_id, id);
create index on cases (customer_id, follows_id) where follows_id is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
