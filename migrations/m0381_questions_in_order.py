"""Let a contact's question lock the customer before the case, and be about time of that customer only."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0381"
VERSION = "1.38.0"
DESCRIPTION = "questions in the order of locks"

SQL = """
-- Contacts may not lock rows of customers themselves. Everything else locks the customer before its cases.
create function lock_own_customer() returns void security definer set search_path = public, pg_temp language sql as $$
  select from customer where id = app_customer() for no key update
$$;
revoke execute on function lock_own_customer from public;
grant execute on function lock_own_customer to portal_contact;

-- As in m0320; and a question about time of another customer is refused, which would keep that customer from asking. The entry may be deleted
-- since: then the time detail of a document names it.
create or replace function flag_asked_time() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform from customer where id = new.customer_id for no key update;
  if not exists (select from time_entry e where e.id = new.entry_id and e.customer_id = new.customer_id)
     and not exists (select from detail_row r where r.entry_id = new.entry_id and r.customer_id = new.customer_id) then
    raise exception 'time entry % is not of customer %', new.entry_id, new.customer_id using errcode = 'integrity_constraint_violation';
  end if;
  insert into flag (entry_id, version, decision, flagged_at, question, question_id)
  select e.id, e.version, gen_random_uuid(), new.asked_at, format('What the customer asks is in case #%s.', new.case_number), new.id from time_entry e
  where e.id = new.entry_id and e.customer_id = new.customer_id and e.state = 'approved'
    and not exists (select from settled_entry d where d.entry_id = e.id)
    and not exists (select from flag f where f.entry_id = e.id and f.lifted_at is null);
  return null;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
