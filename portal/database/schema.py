"""Migrate the schema, and check whether the app can run on a database."""

import contextlib
from typing import Any

import asyncpg

from portal.database import ACQUIRE_SECONDS, Transaction, _running

ROLES = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'portal_contact') then create role portal_contact nologin; end if;
  if not exists (select from pg_roles where rolname = 'portal_administrator') then
    create role portal_administrator nologin;
    grant portal_contact to portal_administrator;
  end if;
  if not exists (select from pg_roles where rolname = 'portal_agent') then create role portal_agent nologin; end if;
  if not exists (select from pg_roles where rolname = 'portal_app') then create role portal_app nologin noinherit; end if;
  if not pg_has_role('portal_app', 'portal_administrator', 'member') then
    grant portal_contact, portal_agent, portal_administrator to portal_app;
  end if;
exception when duplicate_object or unique_violation then null;  -- another process created them at the same moment
end $$
"""


def migration_names() -> set[str]:
    """Return the ids of the migrations of this release, as the table `migration` names them."""
    from piccolo.apps.migrations.commands.base import BaseMigrationManager  # noqa: PLC0415 - slow, see `migrate`

    manager = BaseMigrationManager()
    folder = manager.get_app_config(app_name="portal").resolved_migrations_folder_path
    return set(manager.get_migration_ids(manager.get_migration_modules(folder)))


async def migrate(owner_dsn: str) -> None:
    """Create the database roles that are missing, and run all pending migrations in one transaction.

    `owner_dsn` is the database URL of the owner of the tables. A second process that migrates at the same time waits for
    the first.
    """
    # Piccolo's commands import a formatter for source code, which web processes do not need to start.
    from piccolo.apps.migrations.commands.forwards import run_forwards  # noqa: PLC0415

    connection = await asyncpg.connect(owner_dsn, timeout=10)
    token = None
    try:
        await connection.execute("set lock_timeout = '60s'; select pg_advisory_lock(20261122)")
        await connection.execute(ROLES)
        await connection.execute("set lock_timeout = '3s'; set client_min_messages = warning")
        async with connection.transaction():
            token = _running.set(Transaction(connection, None, readonly=False))
            with contextlib.redirect_stdout(None):
                await run_forwards("portal")
    finally:
        if token is not None:
            _running.reset(token)
        await connection.close()


async def refuse_unfit(dsn: str, *, production: bool) -> None:
    """Raise `ValueError` with a one-line message if the app cannot run on this database.

    The app cannot run if the database does not respond or its schema is older than the code. In production, the role of
    the URL `dsn` must be a member of portal_app. This role must not own the tables or be a superuser, because row-level
    security would not apply (R24, R88). A newer schema is accepted, because the previous release still runs during a
    rollout (R96).
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=ACQUIRE_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ValueError(f"The database of DATABASE_URL lets nobody in ({type(error).__name__}).") from error
    try:
        if production:
            await _refuse_role(connection)
        ran = set()
        if await connection.fetchval("select to_regclass('public.migration') is not null"):
            ran = {row["name"] for row in await connection.fetch("select name from migration")}
        if missing := len(migration_names() - ran):
            raise ValueError(
                f"The database lacks {missing} of {len(migration_names())} migrations. Run portal migrate."
            )
    except asyncpg.InsufficientPrivilegeError:
        raise ValueError(
            "The role of DATABASE_URL may read nothing. Grant it portal_app, and run portal migrate."
        ) from None
    finally:
        await connection.close()


async def _refuse_role(connection: Any) -> None:
    """Raise `ValueError` if the role is exempt from row-level security, owns the tables, or is not a member of portal_app."""
    if await connection.fetchval("select rolsuper or rolbypassrls from pg_roles where rolname = session_user"):
        raise ValueError("DATABASE_URL names a superuser. Use a role that is a member of portal_app only.")
    if await connection.fetchval(
        "select exists (select 1 from pg_tables where schemaname = 'public' and pg_has_role(session_user, tableowner, 'member'))"
    ):
        raise ValueError("DATABASE_URL names the owner of the tables. Use a role that is a member of portal_app only.")
    if not await connection.fetchval(
        "select exists (select from pg_roles where rolname = 'portal_app' and pg_has_role(session_user, oid, 'usage'))"
    ):
        raise ValueError(
            "The role of DATABASE_URL is not a member of portal_app. Run portal migrate, then grant it portal_app."
        )
