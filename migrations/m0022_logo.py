"""Add the company's logo, as a PNG that the portal rendered."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0022"
VERSION = "1.38.0"
DESCRIPTION = "logo"

SQL = """
create table logo (
  id smallint primary key default 1 references company check (id = 1),
  png bytea not null check (length(png) between 1 and 4000000),
  sha256 bytea not null check (sha256 = sha256(png))
);
grant select, insert, update, delete on logo to portal_agent;
-- The sign-in page shows the logo to everybody.
grant select on logo to portal_contact, portal_app;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
