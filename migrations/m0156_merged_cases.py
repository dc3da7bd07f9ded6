"""Let cases be merged: nothing more is written to the merged case, and its contents move to the other case (D53)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0156"
VERSION = "1.38.0"
DESCRIPTION = "merged cases"

SQL = """
-- The case that a case was merged into. That case is never merged itself: a further merge changes the rows that name it.
alter table cases
  add column merged_into_id bigint,
  add foreign key (customer_id, merged_into_id) references cases (customer_id, id),
  add constraint cases_merged check (merged_into_id is null or (merged_into_id <> id and status = 'closed'));
create index cases_merged_into on cases (merged_into_id, contact_id) include (number) where merged_into_id is not null;
create index on cases (customer_id, merged_into_id) where merged_into_id is not null;
create index cases_merged_of_contact on cases (contact_id, merged_into_id) where merged_into_id is not null;
create policy without_merge on cases as restrictive for insert to portal_contact with check (merged_into_id is null);

create function refuse_change_of_merged() returns trigger language plpgsql as $$
begin
  if old.merged_into_id is not null
     -- The generated column is computed after this trigger.
     and (new.merged_into_id is null
          or to_jsonb(new) - '{merged_into_id,subject_folded}'::text[] <> to_jsonb(old) - '{merged_into_id,subject_folded}'::text[])
     then
    raise exception 'case % is merged', old.id using errcode = 'integrity_constraint_violation';
  end if;
  if new.merged_into_id is not null and exists (select from cases where id = new.merged_into_id and merged_into_id is not null) then
    raise exception 'case % is merged into another case', new.merged_into_id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger merged before update on cases for each row when (old.merged_into_id is not null or new.merged_into_id is not null)
  execute function refuse_change_of_merged();

-- Nothing can be written to a merged case. The lock makes a transaction wait for a merge that runs at the same moment, so that the merge
-- either moves the new row or is seen here. The error is shown as it is; `portal.database` knows its code.
create function refuse_merged() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  found record;
begin
  select number, merged_into_id into found from cases where id = new.case_id for share;
  if found.merged_into_id is not null then
    raise exception '#% is now part of #%. Look at that case.', found.number, (select number from cases where id = found.merged_into_id)
      using errcode = 'PM001';
  end if;
  return new;
end $$;
create trigger not_merged before insert or update of case_id on message for each row execute function refuse_merged();
create trigger not_merged before insert or update of case_id on appointment for each row execute function refuse_merged();
create trigger not_merged_insert before insert on time_entry for each row when (new.case_id is not null) execute function refuse_merged();
create trigger not_merged_update before update of case_id on time_entry for each row
  when (new.case_id is distinct from old.case_id and new.case_id is not null) execute function refuse_merged();
create trigger not_merged_insert before insert on timer for each row when (new.case_id is not null) execute function refuse_merged();
create trigger not_merged_update before update of case_id on timer for each row
  when (new.case_id is distinct from old.case_id and new.case_id is not null) execute function refuse_merged();

-- A message never changes, except that it may move to another case of its customer.
drop trigger append_only on message;
create trigger append_only_delete before delete on message for each row execute function refuse_change();
create trigger append_only before update on message for each row
  when (to_jsonb(old) - 'case_id' <> to_jsonb(new) - 'case_id') execute function refuse_change();
grant update (case_id) on message to portal_agent;

-- An appointment takes its time along.
alter table time_entry drop constraint time_entry_case_id_appointment_id_fkey;
alter table time_entry add foreign key (case_id, appointment_id) references appointment (case_id, id) on update cascade;

-- The case that a merged, settled entry was on. Its document names that case.
alter table time_entry
  add column settled_on_id bigint,
  add foreign key (customer_id, settled_on_id) references cases (customer_id, id);
create index on time_entry (customer_id, settled_on_id) where settled_on_id is not null;

create function refuse_settled_time() returns trigger language plpgsql as $$
begin
  if exists (select 1 from settled_entry where entry_id = old.id) then
    if tg_op = 'UPDATE' and to_jsonb(new) - 'case_id' = to_jsonb(old) - 'case_id'
       and exists (select from cases where id = old.case_id and merged_into_id = new.case_id) then
      new.settled_on_id := coalesce(old.settled_on_id, old.case_id);
      return new;
    end if;
    raise exception 'time entry % is settled', old.id using errcode = 'integrity_constraint_violation';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
drop trigger settled on time_entry;
create trigger settled before update or delete on time_entry for each row execute function refuse_settled_time();

-- Once no document names the entry any more, it is an entry of its case like all others.
create function forget_settled_on() returns trigger language plpgsql as $$
begin
  update time_entry set settled_on_id = null where id = old.entry_id and settled_on_id is not null;
  return null;
end $$;
create trigger freed after delete on settled_entry for each row execute function forget_settled_on();

-- The contacts of merged cases may know of what happens to the case that theirs are part of.
alter table outbox add column participant_ids bigint[] not null default '{}';
create or replace function tell_listeners() returns trigger language plpgsql as $$
begin
  perform pg_notify('portal', json_build_object('id', new.id, 'kind', new.kind, 'customer', new.customer_id,
    'contact', new.contact_id, 'participants', new.participant_ids, 'contact_may_know', new.contact_may_know, 'subject', new.subject_id,
    'actor', new.actor_id)::text);
  return null;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
