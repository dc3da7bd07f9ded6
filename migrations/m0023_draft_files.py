"""Keep files that were chosen in a form before the form is sent, and keep no draft of a form after it was sent."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0023"
VERSION = "1.38.0"
DESCRIPTION = "files of drafts"

SQL = """
-- A stored file with a form key waits for its form to be sent. Without one it is being stored, or was taken off, and is swept (R60).
alter table upload
  add column id uuid not null unique default gen_random_uuid(),
  add column form_key uuid,
  add column name text check (btrim(name) <> '' and octet_length(name) <= 255),
  add column media_type text,
  add column size bigint check (size between 1 and 26214400),
  add column sha256 bytea check (length(sha256) = 32),
  add column kept_at timestamptz,
  add check (form_key is null or (name is not null and media_type is not null and size is not null and sha256 is not null and kept_at is not null));
create index upload_of_form on upload (credential_id, form_key) where form_key is not null;
grant select (size) on upload to portal_app;
grant update (form_key, name, media_type, size, sha256, kept_at) on upload to portal_contact;

-- The key of the form that was sent last from this address: a draft of it that arrives late is not kept.
alter table draft add column sent_form uuid;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
