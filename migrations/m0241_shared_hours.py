"""Let services draw the included minutes of a subscription of the same contract."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0241"
VERSION = "1.38.0"
DESCRIPTION = "included hours shared by several services"

SQL = """
alter table service
  add column included_from_id bigint,
  add foreign key (customer_id, included_from_id) references service (customer_id, id),
  add constraint service_included_from check (included_from_id is null or (included_from_id <> id and settlement <> 'time_spent'));
create index on service (customer_id, included_from_id) where included_from_id is not null;

-- A service draws only the included minutes of a subscription of its contract with the same tax. The check after the statement covers the
-- changed service as the one that draws and as the one that is drawn from; the locks let two managers not change one of each at once.
create function refuse_unfit_sharing() returns trigger language plpgsql as $$
begin
  perform from service where id in (new.id, new.included_from_id) or included_from_id = new.id order by id for share;
  if exists (
    select 1 from service mine join service its on its.id = mine.included_from_id
    where (mine.id = new.id or its.id = new.id)
      and (mine.contract_id <> its.contract_id or its.settlement <> 'subscription' or mine.taxable <> its.taxable)) then
    raise exception 'service % shares included minutes', new.id
      using errcode = 'integrity_constraint_violation', constraint = 'service_included_from';
  end if;
  return null;
end $$;
create trigger shares_fit after insert or update on service for each row execute function refuse_unfit_sharing();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
