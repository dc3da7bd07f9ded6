"""Refuse chains of merged cases, and let links wait for a merge that runs at the same moment (D53)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0255"
VERSION = "1.38.0"
DESCRIPTION = "no chains of merged cases"

SQL = """
create or replace function refuse_change_of_merged() returns trigger language plpgsql as $$
begin
  if old.merged_into_id is not null
     -- The generated column is computed after this trigger.
     and (new.merged_into_id is null
          or to_jsonb(new) - '{merged_into_id,subject_folded}'::text[] <> to_jsonb(old) - '{merged_into_id,subject_folded}'::text[])
     then
    raise exception 'case % is merged', old.id using errcode = 'integrity_constraint_violation';
  end if;
  -- The lock makes this transaction wait for one that merges the other case at the same moment.
  if new.merged_into_id is not null
     and (select merged_into_id from cases where id = new.merged_into_id for no key update) is not null then
    raise exception 'case % is merged into another case', new.merged_into_id using errcode = 'integrity_constraint_violation';
  end if;
  -- The numbers of earlier merges lead to the new case first, so that no number leads to a merged case.
  if new.merged_into_id is not null and exists (select from cases where merged_into_id = new.id) then
    raise exception 'cases are merged into case %', new.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;

create or replace function refuse_merged_link() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform from cases where id in (new.case_id, new.other_id) order by number for share;
  if exists (select from cases where id in (new.case_id, new.other_id) and merged_into_id is not null) then
    raise exception 'a case of this link is merged' using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
