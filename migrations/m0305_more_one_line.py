"""Refuse line breaks and control characters in further names and texts of one line."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0305"
VERSION = "1.38.0"
DESCRIPTION = "more texts of one line"

# Beside those of `m0263`.
SQL = r"""
do $$ declare name text; begin
  foreach name in array array[
    'business_day.name', 'company.phone', 'dispatch_rule.name', 'dispatch_rule.words', 'help_article.title', 'help_text.author_name',
    'product.exemption_reason', 'product.name', 'service_template.name', 'timer.note'] loop
    execute format('alter table %I add constraint %I check (%I !~ ''[\u0001-\u001f\u007f-\u009f\u2028\u2029]'')',
      split_part(name, '.', 1), replace(name, '.', '_') || '_is_one_line', split_part(name, '.', 2));
  end loop;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
