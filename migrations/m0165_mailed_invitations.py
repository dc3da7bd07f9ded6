"""Let the worker mail invitations and password resets, so that the person who requests one never sees its link."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0165"
VERSION = "1.38.0"
DESCRIPTION = "mailed invitations"

SQL = """
-- Null: the link was handed over by hand. Otherwise the worker makes the token when it writes the mail; until then, nobody knows a token whose
-- hash is stored.
alter table invitation
  add mail text check (mail in ('waiting', 'begun', 'sent')),
  add mailed_at timestamptz,
  add check (coalesce(mail = 'sent', false) = (mailed_at is not null));
create index invitation_to_mail on invitation (id) where mail = 'waiting' and ended_at is null;

grant select (mail, mailed_at), insert (mail) on invitation to portal_agent, portal_administrator;
grant update (mail, mailed_at) on invitation to portal_agent;

-- A contact who manages contacts sees what became of their invitations.
grant select (id, kind, credential_id, created_at, expires_at, ended_at, mail, mailed_at) on invitation to portal_contact;
grant execute on function app_manages_contacts to portal_contact;
create policy contacts on invitation for select to portal_contact
  using ((select app_manages_contacts()) and credential_id in (select id from credential where customer_id = (select app_customer())));

-- A reset is only ever mailed to its owner. An agent or an administrator of a customer may ask for one, but cannot know its token.
drop policy only_invitations on invitation;
create policy no_known_resets on invitation as restrictive for insert to portal_agent
  with check (mail = 'waiting' or mail is null and kind = 'invitation');
drop policy only_invitations_of_administrators on invitation;
create policy no_known_resets_of_administrators on invitation as restrictive for insert to portal_administrator
  with check (mail = 'waiting' or mail is null and kind = 'invitation');

-- That the worker has mailed a link is no change that anybody made.
drop trigger recorded on invitation;
create trigger recorded after insert or delete on invitation for each row execute function record_change();
create trigger recorded_end after update on invitation for each row
  when (old.ended_at is distinct from new.ended_at) execute function record_change();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
