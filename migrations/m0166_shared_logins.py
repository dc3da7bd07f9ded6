"""Let contacts of several customers sign in with one mail address, one password and the same second factors."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0166"
VERSION = "1.38.0"
DESCRIPTION = "one mail address for contacts of several customers"

SQL = """
-- A login is a mail address with its password and second factors. They are kept at one of the credentials with that mail address, to which
-- `login_id` of all of them refers. `accepted_at` is when the person accepted the access; nobody is signed in to what they have not accepted.
alter table credential add login_id bigint, add accepted_at timestamptz;
alter table credential disable trigger recorded_change;
update credential set login_id = id, accepted_at = case when password_hash is not null then created_at end;
alter table credential enable trigger recorded_change;
alter table credential alter login_id set not null;
drop index credential_email;
create index on credential (email);
create index on credential (login_id);
create unique index credential_email_of_agent on credential (email) where agent_id is not null;
create unique index credential_email_of_customer on credential (customer_id, email);
alter table credential
  add unique (id, email),
  add foreign key (login_id, email) references credential (id, email),
  -- Deferred, because a login moves from one credential to another in two steps.
  add constraint one_login_for_an_address exclude using btree (email with =) where (login_id = id) deferrable initially deferred;
grant select (login_id, accepted_at) on credential to portal_agent, portal_contact;
grant update (login_id, accepted_at) on credential to portal_app;

-- The credential whose id is part of the hash; null means `credential_id`.
alter table recovery_code add hashed_for bigint;

-- Move a login away from a credential that leaves it: with password and second factors to another person's access that was accepted; if there is
-- none, without them.
create function hand_over_login(leaving bigint) returns void security definer set search_path = public, pg_temp language plpgsql as $$
declare
  heir credential;
begin
  select * into heir from credential where login_id = leaving and id <> leaving order by accepted_at is null, id limit 1;
  if heir.id is null then
    return;
  end if;
  if heir.accepted_at is not null then
    update credential c set password_hash = h.password_hash from credential h where c.id = heir.id and h.id = leaving;
    update authenticator set credential_id = heir.id where credential_id = leaving;
    update passkey set credential_id = heir.id where credential_id = leaving;
    update recovery_code set credential_id = heir.id, hashed_for = coalesce(hashed_for, credential_id) where credential_id = leaving;
  end if;
  update credential set login_id = heir.id where login_id = leaving and id <> leaving;
end $$;
revoke execute on function hand_over_login from public;

create function lock_address(address text) returns void language sql
as $$ select pg_advisory_xact_lock(hashtextextended('mail address ' || address, 0)) $$;

revoke execute on function lock_address from public;

create function refuse_agent_as_contact(self credential) returns void language plpgsql as $$
begin
  if exists (select from credential c where c.email = self.email and c.id <> self.id and (c.agent_id is null) <> (self.agent_id is null)) then
    raise unique_violation using message = 'a mail address belongs to an agent or to contacts';
  end if;
end $$;

revoke execute on function refuse_agent_as_contact from public;

-- A new credential joins the login of its mail address, if there is one. A copy of a row, which names its login, stays as it is.
create function join_login() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if new.login_id is not null then
    return new;
  end if;
  perform lock_address(new.email);
  perform refuse_agent_as_contact(new);
  new.login_id := coalesce((select id from credential where email = new.email and login_id = id), new.id);
  if new.login_id <> new.id then
    new.password_hash := null;
    new.accepted_at := null;
  elsif new.password_hash is not null then
    new.accepted_at := coalesce(new.accepted_at, new.created_at);
  end if;
  return new;
end $$;
create trigger joins_login before insert on credential for each row execute function join_login();
-- The tests write their rows while triggers are off.
alter table credential enable always trigger joins_login;

-- With a new mail address, a person keeps password and second factors only if nobody else's access depends on the old or the new one.
create function change_login() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  known bigint;
  is_shared boolean;
begin
  perform lock_address(least(old.email, new.email));
  perform lock_address(greatest(old.email, new.email));
  perform refuse_agent_as_contact(new);
  select id into known from credential where email = new.email and login_id = id;
  is_shared := exists (select from credential where login_id = old.login_id and id <> old.id and accepted_at is not null);
  if old.login_id = old.id then
    perform hand_over_login(old.id);
  end if;
  new.login_id := coalesce(known, new.id);
  if is_shared or known is not null then
    new.password_hash := null;
    new.accepted_at := null;
    delete from authenticator where credential_id = new.id;
    delete from passkey where credential_id = new.id;
    delete from recovery_code where credential_id = new.id;
    update session set ended_at = now() where credential_id = new.id and ended_at is null;
  end if;
  return new;
end $$;
create trigger changes_login before update of email on credential for each row
  when (old.email is distinct from new.email) execute function change_login();

-- A first password is accepted by whoever sets it. The release of before knows nothing of `accepted_at` (R96).
create function accept_first_password() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if not exists (select from credential where login_id = new.id and id <> new.id) then
    new.accepted_at := now();
  end if;
  return new;
end $$;
create trigger accepts_first_password before update of password_hash on credential for each row
  when (old.password_hash is null and new.password_hash is not null and new.accepted_at is null) execute function accept_first_password();

create function leave_login() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform lock_address(old.email);
  perform hand_over_login(old.id);
  return old;
end $$;
create trigger leaves_login before delete on credential for each row when (old.login_id = old.id) execute function leave_login();

-- Lock the login of a credential until the transaction ends. A customer's administrators may lock it although it may be kept at the credential of
-- a contact of another customer, whose row they cannot read.
create function take_turns(of_credential bigint) returns boolean security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform 1 from credential
  where id = (select c.login_id from credential c
              where c.id = of_credential and (app_customer() is null or c.customer_id = app_customer()))
  for update;
  return found;
end $$;
revoke execute on function take_turns from public;
grant execute on function take_turns to portal_app, portal_agent, portal_administrator;

-- The person also sees second factors and sessions of their other customers: they are the same person's.
create function app_login() returns bigint stable security definer set search_path = public, pg_temp language sql
as $$ select login_id from credential where id = app_credential() $$;
create function app_sign_ins() returns setof bigint stable security definer set search_path = public, pg_temp language sql
as $$ select id from credential where login_id = app_login() $$;
revoke execute on function app_login, app_sign_ins from public;
grant execute on function app_login, app_sign_ins to portal_contact, portal_administrator;
drop policy contacts on session;
create policy contacts on session to portal_contact using (credential_id in (select app_sign_ins()));
do $$ declare name text; begin
  foreach name in array array['authenticator', 'recovery_code', 'passkey'] loop
    execute format('drop policy contacts on %I', name);
    execute format('create policy contacts on %I for select to portal_contact using (credential_id = (select app_login()))', name);
  end loop;
end $$;

-- Whether an agent made the link. A link that somebody at one customer made never sets a password that also opens another customer.
alter table invitation add by_agent boolean not null default (current_user = 'portal_agent');

drop function person_of(bigint);
create function person_of(credential bigint) returns table (
  credential_id bigint, login_id bigint, email text, disabled boolean,
  agent_id bigint, grade text, contact_id bigint, customer_id bigint, customer_name text,
  name text, locale text, time_zone text, sees_all_cases boolean, sees_invoices boolean, manages_contacts boolean,
  -- [credential id, name of the customer] of the other customers that the person can switch to.
  others jsonb)
stable security definer set search_path = public, pg_temp language sql as $$
  select c.id, c.login_id, c.email,
         c.disabled_at is not null or coalesce(a.ended_at, t.ended_at, u.ended_at) is not null,
         a.id, a.grade, t.id, t.customer_id, u.name,
         coalesce(a.name, t.name), coalesce(a.locale, t.locale), coalesce(a.time_zone, t.time_zone),
         t.sees_all_cases, t.sees_invoices, t.manages_contacts,
         (select jsonb_agg(jsonb_build_array(o.id, ou.name) order by folded(ou.name), o.id)
          from credential o join contact ot on ot.id = o.contact_id join customer ou on ou.id = o.customer_id
          where o.login_id = c.login_id and o.id <> c.id and o.accepted_at is not null and o.disabled_at is null
            and ot.ended_at is null and ou.ended_at is null)
  from credential c
  left join agent a on a.id = c.agent_id
  left join contact t on t.id = c.contact_id
  left join customer u on u.id = c.customer_id
  where c.id = credential
$$;
revoke execute on function person_of from public;
grant execute on function person_of to portal_app, portal_agent;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
