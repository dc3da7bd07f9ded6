"""Let included minutes that were not used roll over into later periods."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0271"
VERSION = "1.38.0"
DESCRIPTION = "rollover of included minutes"

SQL = """
-- Unused included minutes can be used in the next `rollover_periods` periods; at most `rollover_cap` roll from one period into the next. Nothing
-- rolls on from periods before the one of the day `rollover_from`.
alter table service
  add column rollover_periods int check (rollover_periods between 1 and 60),
  add column rollover_cap int check (rollover_cap >= 0),
  add column rollover_from date,
  add constraint service_rollover check (rollover_periods is null or settlement = 'subscription'),
  add constraint service_rollover_terms check (rollover_periods is not null or (rollover_cap is null and rollover_from is null));

-- Minutes that were rolled over name the period that granted them; `period_start` is the period in which they are drawn.
alter table allocation add column rolled_from date,
  add constraint allocation_rolled check (rolled_from is null or (kind = 'included' and rolled_from < period_start));
create function forget_origin() returns trigger language plpgsql as $$
begin
  new.rolled_from := null;
  return new;
end $$;
-- A credit note that writes covered minutes off takes the pool off their allocation, and the origin goes with it.
create trigger unpooled before update on allocation for each row
  when (new.period_start is null and new.rolled_from is not null) execute function forget_origin();

-- What rolled into a period when a run closed the one before, by the period that granted the minutes. The period that was closed always has a row,
-- with 0 minutes if nothing of it was left.
create table rolled_minutes (
  customer_id bigint not null,
  service_id bigint not null,
  period_start date not null,
  origin date not null check (origin < period_start),
  minutes int not null check (minutes >= 0),
  periods int not null check (periods >= 0),
  run_id bigint not null references billing_run,
  primary key (service_id, period_start, origin),
  foreign key (customer_id, service_id) references service (customer_id, id)
);
create index on rolled_minutes (customer_id, service_id);
create index on rolled_minutes (run_id);
call guard_customer_table('rolled_minutes');
grant select, insert, delete on rolled_minutes to portal_agent;
grant select on rolled_minutes to portal_contact;
create trigger fixed before update on rolled_minutes for each row execute function refuse_change();

create function refuse_periods_that_rolled() returns trigger language plpgsql as $$
begin
  if exists (select 1 from rolled_minutes r join service s on s.id = r.service_id where s.contract_id = new.id) then
    raise exception 'minutes have rolled over between the periods of contract %', new.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger rolled before update on contract for each row
  when ((new.cycle, new.anchor) <> (old.cycle, old.anchor)) execute function refuse_periods_that_rolled();

-- The minutes that were drawn from each period of services since a run closed one; contacts get those of their own customer, as in used_minutes.
create function drawn_minutes(services bigint[]) returns table (service_id bigint, period_start date, minutes int)
stable security definer set search_path = public, pg_temp language sql as $$
  select s.id, a.period_start, sum(a.minutes)::int
  from service s join allocation a on a.customer_id = s.customer_id and a.pool_service_id = s.id
  where s.id = any (services) and may_read_usage(s.customer_id)
    and a.period_start >= coalesce((select max(r.period_start) from rolled_minutes r where r.service_id = s.id), '-infinity')
  group by 1, 2
$$;
revoke execute on function drawn_minutes from public;
grant execute on function drawn_minutes to portal_agent, portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
