"""Let agents snooze a case until an instant, at which it comes back (S3.18)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0332"
VERSION = "1.38.0"
DESCRIPTION = "snoozed cases"

SQL = """
alter table cases
  add column snoozed_until timestamptz,
  add constraint cases_snooze check (snoozed_until is null or status not in ('resolved', 'closed'));
create index cases_snoozed on cases (snoozed_until) where snoozed_until is not null;
create policy without_snooze on cases as restrictive for insert to portal_contact with check (snoozed_until is null);

-- A case that is done is no longer snoozed.
create or replace function fill_status() returns trigger language plpgsql as $$
begin
  if new.status_id is null or (tg_op = 'UPDATE' and new.status <> old.status and new.status_id = old.status_id) then
    select s.id into new.status_id from case_status s where s.category = new.status
      order by s.ended_at nulls first, s.position, s.id limit 1;
  end if;
  if tg_op = 'INSERT' or new.status_id <> old.status_id then
    new.waits_since := case when new.status = 'waiting_for_customer' then new.updated_at end;
    new.reminded_at := null;
    new.closes_at := null;
  end if;
  if new.status in ('resolved', 'closed') then
    new.snoozed_until := null;
  end if;
  return new;
end $$;

-- A customer's reply brings a case back at once. Contacts may not write the column, so it happens with the owner's rights.
create function wake_answered_case() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  update cases set snoozed_until = null where id = new.case_id and snoozed_until is not null;
  if found then
    insert into case_event (customer_id, case_id, kind, contact_may_know, actor_name, details, at)
    values (new.customer_id, new.case_id, 'woken', false, 'Portal', '{"answered": true}', new.at);
  end if;
  return null;
end $$;
create trigger wakes_the_case after insert on message for each row when (new.contact_id is not null) execute function wake_answered_case();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
