"""Let the sum to pay of an invoice be rounded to the smallest coin, such as 0.05 in CHF."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0282"
VERSION = "1.38.0"
DESCRIPTION = "sums to pay rounded to coins"

SQL = """
-- The multiple of the coin that is nearest to the amount, half away from zero, as portal.money.cash_amount.
create function cash_amount(amount numeric, coin numeric) returns numeric immutable language sql as $$
  select case when coin is null then amount else round(amount / coin) * coin end
$$;
grant execute on function cash_amount to portal_agent, portal_contact;

-- Net, tax and gross stay as they are; only what is paid is rounded.
alter table contract add column cash_rounding numeric(15,3), add check (cash_rounding > 0 and is_money(cash_rounding, currency));
alter table invoice add column cash_rounding numeric(15,3) check (cash_rounding > 0), add column payable numeric(15,3);
alter table credit_note add column payable numeric(15,3);
alter table invoice disable trigger user;
alter table credit_note disable trigger user;
update invoice set payable = gross;
update credit_note set payable = gross;
alter table invoice enable trigger user;
alter table credit_note enable trigger user;
alter table invoice alter column payable set not null, add constraint invoice_payable check (payable = cash_amount(gross, cash_rounding));
alter table credit_note alter column payable set not null, add constraint credit_note_payable check (payable >= 0 and is_money(payable, currency));

-- A draft takes the coin of its contract and follows it until it is issued, and whatever changes its gross changes what is paid.
create function round_invoice() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.cash_rounding := (select cash_rounding from contract where id = new.contract_id);
  end if;
  new.payable := cash_amount(new.gross, new.cash_rounding);
  return new;
end $$;
create trigger cash before insert or update on invoice for each row execute function round_invoice();
create function round_drafts() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  update invoice set cash_rounding = new.cash_rounding where contract_id = new.id and state = 'draft';
  return null;
end $$;
create trigger cash after update on contract for each row when (old.cash_rounding is distinct from new.cash_rounding)
  execute function round_drafts();

-- A credit note lowers what is to be paid of its invoice: several of them together by exactly what one for all would.
create function round_credit() returns trigger language plpgsql as $$
declare
  corrected record;
begin
  select gross, cash_rounding into corrected from invoice where id = new.invoice_id for no key update;
  corrected.gross := corrected.gross - (select coalesce(sum(gross), 0) from credit_note where invoice_id = new.invoice_id);
  new.payable := cash_amount(corrected.gross, corrected.cash_rounding) - cash_amount(corrected.gross - new.gross, corrected.cash_rounding);
  return new;
end $$;
create trigger cash before insert on credit_note for each row execute function round_credit();

create or replace view invoice_balance with (security_invoker = true) as
select i.id as invoice_id, i.customer_id, i.currency, i.due_on, i.gross, p.paid, c.credited, i.payable - p.paid - c.credited as open, i.payable
from invoice i
cross join lateral (select coalesce(sum(amount), 0) as paid from payment where invoice_id = i.id and taken_back_at is null) p
cross join lateral (select coalesce(sum(payable), 0) as credited from credit_note where invoice_id = i.id) c
where i.state = 'issued';
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
