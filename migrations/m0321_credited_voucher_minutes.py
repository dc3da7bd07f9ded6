"""Take only those minutes of a voucher that a credit note names; the rest can still be drawn."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0321"
VERSION = "1.38.0"
DESCRIPTION = "minutes of vouchers that are credited"

SQL = """
-- How many minutes of a voucher the line takes back. Lines from before took all that nothing had drawn, so the last of them has all of them.
alter table credit_line add column voucher_minutes int check (voucher_minutes >= 0);
alter table credit_line disable trigger frozen;
update credit_line c set voucher_minutes = case
  when exists (select from credit_line o where o.invoice_id = c.invoice_id and o.line_position = c.line_position and o.credit_note_id > c.credit_note_id) then 0
  else v.credited_minutes end
from invoice_line l join voucher v on v.id = l.voucher_id
where c.kind = 'voucher' and not c.freed and (l.invoice_id, l.position) = (c.invoice_id, c.line_position);
alter table credit_line enable trigger frozen;
alter table credit_line add check ((kind = 'voucher' and not freed) = (voucher_minutes is not null));

-- At most the share of the price of the minutes that are taken back is credited. The trigger `freed`, which runs before, takes all that nothing has drawn;
-- this one leaves of them what no credit note has named.
create function take_credited_minutes() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  sold record;
begin
  perform set_config('app.freeing', 'yes', true);
  for sold in
    select l.voucher_id, l.net as price, t.currency, sum(c.net) as net, sum(c.voucher_minutes)::int as minutes
    from added t join invoice_line l on l.invoice_id = t.invoice_id and l.position = t.line_position
    join credit_line c on c.invoice_id = l.invoice_id and c.line_position = l.position
    where t.voucher_minutes is not null group by l.voucher_id, l.net, t.currency
  loop
    update voucher set credited_minutes = sold.minutes where id = sold.voucher_id;
    if exists (select from voucher v where v.id = sold.voucher_id and (
        v.minutes - v.credited_minutes < (select coalesce(sum(a.minutes), 0) from allocation a where a.voucher_id = v.id)
        or v.minutes > 0 and sold.net > round(sold.price * v.credited_minutes / v.minutes, currency_digits(sold.currency)))) then
      raise exception 'more of voucher % would be credited than is left', sold.voucher_id using errcode = 'integrity_constraint_violation';
    end if;
  end loop;
  perform set_config('app.freeing', '', true);
  return null;
end $$;
revoke execute on function take_credited_minutes from public;
create trigger taken after insert on credit_line referencing new table as added for each statement execute function take_credited_minutes();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
