"""Record for which days of a period its fee was billed, so that days that become active later are billed too."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0312"
VERSION = "1.38.0"
DESCRIPTION = "days of fees"

SQL = """
-- The days that were paid, the end excluded. Where no line says which, the fee was 0: then it counts as billed for the period, whose end is not known
-- here, and which is no longer than a year.
alter table billed_fee add column active_from date, add column active_until date;
alter table billed_fee disable trigger frozen;
update billed_fee set active_from = period_start, active_until = period_start + 366;
update billed_fee b set active_from = l.active_from, active_until = l.active_to + 1 from invoice_line l
where l.kind = 'fee' and (l.invoice_id, l.service_id, l.period_start) = (b.invoice_id, b.service_id, b.period_start);
alter table billed_fee enable trigger frozen;
alter table billed_fee
  alter column active_from set not null,
  alter column active_until set not null,
  add check (active_until > active_from),
  drop constraint billed_fee_pkey, add primary key (service_id, period_start, active_from),
  -- No day of a period is billed twice.
  add constraint billed_fee_once exclude using gist (
    int8range(service_id, service_id, '[]') with &&, daterange(period_start, period_start, '[]') with &&, daterange(active_from, active_until) with &&);

-- The first day from which a credit note gives a fee back, because the contract ended. If the contract is extended later, these days are billed again.
alter table credit_line add column unused_from date, add check (unused_from is null or (kind = 'fee' and not freed));

create or replace function refuse_frozen_part() returns trigger language plpgsql as $$
declare
  part jsonb := to_jsonb(case tg_op when 'INSERT' then new else old end);
begin
  if tg_op = 'DELETE' and tg_table_name in ('settled_entry', 'line_allocation', 'billed_fee', 'billed_voucher') and is_freeing() then
    return old;
  end if;
  if tg_op = 'UPDATE' and tg_table_name = 'billed_fee' and is_freeing() then
    return new;
  end if;
  if tg_op = 'UPDATE' then
    raise exception '% cannot change', tg_table_name using errcode = 'integrity_constraint_violation';
  end if;
  if exists (select 1 from invoice where id = (part ->> 'invoice_id')::bigint and state = 'issued') then
    raise exception '% belongs to an issued invoice', tg_table_name using errcode = 'integrity_constraint_violation';
  end if;
  if tg_op = 'DELETE' and (part ->> 'statement_id') is not null then
    raise exception '% belongs to a statement', tg_table_name using errcode = 'integrity_constraint_violation';
  end if;
  if (part ->> 'credit_note_id') is not null and (tg_op = 'DELETE' or exists (select 1 from credit_note where id = (part ->> 'credit_note_id')::bigint)) then
    raise exception '% belongs to a credit note', tg_table_name using errcode = 'integrity_constraint_violation';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;

create or replace function free_credited_lines() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  line record;
  drawn int;
begin
  perform set_config('app.freeing', 'yes', true);
  for line in
    select t.freed, t.unused_from, t.net, t.currency, l.kind, l.invoice_id, l.position, l.service_id, l.period_start, l.active_from, l.voucher_id,
           l.net as price
    from added t join invoice_line l on l.invoice_id = t.invoice_id and l.position = t.line_position where l.kind <> 'time'
  loop
    if line.kind = 'fee' and line.unused_from > line.active_from then
      update billed_fee set active_until = line.unused_from where invoice_id = line.invoice_id and service_id = line.service_id
        and period_start = line.period_start and active_from = line.active_from and active_until > line.unused_from;
      if not found then
        raise exception 'no fee is billed for days from %', line.unused_from using errcode = 'integrity_constraint_violation';
      end if;
    elsif line.kind = 'fee' and (line.freed or line.unused_from is not null) then
      delete from billed_fee where invoice_id = line.invoice_id and service_id = line.service_id and period_start = line.period_start
        and active_from = line.active_from;
    elsif line.kind = 'voucher' then
      perform from voucher where id = line.voucher_id for no key update;
      select coalesce(sum(minutes), 0) into drawn from allocation where voucher_id = line.voucher_id;
      if line.freed and (drawn > 0 or line.net <> line.price) then
        raise exception 'voucher % is in use', line.voucher_id using errcode = 'integrity_constraint_violation';
      elsif line.freed then
        delete from billed_voucher where invoice_id = line.invoice_id and voucher_id = line.voucher_id;
      else
        update voucher set credited_minutes = minutes - drawn where id = line.voucher_id;
        if (select sum(c.net) from credit_line c where c.invoice_id = line.invoice_id and c.line_position = line.position)
           > (select round(line.price * (minutes - drawn) / greatest(minutes, 1), currency_digits(line.currency)) from voucher where id = line.voucher_id)
           and exists (select 1 from voucher where id = line.voucher_id and minutes > 0) then
          raise exception 'more than the undrawn share of voucher % would be credited', line.voucher_id using errcode = 'integrity_constraint_violation';
        end if;
      end if;
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
