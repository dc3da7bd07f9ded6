"""Add `folded()`, the form of a text without accents and case, by which lists are sorted and searched."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0030"
VERSION = "1.38.0"
DESCRIPTION = "folding"

SQL = r"""
-- The embedded server has neither ICU nor unaccent. The function is not strict, so that the planner can inline it. Most texts are pure
-- ASCII; they take the first, short branch.
create function folded(words text) returns text immutable parallel safe language sql as $$
  select case when octet_length(words) = length(words) then lower(words)
    else replace(replace(replace(replace(translate(
      lower(regexp_replace(normalize(words, NFKD), '[\u0300-\u036f]', '', 'g')),
      'øđłðħı', 'odldhi'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th') end
$$;

-- The search runs over all cases at once, so the folded subject is a stored column.
alter table cases add column subject_folded text not null generated always as (folded(subject)) stored;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
