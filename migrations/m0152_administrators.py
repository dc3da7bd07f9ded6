"""Let a customer's administrators invite, change and end the contacts of their customer."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0152"
VERSION = "1.38.0"
DESCRIPTION = "administrators of customers"

SQL = """
-- Whether the signed-in contact manages the contacts of their customer. The owner's rights avoid a recursion of the policies on contact.
create function app_manages_contacts() returns boolean stable security definer set search_path = public, pg_temp language sql as $$
  select exists (
    select from credential c join contact t on t.id = c.contact_id
    where c.id = app_credential() and c.customer_id = app_customer() and t.manages_contacts and t.ended_at is null
      and c.disabled_at is null)
$$;
revoke execute on function app_manages_contacts from public;
grant execute on function app_manages_contacts to portal_administrator;

-- The role has all rights of portal_contact besides these; the policies of portal_contact limit both to one customer.
grant insert, update on contact to portal_administrator;
grant select (disabled_at), insert (email, agent_id, customer_id, contact_id, created_at), update (email, disabled_at)
  on credential to portal_administrator;
grant update (ended_at) on session to portal_administrator;
grant select (id, kind, credential_id, created_at, expires_at, ended_at), insert (kind, token_hash, credential_id, created_at, expires_at),
  update (ended_at) on invitation to portal_administrator;
grant update (contact_id) on cases to portal_administrator;
-- The list of contacts shows who has accepted the invitation.
grant select (has_password) on credential to portal_contact;

create policy administrators on session for select to portal_administrator
  using (credential_id in (select id from credential where customer_id = (select app_customer())));
create policy administrators_end on session for update to portal_administrator
  using (credential_id in (select id from credential where customer_id = (select app_customer())));
create policy administrators on invitation to portal_administrator
  using (credential_id in (select id from credential where customer_id = (select app_customer())))
  with check (credential_id in (select id from credential where customer_id = (select app_customer())));
create policy only_invitations_of_administrators on invitation as restrictive for insert to portal_administrator
  with check (kind = 'invitation');

do $$ declare name text;
begin
  foreach name in array array['contact', 'credential', 'invitation'] loop
    execute format('create policy with_the_right_insert on %I as restrictive for insert to portal_administrator'
                   ' with check ((select app_manages_contacts()))', name);
  end loop;
  foreach name in array array['contact', 'credential', 'invitation', 'session', 'cases'] loop
    execute format('create policy with_the_right_update on %I as restrictive for update to portal_administrator'
                   ' using ((select app_manages_contacts()))', name);
  end loop;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
