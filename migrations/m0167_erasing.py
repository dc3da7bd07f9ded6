"""Let admins erase a contact (D58), and let the audit record who downloaded what is held about a person."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0167"
VERSION = "1.38.0"
DESCRIPTION = "erasing contacts"

SQL = """
alter table contact add erased_at timestamptz, add check (erased_at is null or ended_at is not null);

-- Messages, the log of cases and the audit never change, except that a name or an IP address of an erased person is taken out. The setting alone
-- changes nothing: no role of the app may update these columns.
do $$ declare name text; begin
  foreach name in array array['case_event', 'audit'] loop
    execute format('drop trigger append_only on %I', name);
    execute format('create trigger append_only before update or delete on %I for each row'
                   ' when (current_setting(''app.erasing'', true) is distinct from ''on'') execute function refuse_change()', name);
  end loop;
end $$;
drop trigger append_only on message;
create trigger append_only before update on message for each row
  when (to_jsonb(old) - 'case_id' <> to_jsonb(new) - 'case_id' and current_setting('app.erasing', true) is distinct from 'on')
  execute function refuse_change();

-- Erase a contact whose access has ended. What the customer's cases and the law need stays, signed "Former contact".
create function erase_contact(erased bigint, at timestamptz) returns void security definer set search_path = public, pg_temp language plpgsql as $$
declare
  person contact;
  own credential;
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
  is_shared := exists (select from credential where email = own.email and id <> own.id);

  perform set_config('app.erasing', 'on', true);
  update message set author_name = 'Former contact' where contact_id = erased;
  update case_event set actor_name = 'Former contact' where contact_id = erased;
  update case_event set details = replace(details::text, to_json(person.name)::text, '"Former contact"')::jsonb
  where customer_id = person.customer_id and details::text like '%' || replace(to_json(person.name)::text, '\\', '\\\\') || '%';
  update audit set address = '', changes = case when changes ? 'address' then changes || '{"address": null}' else changes end
  where credential_id = own.id or what like 'session.%' and subject_id in (select id from session where credential_id = own.id);
  perform set_config('app.erasing', 'off', true);

  update contact set name = 'Former contact', phone = null, sees_all_cases = false, sees_invoices = false, manages_contacts = false,
    erased_at = at where id = erased;
  if not is_shared then
    delete from mail_refusal where email = own.email;
    delete from outgoing_mail where email = own.email;
  end if;
  delete from outgoing_mail where credential_id = own.id;
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
end $$;
revoke execute on function erase_contact from public;
grant execute on function erase_contact to portal_agent;

-- A download changes no row, so no trigger sees it. Who may download what is held about a person: an admin, and the person.
create function record_personal_export(of_credential bigint) returns void security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if of_credential <> app_credential() and not exists (
    select from credential c join agent a on a.id = c.agent_id where c.id = app_credential() and a.grade = 'admin' and a.ended_at is null
  ) then
    raise insufficient_privilege using message = 'an admin, or the person, downloads what is held about a person';
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    app_credential(), coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    'person.export', of_credential, '{"file": [null, "zip"]}');
end $$;
revoke execute on function record_personal_export from public;
grant execute on function record_personal_export to portal_agent, portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
