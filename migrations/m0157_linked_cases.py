"""Create links between cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0157"
VERSION = "1.38.0"
DESCRIPTION = "linked cases"

SQL = """
-- Two cases that have to do with each other, perhaps of two customers; the one with the lower id comes first.
create table case_link (
  case_id bigint not null references cases,
  other_id bigint not null references cases,
  linked_by_id bigint not null references agent,
  linked_at timestamptz not null,
  primary key (case_id, other_id),
  check (case_id < other_id)
);
create index on case_link (other_id);
create index on case_link (linked_by_id);
alter table case_link enable row level security;
create policy agents on case_link to portal_agent using (true) with check (true);
-- A contact sees only links between two cases of the contact's customer.
create policy contacts on case_link for select to portal_contact using (
  exists (select from cases c where c.id = case_link.case_id) and exists (select from cases c where c.id = case_link.other_id)
);
grant select, insert, delete on case_link to portal_agent;
grant select on case_link to portal_contact;

-- `refuse_merged` reads the column `case_id`, so a link is checked at both ends.
create function refuse_merged_link() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if exists (select from cases where id in (new.case_id, new.other_id) and merged_into_id is not null) then
    raise exception 'a case of this link is merged' using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger not_merged before insert on case_link for each row execute function refuse_merged_link();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
