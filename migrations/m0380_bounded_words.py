"""Limit the length of the texts in the index of the search, and let no phrase match across two messages."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0380"
VERSION = "1.38.0"
DESCRIPTION = "bounded words of the search"

# `normalize` turns one character into up to 18, and PostgreSQL refuses a tsvector of words that have 1 MiB together, repeated ones included: 250,000
# characters have at most 1,000,000 bytes. The first position is 2, so that between two texts of a case there is always a gap: otherwise a phrase of
# the end of a reply and the beginning of the next one would tell a contact whether a note stands between them.
SQL = r"""
create or replace function search_vector(words text, mark text default '', weight text default '') returns tsvector
immutable parallel safe return (
  select coalesce(string_agg(mark || left(word, 60) || ':' || least(place + 1, 16383) || weight, ' '), '')::tsvector
  from string_to_table(left(search_form(words), 250000), ' ') with ordinality as form (word, place) where word <> ''
);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
