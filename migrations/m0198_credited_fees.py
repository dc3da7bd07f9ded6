"""Let a credit note make a fee due again, and take the undrawn minutes of a voucher back."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0198"
VERSION = "1.38.0"
DESCRIPTION = "credited fees and vouchers"

SQL = """
-- Whether the fee or the voucher of a line is due again, so that the next billing run bills it anew.
alter table credit_line add column freed boolean not null default false, add check (not freed or kind <> 'time');
-- The minutes of a voucher whose share of the price was credited: nothing draws them any more.
alter table voucher add column credited_minutes int not null default 0 check (credited_minutes between 0 and minutes);

create or replace function refuse_frozen_part() returns trigger language plpgsql as $$
declare
  part jsonb := to_jsonb(case tg_op when 'INSERT' then new else old end);
begin
  if tg_op = 'DELETE' and tg_table_name in ('settled_entry', 'line_allocation', 'billed_fee', 'billed_voucher') and is_freeing() then
    return old;
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

create or replace function refuse_overdrawn() returns trigger language plpgsql as $$
declare
  touched bigint[] := array(select distinct voucher_id from added where voucher_id is not null order by 1);
begin
  if touched = '{}' then
    return null;
  end if;
  perform from voucher where id = any (touched) order by id for no key update;
  if exists (select 1 from voucher v where v.id = any (touched)
             and v.minutes - v.credited_minutes < (select sum(a.minutes) from allocation a where a.voucher_id = v.id)) then
    raise exception 'a voucher has too few minutes' using errcode = 'integrity_constraint_violation';
  end if;
  if exists (select 1 from added a join time_entry e on e.id = a.entry_id join voucher v on v.id = a.voucher_id
             where e.work_date < v.valid_from or e.work_date >= v.end_on
                or not exists (select 1 from voucher_service x where x.voucher_id = v.id and x.service_id = e.service_id)) then
    raise exception 'a voucher is not for this time' using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;

create function refuse_voucher_credit() returns trigger language plpgsql as $$
begin
  if not is_freeing() then
    raise exception 'only a credit note takes minutes of voucher % back', old.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger credited before update on voucher for each row when (new.credited_minutes <> old.credited_minutes)
  execute function refuse_voucher_credit();

-- Of a sold voucher, at most the undrawn minutes' share of the price is credited; nothing may draw these minutes any more. A voucher of which nothing
-- was drawn may be sold anew instead. Like free_credited, the function runs as the owner.
create function free_credited_lines() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  line record;
  drawn int;
begin
  perform set_config('app.freeing', 'yes', true);
  for line in
    select t.freed, t.net, t.currency, l.kind, l.invoice_id, l.position, l.service_id, l.period_start, l.voucher_id, l.net as price
    from added t join invoice_line l on l.invoice_id = t.invoice_id and l.position = t.line_position where l.kind <> 'time'
  loop
    if line.kind = 'fee' and line.freed then
      delete from billed_fee where invoice_id = line.invoice_id and service_id = line.service_id and period_start = line.period_start;
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
create trigger freed after insert on credit_line referencing new table as added for each statement execute function free_credited_lines();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
