"""Keep the sums of time that lists and pages show, so that their cost does not grow with the number of entries."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0141"
VERSION = "1.38.0"
DESCRIPTION = "sums of time"

TABLE = """
-- How many entries there are, and their actual and billable minutes, by what the time is logged on and by agent, charge and state.
-- A sum may be spread over several rows: readers add them up.
create table time_sum (
  scope text not null check (scope in ('case', 'agent', 'service', 'project', 'task', 'appointment')),
  subject_id bigint not null,
  agent_id bigint not null,
  billing text not null,
  state text not null,
  -- Whether "submit all" takes these entries: drafts, and rejected entries that were changed since.
  is_ready boolean not null,
  entries bigint not null,
  minutes bigint not null,
  counts bigint not null
);
create index on time_sum (scope, subject_id, agent_id);
-- Only the triggers write here, as the owner. As with time entries, contacts have no grant.
alter table time_sum enable row level security;
create policy agents on time_sum for select to portal_agent using (true);
grant select on time_sum to portal_agent;
"""

_COLUMNS = """
agent_id, case_id, service_id, project_id, task_id, appointment_id, billing, state, version, rejected_version,
actual_minutes, billable_minutes
"""
_KEY = "scope, subject_id, agent_id, billing, state, is_ready"


def _sums(rows: str) -> str:
    """Return the query that adds up `rows`, a query of time entries with the column `sign`: 1 to add, -1 to subtract."""
    return f"""
      select s.scope, s.subject_id, e.agent_id, e.billing, e.state,
        e.state = 'draft' or (e.state = 'rejected' and e.rejected_version is distinct from e.version) as is_ready,
        sum(e.sign) as entries, sum(e.sign * e.actual_minutes) as minutes, sum(e.sign * e.billable_minutes) as counts
      from ({rows}) e
      cross join lateral (values ('case', e.case_id), ('agent', e.agent_id), ('service', e.service_id), ('project', e.project_id),
        ('task', e.task_id), ('appointment', e.appointment_id)) s (scope, subject_id)
      where s.subject_id is not null group by 1, 2, 3, 4, 5, 6
      having (sum(e.sign), sum(e.sign * e.actual_minutes), sum(e.sign * e.billable_minutes)) <> (0, 0, 0)"""  # noqa: S608


def _trigger(verb: str, transition: str, rows: str) -> str:
    """Return the SQL for the trigger that keeps the sums after `verb`.

    The trigger replaces the rows of the sums that change. It skips rows that another transaction replaces at the
    moment and adds a row of its own instead, so that nobody waits for anybody and no deadlock is possible. No row is
    ever updated, so that a row that was locked is the row that was read.
    """
    return f"""
create function sum_up_{verb}() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  with change as ({_sums(rows)}
  ), held as materialized (
    -- Each sum is found in the index by itself, however many rows the plan was made for.
    select t.place from change c cross join lateral (
      select t.ctid as place from time_sum t where t.scope = c.scope and t.subject_id = c.subject_id and t.agent_id = c.agent_id
        and t.billing = c.billing and t.state = c.state and t.is_ready = c.is_ready for update skip locked
    ) t
  ), replaced as (
    delete from time_sum where ctid = any (array(select place from held)) returning *
  )
  insert into time_sum select {_KEY}, sum(entries), sum(minutes), sum(counts)
  from (select * from change union all select * from replaced) part
  group by {_KEY} having (sum(entries), sum(minutes), sum(counts)) <> (0, 0, 0);
  return null;
end $$;
create trigger summed_up_{verb} after {verb} on time_entry {transition} for each statement execute function sum_up_{verb}();
"""  # noqa: S608


_ADDED = f"select {_COLUMNS}, 1 as sign from added"  # noqa: S608
_GONE = f"select {_COLUMNS}, -1 as sign from gone"  # noqa: S608
SQL = "".join(
    (
        TABLE,
        f"insert into time_sum {_sums(f'select {_COLUMNS}, 1 as sign from time_entry')};",  # noqa: S608
        _trigger("insert", "referencing new table as added", _ADDED),
        _trigger("update", "referencing old table as gone new table as added", f"{_ADDED} union all {_GONE}"),
        _trigger("delete", "referencing old table as gone", _GONE),
    )
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
