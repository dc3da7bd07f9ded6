"""Keep the drawings of pictures and PDF pages that people have looked at, so that each is drawn once (R59).

Show the number of an article's views only to its readers.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0221"
VERSION = "1.38.0"
DESCRIPTION = "previews of files"

SQL = """
create table file_preview (
  attachment_id uuid not null references attachment on delete cascade,
  page integer not null check (page > 0),
  side integer not null check (side > 0),
  -- Null if the file cannot be drawn, so that nobody tries again.
  content bytea check (length(content) between 1 and 4000000),
  width integer,
  height integer,
  pages integer,
  made_at timestamptz not null,
  primary key (attachment_id, page, side),
  check (num_nulls(content, width, height, pages) in (0, 4))
);
create index on file_preview (made_at);
alter table file_preview enable row level security;
create policy agents on file_preview to portal_agent using (true) with check (true);
-- Contacts have the drawings of the files that they may read, by the policy of attachments.
create policy contacts on file_preview to portal_contact
  using (attachment_id in (select id from attachment)) with check (attachment_id in (select id from attachment));
grant select, insert on file_preview to portal_agent, portal_contact;
grant delete on file_preview to portal_agent;

-- The number of views is shown to whoever may read the article.
alter table help_views enable row level security;
create policy readers on help_views for select to portal_agent, portal_contact, portal_app
  using (article_id in (select id from help_article));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
