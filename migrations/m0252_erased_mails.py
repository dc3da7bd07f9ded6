"""Let a contact be erased even if invoices were mailed to the contact, and refuse what an erased contact writes."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0252"
VERSION = "1.38.0"
DESCRIPTION = "mails of erased contacts"

SQL = """
-- Delete the refusals of mail addresses that nobody has any more.
create function forget_refusals() returns void language sql as $$
  delete from mail_refusal r
  where not exists (select from credential c where c.email = r.email) and not exists (select from customer u where u.email = r.email)
$$;
revoke execute on function forget_refusals from public;
grant execute on function forget_refusals to portal_agent;

create or replace function erase_contact(erased bigint, at timestamptz) returns void security definer set search_path = public, pg_temp language plpgsql as $$
declare
  person contact;
  own credential;
  names text[];
  is_shared boolean;
begin
  if not exists (select from credential c join agent a on a.id = c.agent_id
                 where c.id = app_credential() and a.grade = 'admin' and a.ended_at is null) then
    raise insufficient_privilege using message = 'only an admin erases a contact';
  end if;
  select * into person from contact where id = erased and ended_at is not null and erased_at is null for update;
  if person.id is null then
    raise check_violation using message = 'only a contact whose access has ended is erased, and only once';
  end if;
  select * into own from credential where contact_id = erased;
  is_shared := exists (select from credential where email = own.email and id <> own.id)
    or exists (select from customer where email = own.email);
  -- The log of a case names a contact as they were called at the time, which only what they wrote then still says.
  names := array(select person.name union select author_name from message where contact_id = erased
                 union select actor_name from case_event where contact_id = erased);

  perform set_config('app.erasing', 'on', true);
  update message set author_name = 'Former contact' where contact_id = erased;
  update case_event set actor_name = 'Former contact' where contact_id = erased;
  update case_event set details = details
    || case when details ->> 'from' = any(names) then '{"from": "Former contact"}'::jsonb else '{}' end
    || case when details ->> 'to' = any(names) then '{"to": "Former contact"}'::jsonb else '{}' end
  where customer_id = person.customer_id and kind = 'contact' and (details ->> 'from' = any(names) or details ->> 'to' = any(names));
  update audit set address = '', changes = case when changes ? 'address' then changes || '{"address": null}' else changes end
  where credential_id = own.id or what like 'session.%' and subject_id in (select id from session where credential_id = own.id);
  perform set_config('app.erasing', 'off', true);

  update contact set name = 'Former contact', phone = null, sees_all_cases = false, sees_invoices = false, manages_contacts = false,
    erased_at = at where id = erased;
  if not is_shared then
    delete from outgoing_mail where email = own.email;
  end if;
  delete from outgoing_mail where credential_id = own.id;
  -- A mail that was sent or withdrawn has no reason, and its row never changes.
  update invoice_mail set state = 'withdrawn', ended_at = at, reason = null where contact_id = erased and state = 'waiting';
  update invoice_mail set reason = null where contact_id = erased and reason is not null;
  delete from notice where credential_id = own.id;
  delete from notice_choice where credential_id = own.id;
  delete from draft where credential_id = own.id;
  delete from upload where credential_id = own.id;
  delete from invitation where credential_id = own.id;
  delete from session where credential_id = own.id;
  -- The login goes to the person's access to another customer, if there is one that was accepted.
  perform lock_address(own.email);
  perform hand_over_login(own.id);
  delete from authenticator where credential_id = own.id;
  delete from passkey where credential_id = own.id;
  delete from recovery_code where credential_id = own.id;
  delete from credential where id = own.id;
  perform forget_refusals();
end $$;

-- A request of a contact that was still running when they were erased would bring their name back. The lock waits for an erasure that is not
-- committed yet. The error is shown as it is; `portal.database` knows its code.
create function refuse_erased() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform from contact where id = new.contact_id and erased_at is null for key share;
  if not found then
    raise exception 'Your access has ended.' using errcode = 'PM001';
  end if;
  return new;
end $$;
revoke execute on function refuse_erased from public;
create trigger refuses_erased before insert on message for each row when (new.contact_id is not null) execute function refuse_erased();
create trigger refuses_erased before insert on case_event for each row when (new.contact_id is not null) execute function refuse_erased();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
