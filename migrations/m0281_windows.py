"""Let a service count its time by a factor that depends on the hour at which it was worked."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0281"
VERSION = "1.38.0"
DESCRIPTION = "factors for evenings, weekends and holidays"

SQL = r"""
-- Lines such as "Mon-Fri 18:00-22:00 x1.5", and dates, one a line.
alter table service
  add column windows text check (windows ~
    '^([A-Z][A-Za-z, -]*( [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})? x[0-9]{1,2}([.][0-9]{1,2})?(\n|$))+$' and right(windows, 1) <> E'\n'),
  add column holidays text check (holidays ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}(\n|$))+$' and right(holidays, 1) <> E'\n'),
  add constraint service_holidays check (holidays is null or windows is not null);

-- The worked minutes of an entry in their order, each with the factor by which they count, such as "60x1.5 30x1". It is null if no factor applies,
-- and empty if the service has windows, but nobody said at what time the work began.
create function stretched_minutes(stretches text) returns int immutable strict language sql as $$
  select sum(split_part(part, 'x', 1)::int)::int from regexp_split_to_table(stretches, ' ') part
$$;
-- The minutes that count after factors and before any rounding, as portal.schedules.counted_minutes.
create function counted_minutes(stretches text, worked int) returns int immutable language sql as $$
  select case when coalesce(stretches, '') = '' then worked else (
    select round(sum(split_part(part, 'x', 1)::int * split_part(part, 'x', 2)::numeric))::int from regexp_split_to_table(stretches, ' ') part) end
$$;
grant execute on function stretched_minutes, counted_minutes to portal_agent;
alter table time_entry
  add column stretches text,
  add constraint time_entry_stretches check (stretches is null or stretches = ''
    or (stretches ~ '^[1-9][0-9]*x[0-9]+([.][0-9]+)?( [1-9][0-9]*x[0-9]+([.][0-9]+)?)*$' and started_at is not null
        and stretched_minutes(stretches) = actual_minutes));

-- What the customer reads of it: the factors, without worked minutes (D57).
alter table detail_row add column factors text not null default '';
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
