"""Let each view of the list of cases be counted from an index alone, and sorted by each column without reading all its cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0500"
VERSION = "1.38.0"
DESCRIPTION = "orders of views"

SQL = """
-- The working views leave out snoozed cases, which the indexes now say without a look at the case.
drop index cases_by_agent, cases_unassigned, cases_of_department, cases_waiting, cases_snoozed, cases_ending_soon;
create index cases_by_agent on cases (agent_id, updated_at desc, id desc) include (snoozed_until) where status not in ('resolved', 'closed');
create index cases_unassigned on cases (updated_at desc, id desc) include (snoozed_until)
  where agent_id is null and status not in ('resolved', 'closed');
create index cases_of_department on cases (department_id, updated_at desc, id desc) include (snoozed_until)
  where status not in ('resolved', 'closed');
create index cases_waiting on cases (updated_at desc, id desc) include (snoozed_until)
  where status in ('waiting_for_customer', 'waiting_for_others');
create index cases_snoozed on cases (snoozed_until) include (status) where snoozed_until is not null;
create index cases_ending_soon on cases using gist (tstzrange(soon_at, due_at)) include (soon_at, due_at)
  where due_at is not null and status not in ('resolved', 'closed');

-- By status, agent and customer, a long list reads one group after another until its page is full.
-- The cases without an agent are the group 0.
create index cases_open_by_status on cases (status_id, id) where status not in ('resolved', 'closed');
create index cases_done_by_status on cases (status_id, id) where status in ('resolved', 'closed');
create index cases_of_agent_by_status on cases (agent_id, status_id, id) where status not in ('resolved', 'closed');
create index cases_unassigned_by_status on cases (status_id, id) where agent_id is null and status not in ('resolved', 'closed');
create index cases_of_department_by_status on cases (department_id, status_id, id) where status not in ('resolved', 'closed');
create index cases_of_department_by_agent on cases (department_id, coalesce(agent_id, 0), id) where status not in ('resolved', 'closed');
create index cases_open_by_agent on cases (coalesce(agent_id, 0), id) where status not in ('resolved', 'closed');
create index cases_done_by_agent on cases (coalesce(agent_id, 0), id) where status in ('resolved', 'closed');
create index cases_open_by_customer on cases (customer_id, id) where status not in ('resolved', 'closed');

create index cases_waiting_by_status on cases (status_id, id) where status in ('waiting_for_customer', 'waiting_for_others');
create index cases_waiting_by_due on cases (due_at, id) where status in ('waiting_for_customer', 'waiting_for_others');
create index cases_waiting_by_due_reversed on cases (due_at desc nulls last, id desc)
  where status in ('waiting_for_customer', 'waiting_for_others');
create index cases_done_by_due on cases (due_at, id) where status in ('resolved', 'closed');
create index cases_done_by_due_reversed on cases (due_at desc nulls last, id desc) where status in ('resolved', 'closed');

-- The oldest cases are done, so a list of open cases that begins with the oldest must not read those first.
drop index cases_by_priority;
create index cases_open_by_priority on cases (priority, id) where status not in ('resolved', 'closed');
create index cases_done_by_priority on cases (priority, id) where status in ('resolved', 'closed');
create index cases_open_by_number on cases (number, id) where status not in ('resolved', 'closed');

-- What a contact sees: the lists of the home page in their orders, and counts without a look at the case. The included columns are those
-- of the row-level security policy.
drop index cases_open_of_contacts, cases_by_customer;
create index cases_open_of_contacts on cases (customer_id, contact_id) include (id, confidential, merged_into_id)
  where status not in ('resolved', 'closed');
create index cases_by_customer on cases (customer_id, updated_at desc, id desc) include (contact_id, confidential, merged_into_id);
create index cases_waiting_for_customer on cases (customer_id, updated_at desc, id desc) include (contact_id, confidential, merged_into_id)
  where status = 'waiting_for_customer';
create index cases_in_work_of_customer on cases (customer_id, (status = 'waiting_for_others'), due_at, updated_at desc, id desc)
  include (contact_id, confidential, merged_into_id) where status in ('new', 'open', 'waiting_for_others');
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
