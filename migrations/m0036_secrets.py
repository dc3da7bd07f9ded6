"""Take the right to read and change password and token hashes, and all unused rights, from the agents' role."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0036"
VERSION = "1.38.0"
DESCRIPTION = "secrets are the sign-in role's alone"

SQL = """
-- Whether somebody has a password, for roles that may not read the hash.
alter table credential add has_password boolean not null generated always as (password_hash is not null) stored;

revoke all on credential, session, invitation, attempt from portal_agent;
grant select (id, email, agent_id, customer_id, contact_id, created_at, disabled_at, has_password),
  insert (email, agent_id, customer_id, contact_id, created_at), update (email, disabled_at) on credential to portal_agent;
grant select (id, credential_id, created_at, last_used_at, confirmed_at, ended_at, address, browser, factor), update (ended_at)
  on session to portal_agent;
grant select (id, kind, credential_id, created_at, expires_at, ended_at),
  insert (kind, token_hash, credential_id, created_at, expires_at), update (ended_at) on invitation to portal_agent;

-- The sign-in role sets passwords, but can neither create nor delete an account.
revoke insert, update on credential from portal_app;
grant update (password_hash) on credential to portal_app;

-- Agents create invitations. A reset is created only for somebody who typed their mail address on the sign-in pages.
alter table invitation enable row level security;
create policy sign_in on invitation to portal_app using (true) with check (true);
create policy agents on invitation to portal_agent using (true) with check (true);
create policy only_invitations on invitation as restrictive for insert to portal_agent with check (kind = 'invitation');

-- A link that has ended cannot be made valid again by any role.
create function keep_ended() returns trigger language plpgsql as $$
begin
  raise exception 'what has ended stays ended' using errcode = 'integrity_constraint_violation';
end $$;
create trigger stays_ended before update on session for each row
  when (old.ended_at is not null and new.ended_at is distinct from old.ended_at) execute function keep_ended();
create trigger stays_ended before update on invitation for each row
  when (old.ended_at is not null and new.ended_at is distinct from old.ended_at) execute function keep_ended();

-- The command line creates an admin with a password in one transaction, as the agents' role. It cannot replace a password.
create function set_first_password(credential_id bigint, hash text) returns void
security definer set search_path = public, pg_temp language sql as $$
  update credential set password_hash = hash where id = credential_id and password_hash is null
$$;
revoke execute on function set_first_password from public;
grant execute on function set_first_password to portal_agent;

-- The sign-in role writes drafts, and their owners read them.
revoke insert, update, delete on draft from portal_agent, portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
