"""Let the customer rate how a case was solved."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0355"
VERSION = "1.38.0"
DESCRIPTION = "ratings of solutions"

SQL = r"""
-- How the customer rates the solution of a case. A case has at most one rating; the contact is who gave or changed it last.
create table case_rating (
  case_id bigint primary key,
  customer_id bigint not null,
  contact_id bigint not null,
  verdict text not null check (verdict in ('good', 'bad')),
  words text not null check (length(words) <= 1000),
  rated_at timestamptz not null,
  foreign key (customer_id, case_id) references cases (customer_id, id),
  foreign key (customer_id, contact_id) references contact (customer_id, id)
);
create index on case_rating (customer_id, case_id);
create index on case_rating (customer_id, contact_id);
call guard_customer_table('case_rating');
create policy as_themselves on case_rating as restrictive for insert to portal_contact with check (contact_id = (select app_contact()));
create policy as_themselves_again on case_rating as restrictive for update to portal_contact with check (contact_id = (select app_contact()));
grant select on case_rating to portal_agent, portal_contact;
grant insert, update (contact_id, verdict, words, rated_at) on case_rating to portal_contact;
-- A merge takes the rating along, or drops it if the other case has one. The portal's own role, which writes the demo, may store a rating, as it
-- may store the messages of contacts, but never change one.
grant insert, update (case_id), delete on case_rating to portal_agent;
create trigger not_merged before insert or update of case_id on case_rating for each row execute function refuse_merged();
create trigger refuses_erased before insert or update of contact_id on case_rating for each row execute function refuse_erased();

-- Only a solution is rated. The lock makes a reopening that runs at the same moment wait, or be seen here.
create function refuse_rating_of_unsolved() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform from cases where id = new.case_id and status in ('resolved', 'closed') for share;
  if not found then
    raise exception 'case % is not solved', new.case_id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
revoke execute on function refuse_rating_of_unsolved from public;
create trigger solved before insert or update of verdict, words on case_rating for each row execute function refuse_rating_of_unsolved();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
