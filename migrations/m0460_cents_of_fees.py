"""Let a credit note credit a cent of a fee without any days, so that the billed parts of a period add up exactly."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0460"
VERSION = "1.38.0"
DESCRIPTION = "cents of fees"

# `free_credited_lines` of m0382, where the days that a credit note gives back may also begin where the billed days end.
SQL = """
create or replace function free_credited_lines() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  line record;
begin
  perform set_config('app.freeing', 'yes', true);
  for line in
    select t.freed, t.unused_from, t.net, l.kind, l.invoice_id, l.position, l.service_id, l.period_start, l.active_from, l.voucher_id, l.net as price
    from added t join invoice_line l on l.invoice_id = t.invoice_id and l.position = t.line_position where l.kind <> 'time'
  loop
    if line.kind = 'fee' and line.unused_from > line.active_from then
      update billed_fee set active_until = line.unused_from where invoice_id = line.invoice_id and service_id = line.service_id
        and period_start = line.period_start and active_from = line.active_from and active_until >= line.unused_from;
      if not found then
        raise exception 'no fee is billed for days from %', line.unused_from using errcode = 'integrity_constraint_violation';
      end if;
    elsif line.kind = 'fee' and (line.freed or line.unused_from is not null) then
      delete from billed_fee where invoice_id = line.invoice_id and service_id = line.service_id and period_start = line.period_start
        and active_from = line.active_from;
    elsif line.kind = 'voucher' and line.freed then
      perform from voucher where id = line.voucher_id for no key update;
      if line.net <> line.price or exists (select from allocation where voucher_id = line.voucher_id and minutes > 0) then
        raise exception 'voucher % is in use', line.voucher_id using errcode = 'integrity_constraint_violation';
      end if;
      delete from billed_voucher where invoice_id = line.invoice_id and voucher_id = line.voucher_id;
    end if;
  end loop;
  perform set_config('app.freeing', '', true);
  return null;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
