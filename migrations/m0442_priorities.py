"""Let admins name the four priorities, and set which of them contacts may choose and which forms preselect."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0442"
VERSION = "1.38.0"
DESCRIPTION = "own priorities"

SQL = r"""
-- As in m0400, and the names of priorities are told.
create or replace function record_change() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  becomes jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  changed jsonb;
  -- Tables whose names are those of things, so that no erasing has to reach the audit.
  named text[] := array['tag', 'case_field', 'case_field_choice', 'case_priority'];
begin
  select jsonb_object_agg(name, case when is_told(name) or tg_table_name = any(named) then jsonb_build_array(was -> name, becomes -> name) else 'null'::jsonb end)
  into changed
  from jsonb_object_keys(coalesce(becomes, was)) name
  where coalesce(was -> name, 'null') <> coalesce(becomes -> name, 'null');
  if changed is null then
    return null;
  end if;
  -- The subject of working hours is the agent, so only the weekday tells which row was changed.
  if tg_table_name = 'working_hours' then
    changed := changed || jsonb_build_object('weekday', jsonb_build_array(was -> 'weekday', becomes -> 'weekday'));
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    -- during a sign-in there is no credential yet, or that of an earlier session, which this one replaces
    coalesce(case when tg_table_name = 'session' and tg_op = 'INSERT' then (becomes ->> 'credential_id')::bigint end,
             nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint),
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    tg_table_name || '.' || lower(tg_op),
    coalesce(coalesce(becomes, was) ->> 'id', coalesce(becomes, was) ->> 'credential_id', coalesce(becomes, was) ->> 'agent_id')::bigint,
    changed);
  return null;
end $$;

-- The four are fixed. Priority 2, which follow-ups and new cases fall back on, is always open to contacts.
create table case_priority (
  id smallint primary key check (id between 1 and 4),
  name text not null check (btrim(name) <> '' and length(name) <= 40),
  for_contacts boolean not null default true,
  is_preselected boolean not null default false,
  constraint case_priority_name_is_one_line check (name !~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]'),
  constraint case_priority_normal_is_open check (id <> 2 or for_contacts),
  -- Checked at the end of a statement, so that one statement may exchange names.
  constraint case_priority_name exclude using btree (lower(name) with =) deferrable,
  constraint case_priority_preselected exclude using btree (is_preselected with =) where (is_preselected) deferrable
);
insert into case_priority (id, name, is_preselected) values (1, 'Low', false), (2, 'Normal', true), (3, 'High', false), (4, 'Urgent', false);
alter table case_priority enable row level security;
create policy agents on case_priority to portal_agent using (true) with check (true);
create policy contacts on case_priority for select to portal_contact using (true);
grant select, update on case_priority to portal_agent;
grant select on case_priority to portal_contact;
create trigger recorded after update on case_priority for each row execute function record_change();

create policy of_a_priority_for_contacts on cases as restrictive for insert to portal_contact
  with check (exists (select from case_priority p where p.id = priority and p.for_contacts));

-- As in m0210, and the log keeps the name that the priority has now.
create or replace function dispatch_case(of_case bigint, at timestamptz, opening boolean, leaving bigint) returns setof cases
  security definer set search_path = public, pg_temp language plpgsql as $$
declare
  c cases;
  d record;
  actor record;
  agents_name text;
  event_id bigint;
  log_id bigint;
begin
  select * into c from cases where id = of_case and status not in ('resolved', 'closed')
    and (app_contact() is null or (contact_id = app_contact() and status = 'new' and agent_id is null and department_id is null));
  if c.id is null or not exists (select from dispatch_rule) then
    return;
  end if;
  -- One at a time, so that two cases at once do not both go to the agent whose turn it is.
  perform pg_advisory_xact_lock(hashtextextended('dispatches cases', 0));
  select * into d from dispatch_choice(c.customer_id, c.service_id, c.case_type_id, c.priority, c.subject, at, leaving);
  if not opening then
    d.chosen_priority := c.priority;
    d.priority_rule := null;
  end if;
  select p.agent_id, p.id as credential_id, a.name into actor from credential p join agent a on a.id = p.agent_id
    where not opening and p.id = app_credential();
  if d.chosen_agent is not null then
    select name into agents_name from agent where id = d.chosen_agent;
    insert into dispatch_turn (agent_id, turn) values (d.chosen_agent, nextval('dispatch_turn_number'))
      on conflict (agent_id) do update set turn = excluded.turn;
  end if;
  insert into case_event (customer_id, case_id, kind, contact_may_know, agent_id, actor_name, details, at)
  values (c.customer_id, c.id, 'dispatched', false, actor.agent_id, coalesce(actor.name, 'Portal'), jsonb_build_object(
      'rule', d.rule, 'department', (select name from department where id = d.chosen_department), 'to', agents_name,
      'priority_rule', d.priority_rule, 'priority', d.chosen_priority,
      'priority_name', (select name from case_priority where id = d.chosen_priority)), at)
  returning id into log_id;
  if d.chosen_agent is distinct from c.agent_id then
    insert into case_event (customer_id, case_id, kind, contact_may_know, agent_id, actor_name, details, at)
    values (c.customer_id, c.id, 'assigned', true, actor.agent_id, coalesce(actor.name, 'Portal'), jsonb_build_object('to', agents_name), at)
    returning id into event_id;
  end if;
  insert into outbox (kind, customer_id, contact_id, contact_may_know, subject_id, actor_id, at, record_id, agent_id, participant_ids)
  values (case when event_id is null then 'case.changed' else 'case.assigned' end, c.customer_id, c.contact_id, true, c.id,
    actor.credential_id, at, coalesce(event_id, log_id), case when event_id is not null then d.chosen_agent end,
    array(select distinct m.contact_id from cases m where m.merged_into_id = c.id));
  return query
    update cases set agent_id = d.chosen_agent, department_id = coalesce(d.chosen_department, c.department_id),
      priority = d.chosen_priority, updated_at = at
    where id = c.id returning *;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
