"""Remind customers of cases that wait for them, and close unanswered ones, after days that an admin sets (S3.18)."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0331"
VERSION = "1.38.0"
DESCRIPTION = "reminders and closing of unanswered cases"

SQL = """
-- Days after the case began to wait; null for never. The reminder announces the closing, so it comes before.
alter table case_status
  add column remind_days smallint check (remind_days between 1 and 365),
  add column close_days smallint check (close_days between 1 and 365),
  add constraint case_status_unanswered check (
    (category = 'waiting_for_customer' or remind_days is null) and (close_days is null or coalesce(close_days > remind_days, false)));

-- Since when the case waits for an answer, when its customer was reminded, and when it closes, as the reminder announced.
alter table cases
  add column waits_since timestamptz,
  add column reminded_at timestamptz,
  add column closes_at timestamptz;
alter table cases disable trigger user;
update cases c set waits_since = coalesce((select p.began_at from pause p where p.case_id = c.id and p.ended_at is null), c.updated_at)
where status = 'waiting_for_customer';
alter table cases enable trigger user;
alter table cases
  add constraint cases_wait check ((status = 'waiting_for_customer') = (waits_since is not null)),
  add constraint cases_reminded check ((reminded_at is null or waits_since is not null) and (closes_at is null or reminded_at is not null));
create index cases_to_remind on cases (status_id, waits_since) where reminded_at is null and waits_since is not null;
create index cases_to_close on cases (closes_at) where closes_at is not null;

-- A new status also begins or ends the wait for an answer; contacts may write none of its columns.
create or replace function fill_status() returns trigger language plpgsql as $$
begin
  if new.status_id is null or (tg_op = 'UPDATE' and new.status <> old.status and new.status_id = old.status_id) then
    select s.id into new.status_id from case_status s where s.category = new.status
      order by s.ended_at nulls first, s.position, s.id limit 1;
  end if;
  if tg_op = 'INSERT' or new.status_id <> old.status_id then
    new.waits_since := case when new.status = 'waiting_for_customer' then new.updated_at end;
    new.reminded_at := null;
    new.closes_at := null;
  end if;
  return new;
end $$;

do $$ declare
  rule text := (select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'notice'::regclass and conname = 'notice_kind_check');
begin
  alter table notice drop constraint notice_kind_check;
  execute 'alter table notice add constraint notice_kind_check ' || replace(rule, 'ARRAY[', 'ARRAY[''case.reminded''::text, ');
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
