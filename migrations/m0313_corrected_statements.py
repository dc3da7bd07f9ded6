"""Let a statement be corrected by another statement that refers to it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0313"
VERSION = "1.38.0"
DESCRIPTION = "corrected statements"

SQL = r"""
-- A statement that corrects another one names it and says why; a manager made it, and no run did.
alter table statement
  add column corrects_id uuid,
  add column reason text check (btrim(reason) <> '' and length(reason) <= 500),
  add column made_by_id bigint references agent,
  add column form_key uuid,
  alter column run_id drop not null,
  add constraint statement_reason_is_one_line check (reason !~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]'),
  add constraint statement_correction check (num_nonnulls(corrects_id, reason, made_by_id) = case when run_id is null then 3 else 0 end),
  add foreign key (customer_id, corrects_id) references statement (customer_id, id);
create unique index statement_form on statement (form_key);
create index on statement (customer_id, corrects_id);
create index on statement (made_by_id);

-- What a correction gives back of a row of the statement's time detail, and whether its minutes become free again or are written off.
create table corrected_time (
  customer_id bigint not null,
  statement_id uuid not null,
  corrects_id uuid not null,
  detail_position int not null,
  entry_id bigint not null,
  minutes int not null check (minutes >= 0),
  freed boolean not null,
  primary key (statement_id, detail_position),
  foreign key (customer_id, statement_id) references statement (customer_id, id),
  foreign key (customer_id, corrects_id) references statement (customer_id, id)
);
create index on corrected_time (customer_id, statement_id);
create index on corrected_time (customer_id, corrects_id);
create index on corrected_time (corrects_id, detail_position);
create index on corrected_time (entry_id);
call guard_customer_table('corrected_time', 'false');
grant select, insert on corrected_time to portal_agent;
create trigger append_only before update or delete on corrected_time for each row execute function refuse_change();

-- Minutes of an allocation go back: those that are freed leave the part of their entry that a document settles, the others stay there at no charge. Minutes
-- of a voucher go back to it. The callers let the triggers pass by is_freeing.
create function give_back(piece allocation, given int, worth numeric, is_freed boolean) returns void language plpgsql as $$
begin
  if piece.voucher_id is not null and given > 0 then
    insert into voucher_move (customer_id, voucher_id, entry_id, minutes, at)
    values (piece.customer_id, piece.voucher_id, piece.entry_id, -given, now());
  end if;
  if given < piece.minutes then
    update allocation set minutes = minutes - given, amount = amount - worth where id = piece.id;
    if not is_freed then
      insert into allocation (customer_id, entry_id, part, position, kind, minutes, currency, amount)
      select piece.customer_id, piece.entry_id, piece.part, max(position) + 1, 'no_charge', given, piece.currency, 0
      from allocation where entry_id = piece.entry_id and part = piece.part;
    end if;
  else
    delete from line_allocation where allocation_id = piece.id;
    if is_freed then
      delete from allocation where id = piece.id;
    else
      update allocation set kind = 'no_charge', hourly_rate = null, rate_source = null, amount = 0, pool_service_id = null,
        period_start = null, voucher_id = null
      where id = piece.id;
    end if;
  end if;
end $$;

create or replace function free_credited() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  given record;
  piece allocation;
begin
  if exists (
    select 1 from added t left join detail_row r on r.invoice_id = t.invoice_id and r.position = t.detail_position and r.entry_id = t.entry_id
      and r.currency = t.currency
    cross join lateral (select sum(minutes) as minutes, sum(amount) as amount from credited_time
                        where invoice_id = t.invoice_id and detail_position = t.detail_position) c
    where r.position is null or c.minutes > coalesce(r.minutes, 0) or c.amount > r.amount) then
    raise exception 'more would be credited than was invoiced' using errcode = 'integrity_constraint_violation';
  end if;
  perform set_config('app.freeing', 'yes', true);
  for given in
    select t.entry_id, t.minutes, t.amount, t.freed, d.part, a.id as allocation_id, a.minutes as live
    from added t
    left join settled_entry d on d.entry_id = t.entry_id and d.invoice_id = t.invoice_id
    left join allocation a on a.entry_id = t.entry_id and a.part = d.part and a.position = (
      select count(*) from detail_row r where r.invoice_id = t.invoice_id and r.entry_id = t.entry_id and r.position < t.detail_position)
  loop
    if given.part is null or given.minutes > coalesce(given.live, 0) then
      raise exception 'time entry % is not on the invoice any more', given.entry_id using errcode = 'integrity_constraint_violation';
    end if;
    if given.allocation_id is not null then  -- An entry without billable minutes has none.
      select * into piece from allocation where id = given.allocation_id;
      perform give_back(piece, given.minutes, given.amount, given.freed);
    end if;
  end loop;
  -- Of what nothing is left, the invoice no longer settles.
  delete from settled_entry d using (select distinct entry_id, invoice_id from added where freed) t
  where d.entry_id = t.entry_id and d.invoice_id = t.invoice_id
    and not exists (select 1 from allocation a where a.entry_id = d.entry_id and a.part = d.part);
  perform keep_reopened(array(select distinct entry_id from added where freed));
  perform set_config('app.freeing', '', true);
  return null;
end $$;

-- As free_credited does for an invoice. Nothing on a statement costs anything.
create function free_corrected() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
  given record;
  piece allocation;
begin
  if exists (select 1 from added t left join statement s on s.id = t.statement_id and s.corrects_id = t.corrects_id where s.id is null) then
    raise exception 'the correction names another statement' using errcode = 'integrity_constraint_violation';
  end if;
  if exists (
    select 1 from added t left join detail_row r on r.statement_id = t.corrects_id and r.position = t.detail_position and r.entry_id = t.entry_id
    cross join lateral (select sum(minutes) as minutes from corrected_time
                        where corrects_id = t.corrects_id and detail_position = t.detail_position) c
    where r.position is null or c.minutes > coalesce(r.minutes, 0)) then
    raise exception 'more would be given back than is on the statement' using errcode = 'integrity_constraint_violation';
  end if;
  perform set_config('app.freeing', 'yes', true);
  for given in
    select t.entry_id, t.minutes, t.freed, d.part, a.id as allocation_id, a.minutes as live
    from added t
    left join settled_entry d on d.entry_id = t.entry_id and d.statement_id = t.corrects_id
    left join allocation a on a.entry_id = t.entry_id and a.part = d.part and a.position = (
      select count(*) from detail_row r where r.statement_id = t.corrects_id and r.entry_id = t.entry_id and r.position < t.detail_position)
  loop
    if given.part is null or given.minutes > coalesce(given.live, 0) then
      raise exception 'time entry % is not on the statement any more', given.entry_id using errcode = 'integrity_constraint_violation';
    end if;
    if given.allocation_id is not null then
      select * into piece from allocation where id = given.allocation_id;
      perform give_back(piece, given.minutes, 0, given.freed);
    end if;
  end loop;
  delete from settled_entry d using (select distinct entry_id, corrects_id from added where freed) t
  where d.entry_id = t.entry_id and d.statement_id = t.corrects_id
    and not exists (select 1 from allocation a where a.entry_id = d.entry_id and a.part = d.part);
  perform keep_reopened(array(select distinct entry_id from added where freed));
  perform set_config('app.freeing', '', true);
  return null;
end $$;
create trigger freed after insert on corrected_time referencing new table as added for each statement execute function free_corrected();
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
