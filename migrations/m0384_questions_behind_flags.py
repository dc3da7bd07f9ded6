"""Keep time flagged for a customer's open question when a manager's own flag on it is lifted."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0384"
VERSION = "1.38.0"
DESCRIPTION = "questions behind flags"

SQL = """
-- An entry has at most one open flag, so `flag_asked_time` makes none for a question about time that a manager has flagged already.
create function flag_for_question() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  insert into flag (entry_id, version, decision, flagged_at, question, question_id)
  select e.id, e.version, gen_random_uuid(), new.lifted_at, format('What the customer asks is in case #%s.', q.case_number), q.id
  from entry_question q join time_entry e on e.id = q.entry_id
  where q.entry_id = new.entry_id and q.ended_at is null and e.state = 'approved' and not exists (select from settled_entry d where d.entry_id = e.id);
  return null;
end $$;
revoke execute on function flag_for_question from public;
create trigger asks_on after update of lifted_at on flag for each row
  when (new.question_id is null and old.lifted_at is null and new.lifted_at is not null) execute function flag_for_question();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
