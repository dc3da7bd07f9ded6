"""Let contacts share a case with colleagues, hide a case from all others of their customer, and hand a case to a colleague."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0420"
VERSION = "1.38.0"
DESCRIPTION = "watchers and confidential cases"

SQL = r"""
-- Contacts who may read a case of their customer, whatever their rights, and are told of it as its contact is.
create table case_watcher (
  case_id bigint not null,
  customer_id bigint not null,
  contact_id bigint not null,
  added_at timestamptz not null,
  primary key (case_id, contact_id),
  foreign key (customer_id, case_id) references cases (customer_id, id),
  foreign key (customer_id, contact_id) references contact (customer_id, id)
);
create index on case_watcher (customer_id, case_id);
create index on case_watcher (contact_id) include (case_id);
create index on case_watcher (customer_id, contact_id);
-- On the customer's side, only its contact and its watchers know of a confidential case.
alter table cases add column confidential boolean not null default false;

-- The ids of the cases in which the signed-in contact takes part without being their contact: those that they watch, and those that a case
-- of theirs was merged into. An array, so that a query computes it once and can use an index.
create function app_shared_cases() returns bigint[] stable security definer set search_path = public, pg_temp language sql as $$
  select array(select case_id from case_watcher where contact_id = app_contact()
    union select merged_into_id from cases where contact_id = app_contact() and merged_into_id is not null)
$$;
-- Whether the signed-in contact chooses who watches a case: of a confidential one only its contact does.
create function app_shares_case(of_case bigint) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
  select exists (
    select from cases k join contact t on t.id = app_contact() and t.ended_at is null
    where k.id = of_case and k.customer_id = app_customer() and k.merged_into_id is null
      and (k.contact_id = t.id or not k.confidential and (t.sees_all_cases or t.manages_contacts)))
$$;
revoke execute on function app_shared_cases, app_shares_case from public;
grant execute on function app_shared_cases, app_shares_case to portal_contact;

-- The one rule of confidentiality. The policies of all other tables ask whether the contact sees the case.
drop policy contacts on cases;
create policy contacts on cases to portal_contact
  using (customer_id = (select app_customer())
    and (not confidential or contact_id = (select app_contact()) or id = any ((select app_shared_cases())::bigint[])))
  with check (customer_id = (select app_customer()));
create policy of_seen_cases on message as restrictive to portal_contact using (exists (select from cases c where c.id = case_id));
create policy of_seen_cases on case_event as restrictive to portal_contact using (exists (select from cases c where c.id = case_id));
create policy of_seen_cases on case_rating as restrictive to portal_contact using (exists (select from cases c where c.id = case_id));
create policy of_seen_cases on outbox as restrictive for select to portal_contact
  using (kind not like 'case.%' or exists (select from cases c where c.id = subject_id));

alter table case_watcher enable row level security;
create policy agents on case_watcher to portal_agent using (true) with check (true);
create policy contacts on case_watcher for select to portal_contact
  using (customer_id = (select app_customer()) and exists (select from cases c where c.id = case_id));
create policy sharing on case_watcher for insert to portal_contact
  with check (customer_id = (select app_customer()) and app_shares_case(case_id));
create policy leaving on case_watcher for delete to portal_contact
  using (customer_id = (select app_customer()) and (contact_id = (select app_contact()) or app_shares_case(case_id)));
grant select, insert, delete on case_watcher to portal_agent, portal_contact;
create trigger not_merged before insert on case_watcher for each row execute function refuse_merged();
create trigger refuses_erased before insert on case_watcher for each row execute function refuse_erased();

-- A contact hides, opens and hands over only their own cases. Administrators hand over those of a contact who leaves, as before.
grant update (contact_id, confidential) on cases to portal_contact;
create function refuse_foreign_sharing() returns trigger language plpgsql as $$
begin
  if old.contact_id is distinct from app_contact() and not (current_user = 'portal_administrator' and new.confidential = old.confidential) then
    raise insufficient_privilege using message = 'only the contact of a case hides it or hands it over';
  end if;
  return new;
end $$;
create trigger own_sharing before update of contact_id, confidential on cases for each row
  when (current_user in ('portal_contact', 'portal_administrator')) execute function refuse_foreign_sharing();

-- A merged case follows the case that it is part of.
create or replace function refuse_change_of_merged() returns trigger language plpgsql as $$
begin
  if old.merged_into_id is not null
     -- The generated column is computed after this trigger.
     and (new.merged_into_id is null
          or to_jsonb(new) - '{merged_into_id,subject_folded,confidential}'::text[]
            <> to_jsonb(old) - '{merged_into_id,subject_folded,confidential}'::text[])
     then
    raise exception 'case % is merged', old.id using errcode = 'integrity_constraint_violation';
  end if;
  -- The lock makes this transaction wait for one that merges the other case at the same moment.
  if new.merged_into_id is not null
     and (select merged_into_id from cases where id = new.merged_into_id for no key update) is not null then
    raise exception 'case % is merged into another case', new.merged_into_id using errcode = 'integrity_constraint_violation';
  end if;
  -- The numbers of earlier merges lead to the new case first, so that no number leads to a merged case.
  if new.merged_into_id is not null and exists (select from cases where merged_into_id = new.id) then
    raise exception 'cases are merged into case %', new.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create function share_merged_cases() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  update cases set confidential = new.confidential where merged_into_id = new.id and confidential <> new.confidential;
  return null;
end $$;
revoke execute on function share_merged_cases from public;
create trigger shared_as_one after update of confidential on cases for each row
  when (new.confidential <> old.confidential) execute function share_merged_cases();

-- Every row about a case says who takes part in it, and whether only they may know of it. The row that says that a case has become
-- confidential goes to everybody who saw it, so that their open pages close.
alter table outbox add column confidential boolean not null default false;
create function name_participants() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  new.confidential := new.kind <> 'case.hidden' and coalesce((select confidential from cases where id = new.subject_id), false);
  new.participant_ids := array(
    select unnest(new.participant_ids) union select contact_id from case_watcher where case_id = new.subject_id
    union select contact_id from cases where merged_into_id = new.subject_id);
  return new;
end $$;
revoke execute on function name_participants from public;
create trigger name_participants before insert on outbox for each row when (new.kind like 'case.%') execute function name_participants();
create or replace function tell_listeners() returns trigger language plpgsql as $$
begin
  perform pg_notify('portal', json_build_object('id', new.id, 'kind', new.kind, 'customer', new.customer_id,
    'contact', new.contact_id, 'participants', new.participant_ids, 'confidential', new.confidential,
    'contact_may_know', new.contact_may_know, 'subject', new.subject_id, 'actor', new.actor_id)::text);
  return null;
end $$;

do $$
declare
  known text;
begin
  -- A notice that somebody shares a case with the person, or gave it to them.
  select pg_get_constraintdef(oid) into known from pg_constraint where conname = 'notice_kind_check';
  alter table notice drop constraint notice_kind_check;
  execute 'alter table notice add constraint notice_kind_check ' || replace(known, '''case.opened''::text', '''case.opened''::text, ''case.shared''::text');
  -- Whoever is erased watches nothing, and no line about sharing names them.
  known := pg_get_functiondef('erase_contact'::regproc);
  known := replace(known, 'kind = ''contact''', 'kind in (''contact'', ''handed'', ''watched'', ''unwatched'')');
  known := replace(known, '  delete from notice where credential_id = own.id;',
    E'  delete from case_watcher where contact_id = erased;\n  delete from notice where credential_id = own.id;');
  if known not like '%case_watcher%' or known not like '%unwatched%' then
    raise exception 'erase_contact has changed';
  end if;
  execute known;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
