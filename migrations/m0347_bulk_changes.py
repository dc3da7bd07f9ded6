"""Create the tables of bulk changes of cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0347"
VERSION = "1.38.0"
DESCRIPTION = "bulk changes of cases"

SQL = r"""
-- A change of many cases: prepared with its members, begun once its value is chosen, finished once no member waits. `value` is
-- the id of an agent ('' for nobody) or of a tag, a status or a priority; it is null in an undoing, whose members have
-- values of their own.
create table bulk_change (
  id uuid primary key,
  agent_id bigint not null references agent,
  verb text not null check (verb in ('assign', 'dispatch', 'status', 'priority', 'tag', 'untag')),
  value text check (length(value) <= 30),
  query text not null check (length(query) <= 4000),
  constraint bulk_change_query_is_one_line check (query !~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]'),
  prepared_at timestamptz not null,
  begun_at timestamptz,
  finished_at timestamptz check (finished_at is null or begun_at is not null),
  undoes uuid unique references bulk_change on delete cascade
);
create index on bulk_change (agent_id);
create index on bulk_change (prepared_at);

-- A case of such a change. `former` is its value when the change was prepared; a case that has another one by then is refused.
-- `became` is the value that it got, or gets if that is not the one of the whole change. The id is not called case_id, because
-- the row stays with its case when that is merged.
create table bulk_member (
  change_id uuid not null references bulk_change on delete cascade,
  member_id bigint not null references cases,
  state text not null check (state in ('waiting', 'changed', 'same', 'refused')),
  former text not null check (length(former) <= 30),
  became text check (length(became) <= 30),
  reason text check ((reason is not null) = (state = 'refused')),
  primary key (change_id, member_id)
);
create index on bulk_member (member_id);
create index bulk_member_waiting on bulk_member (change_id, member_id) where state = 'waiting';

alter table bulk_change enable row level security;
alter table bulk_member enable row level security;
create policy agents on bulk_change to portal_agent using (true) with check (true);
create policy agents on bulk_member to portal_agent using (true) with check (true);
grant select, insert, update, delete on bulk_change to portal_agent;
grant select, insert, update on bulk_member to portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
