"""Unassign a case when it is reopened and its agent has left."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0026"
VERSION = "1.38.0"
DESCRIPTION = "open cases of agents who left are nobody's"

SQL = """
-- A contact's reply can reopen a case whose agent has left, but contacts may not write `agent_id`. So the trigger unassigns the case and
-- writes the reason into its log. The share lock makes this statement and an ending at the same moment run one after the other.
create function release_case_of_who_left() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare holder record;
begin
  if new.agent_id is null or new.status in ('resolved', 'closed') then
    return new;
  end if;
  select name, ended_at into holder from agent where id = new.agent_id for share;
  if holder.ended_at is not null then
    new.agent_id := null;
    insert into case_event (customer_id, case_id, kind, contact_may_know, actor_name, details, at)
    values (new.customer_id, new.id, 'left', true, holder.name, '{}', new.updated_at);
  end if;
  return new;
end $$;
create trigger released_by_who_left before insert or update of status, agent_id on cases
  for each row execute function release_case_of_who_left();
-- A contact's page does not name an agent who has left as the one who waits for an answer.
grant select (ended_at) on agent to portal_contact;
update cases set agent_id = agent_id where agent_id is not null and status not in ('resolved', 'closed');
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
