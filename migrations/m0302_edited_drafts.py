"""Let managers add lines of their own to drafts, and a note to the customer."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0302"
VERSION = "1.38.0"
DESCRIPTION = "lines and notes of drafts"

SQL = """
-- What the company writes to the customer on the invoice; it can change until the invoice is issued.
alter table invoice add column note text check (note <> '' and length(note) <= 1000);
-- A line that somebody added by hand: a charge, or a discount with a negative net.
alter table invoice_line drop constraint invoice_line_kind_check;
alter table invoice_line add constraint invoice_line_kind_check check (kind in ('time', 'fee', 'voucher', 'extra'));
alter table invoice_line add check (net >= 0 or kind = 'extra');
alter table invoice_vat add check (base >= 0);
alter table credit_line drop constraint credit_line_kind_check;
alter table credit_line add constraint credit_line_kind_check check (kind in ('time', 'fee', 'voucher', 'extra'));
alter table credit_line drop constraint credit_line_check;
alter table credit_line add constraint credit_line_net_check check ((net >= 0 or kind = 'extra') and is_money(net, currency));

-- Credit notes credit at most each line; of a discount they take back at most the discount.
create or replace function guard_credit_note() returns trigger language plpgsql as $$
begin
  perform from invoice where id = new.invoice_id and state = 'issued' for no key update;
  if not found then
    raise exception 'only an issued invoice is credited' using errcode = 'integrity_constraint_violation';
  end if;
  if new.net is distinct from (select sum(net) from credit_line where credit_note_id = new.id)
     or new.tax is distinct from (select sum(tax) from credit_vat where credit_note_id = new.id)
     or exists (select vat_category, vat_rate, sum(net) from credit_line where credit_note_id = new.id group by 1, 2
                except select category, rate, base from credit_vat where credit_note_id = new.id)
     or (select coalesce(sum(net), 0) from credit_line where credit_note_id = new.id and kind = 'time')
        <> (select coalesce(sum(amount), 0) from credited_time where credit_note_id = new.id)
     or new.net <> (select coalesce(sum(amount), 0) from detail_row where credit_note_id = new.id) then
    raise exception 'credit note % does not sum up', new.number using errcode = 'integrity_constraint_violation';
  end if;
  if exists (select 1 from invoice_line l join credit_line c on c.invoice_id = l.invoice_id and c.line_position = l.position
             where l.invoice_id = new.invoice_id group by l.id
             having case when l.net < 0 then sum(c.net) not between l.net and 0 else sum(c.net) > l.net end)
     or exists (select 1 from invoice_vat v join credit_vat c on c.invoice_id = v.invoice_id and c.category = v.category and c.rate = v.rate
                where v.invoice_id = new.invoice_id group by v.invoice_id, v.category, v.rate having sum(c.base) > v.base or sum(c.tax) > v.tax) then
    raise exception 'more would be credited than was invoiced' using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
