"""Let the database refuse a department that would lie below itself."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0153"
VERSION = "1.38.0"
DESCRIPTION = "departments form a tree"

SQL = """
-- The portal locks the table before it moves a department, so no simultaneous move is missed here.
create function refuse_knot() returns trigger language plpgsql as $$
begin
  if exists (with recursive above as (select new.parent_id as id
                                      union select d.parent_id from department d join above a on d.id = a.id)
             select from above where id = new.id) then
    raise exception 'a department cannot lie below itself' using errcode = 'check_violation', constraint = 'department_tree';
  end if;
  return null;
end $$;
create trigger no_knots after insert or update of parent_id on department for each row
  when (new.parent_id is not null) execute function refuse_knot();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
