"""Check the rows of a document once for each statement that inserts them, with fewer indexes, so that billing much time costs less."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0440"
VERSION = "1.38.0"
DESCRIPTION = "documents checked at once"

# A draft inserts thousands of rows by one statement. A trigger for each of them cost more than the rows themselves. Changing and
# deleting rows is rare, so that is still checked row by row.
SQL = """
create function refuse_more_for_final() returns trigger language plpgsql as $$
begin
  if exists (select 1 from (select distinct invoice_id from added) d where (select state from invoice where id = d.invoice_id) = 'issued') then
    raise exception '% belongs to an issued invoice', tg_table_name using errcode = 'integrity_constraint_violation';
  end if;
  if tg_table_name = 'detail_row' then
    if exists (select 1 from (select distinct credit_note_id from added where credit_note_id is not null) d
               where exists (select 1 from credit_note where id = d.credit_note_id)) then
      raise exception '% belongs to a credit note', tg_table_name using errcode = 'integrity_constraint_violation';
    end if;
  end if;
  return null;
end $$;

drop trigger frozen on settled_entry;
create trigger frozen before update or delete on settled_entry for each row execute function refuse_frozen_part();
create trigger frozen_against_more after insert on settled_entry referencing new table as added
  for each statement execute function refuse_more_for_final();
drop trigger frozen on line_allocation;
create trigger frozen before update or delete on line_allocation for each row execute function refuse_frozen_part();
create trigger frozen_against_more after insert on line_allocation referencing new table as added
  for each statement execute function refuse_more_for_final();
drop trigger frozen on detail_row;
create trigger frozen before update or delete on detail_row for each row execute function refuse_frozen_part();
create trigger frozen_against_more after insert on detail_row referencing new table as added
  for each statement execute function refuse_more_for_final();

drop trigger approved on settled_entry;
drop function require_approved();
-- The subqueries are in the select list, so that each is an index scan, however few rows the planner expects.
create function require_approved() returns trigger language plpgsql as $$
declare
  entry record;
begin
  select * into entry from (
    select a.entry_id,
      (select p.version from approval p where p.entry_id = a.entry_id and p.withdrawn_at is null)
        = (select e.version from time_entry e where e.id = a.entry_id and e.state = 'approved') as approved,
      exists (select 1 from flag f where f.entry_id = a.entry_id and f.lifted_at is null) as flagged
    from added a) d
  where approved is not true or flagged limit 1;
  if not found then
    return null;
  end if;
  raise exception 'time entry % is %', entry.entry_id, case when entry.approved then 'flagged' else 'not approved as it stands' end
    using errcode = 'integrity_constraint_violation';
end $$;
create trigger approved after insert on settled_entry referencing new table as added for each statement execute function require_approved();

-- One index for each column that refers to a document finds both its rows and what a foreign key asks for.
drop index settled_entry_invoice_id_idx, settled_entry_statement_id_idx, settled_entry_customer_id_entry_id_idx,
  settled_entry_customer_id_invoice_id_idx, settled_entry_customer_id_statement_id_idx;
create index settled_entry_of_invoice on settled_entry (invoice_id, customer_id) where invoice_id is not null;
create index settled_entry_of_statement on settled_entry (statement_id, customer_id) where statement_id is not null;
drop index line_allocation_line_id_idx, line_allocation_customer_id_allocation_id_idx, line_allocation_customer_id_line_id_idx,
  line_allocation_customer_id_invoice_id_idx;
create index line_allocation_of_line on line_allocation (line_id, customer_id);
create index line_allocation_of_invoice on line_allocation (invoice_id, customer_id);
drop index approval_at_rate;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
