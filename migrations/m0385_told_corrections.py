"""Notify contacts of corrected statements. Flag time with an open question when it is approved or leaves a draft."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0385"
VERSION = "1.38.0"
DESCRIPTION = "corrections told, and freed time flagged"

SQL = """
do $$ declare known text; begin
  select pg_get_constraintdef(oid) into known from pg_constraint where conname = 'notice_kind_check';
  alter table notice drop constraint notice_kind_check;
  execute 'alter table notice add constraint notice_kind_check ' || replace(known, 'ARRAY[', 'ARRAY[''statement.corrected''::text, ');
end $$;
-- Notices name what they are about by a bigint, and the id of a statement is a UUID.
alter table statement add column told_id bigint not null generated always as identity unique;

-- Flag approved time of which a customer's question is open, unless a document settles it or a flag is open already.
create function flag_asked(entry_ids bigint[], since timestamptz) returns void language sql as $$
  insert into flag (entry_id, version, decision, flagged_at, question, question_id)
  select e.id, e.version, gen_random_uuid(), coalesce(since, q.asked_at), format('What the customer asks is in case #%s.', q.case_number), q.id
  from entry_question q join time_entry e on e.id = q.entry_id and e.customer_id = q.customer_id
  where q.entry_id = any(entry_ids) and q.ended_at is null and e.state = 'approved'
    and not exists (select from settled_entry d where d.entry_id = e.id)
    and not exists (select from flag f where f.entry_id = e.id and f.lifted_at is null)
$$;
revoke execute on function flag_asked from public;

-- As in m0381.
create or replace function flag_asked_time() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform from customer where id = new.customer_id for no key update;
  if not exists (select from time_entry e where e.id = new.entry_id and e.customer_id = new.customer_id)
     and not exists (select from detail_row r where r.entry_id = new.entry_id and r.customer_id = new.customer_id) then
    raise exception 'time entry % is not of customer %', new.entry_id, new.customer_id using errcode = 'integrity_constraint_violation';
  end if;
  perform flag_asked(array[new.entry_id], null);
  return null;
end $$;

-- As in m0384.
create or replace function flag_for_question() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform flag_asked(array[new.entry_id], new.lifted_at);
  return null;
end $$;

-- A credit or a correction, which also frees time, ends the questions about it.
create function flag_freed_time() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if not is_freeing() then
    perform flag_asked(array(select distinct entry_id from freed), null);
  end if;
  return null;
end $$;
revoke execute on function flag_freed_time from public;
create trigger asked_about after delete on settled_entry referencing old table as freed for each statement execute function flag_freed_time();

create function flag_approved_time() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform flag_asked(array(select entry_id from added where withdrawn_at is null), null);
  return null;
end $$;
revoke execute on function flag_approved_time from public;
create trigger asked_about after insert on approval referencing new table as added for each statement execute function flag_approved_time();

select flag_asked(array(select entry_id from entry_question where ended_at is null), null);

-- Contacts set only what they ask about; agents end a question.
revoke insert on entry_question from portal_contact;
grant insert (customer_id, entry_id, invoice_id, detail_position, case_number, form_key, asked_at) on entry_question to portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
