"""Record for which days and cases an agent has dismissed the suggestion to log forgotten time."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0122"
VERSION = "1.38.0"
DESCRIPTION = "dismissed suggestions of forgotten time"

SQL = """
create table forgotten_dismissal (
  customer_id bigint not null,
  case_id bigint not null,
  agent_id bigint not null references agent,
  work_date date not null,
  dismissed_at timestamptz not null,
  primary key (agent_id, case_id, work_date),
  foreign key (customer_id, case_id) references cases (customer_id, id)
);
create index on forgotten_dismissal (customer_id, case_id);
call guard_customer_table('forgotten_dismissal');
grant select, insert, delete on forgotten_dismissal to portal_agent;

-- What an agent did on cases since a day.
create index message_of_agent on message (agent_id, at);
drop index message_agent_id_idx;
create index case_event_of_agent on case_event (agent_id, at);
drop index case_event_agent_id_idx;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
