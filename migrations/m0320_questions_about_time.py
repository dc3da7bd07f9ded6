"""Let customers ask about any time that they see: on invoices and statements, and in their hours."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0320"
VERSION = "1.38.0"
DESCRIPTION = "questions about statements and hours"

SQL = """
-- A question is about an entry. If it was asked from an invoice, it also names the row there. The entry has no foreign key, because one that a credit
-- has freed may be deleted, and the question stays.
alter table entry_question
  add column entry_id bigint,
  alter column invoice_id drop not null,
  alter column detail_position drop not null,
  -- The correction of a statement by which a question about its time ended.
  add column correction_id uuid,
  add foreign key (customer_id, correction_id) references statement (customer_id, id),
  add check (num_nonnulls(credit_note_id, correction_id) <= case when ended_at is null then 0 else 1 end),
  add check ((invoice_id is null) = (detail_position is null));
alter table entry_question disable trigger ended_for_good;
update entry_question q set entry_id = r.entry_id from detail_row r where r.invoice_id = q.invoice_id and r.position = q.detail_position;
alter table entry_question enable trigger ended_for_good;
-- Two rows of one entry could have a question each; their texts stay in the cases.
delete from entry_question q using entry_question o
where q.entry_id = o.entry_id and q.ended_at is null and o.ended_at is null and q.id > o.id;
alter table entry_question alter column entry_id set not null;
drop index one_open_question;
create unique index one_open_question on entry_question (entry_id) where ended_at is null;
create index on entry_question (entry_id);
create index on entry_question (customer_id, correction_id);
grant update (correction_id) on entry_question to portal_agent;
create index on entry_question (invoice_id, detail_position);

-- A flag is a manager's question or a customer's.
alter table flag
  alter column flagged_by_id drop not null,
  add column question_id bigint references entry_question,
  add check (num_nonnulls(flagged_by_id, question_id) = 1);
create index on flag (question_id);

-- Approved time that no document has settled is flagged, so that it is not billed while the question is open. Contacts have no grant on flags and time.
create function flag_asked_time() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform from customer where id = new.customer_id for no key update;
  insert into flag (entry_id, version, decision, flagged_at, question, question_id)
  select e.id, e.version, gen_random_uuid(), new.asked_at, format('What the customer asks is in case #%s.', new.case_number), new.id from time_entry e
  where e.id = new.entry_id and e.customer_id = new.customer_id and e.state = 'approved'
    and not exists (select from settled_entry d where d.entry_id = e.id)
    and not exists (select from flag f where f.entry_id = e.id and f.lifted_at is null);
  return null;
end $$;
revoke execute on function flag_asked_time from public;
create trigger flagged after insert on entry_question for each row execute function flag_asked_time();

-- Whoever lifts the flag ends the question.
create function end_question_of_flag() returns trigger language plpgsql as $$
begin
  update entry_question set ended_at = new.lifted_at, ended_by_id = new.lifted_by_id where id = new.question_id and ended_at is null;
  return null;
end $$;
create trigger ends_question after update of lifted_at on flag for each row
  when (new.question_id is not null and new.lifted_at is not null) execute function end_question_of_flag();

-- What a contact may see of approved time, in minutes that count; agents see that of all customers. Time that is not billable is not shown (D57).
create view approved_time with (security_barrier = true) as
select e.id, e.customer_id, e.service_id, s.name as service_name, e.work_date, c.number as case_number, e.external_comment,
  coalesce(p.role_name, '') as performed_by, a.minutes, a.kinds
from time_entry e join service s on s.id = e.service_id join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join cases c on c.id = coalesce(e.settled_on_id, e.case_id)
cross join lateral (select coalesce(sum(x.minutes), 0)::int as minutes, array_agg(distinct x.kind) filter (where x.kind is not null) as kinds
  from allocation x where x.entry_id = e.id) a
where e.state = 'approved' and e.billing <> 'not_billable' and may_read_usage(e.customer_id);
grant select on approved_time to portal_agent, portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
