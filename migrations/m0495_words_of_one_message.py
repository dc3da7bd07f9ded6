"""Write the search words of a changed message or file by rewriting only the part of the case that holds it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0495"
VERSION = "1.38.0"
DESCRIPTION = "words of one message"

SQL = r"""
-- The lowest id of the messages whose words the part holds; the first part of a case has 0. A part holds the messages up to the next part's. It is
-- null in rows that are older than this column: all words of such a case are written anew when one of its messages changes.
alter table case_words add column from_message bigint;

-- The length and the words of the messages of a case with these ids, and of the names of their files.
create function words_between(of_case bigint, first bigint, last bigint, out size integer, out words tsvector) stable language sql as $$
  select coalesce(sum(length(m.text)), 0),
    message_words('reply', string_agg(m.text, ' ' order by m.id) filter (where m.kind = 'reply'))
      || message_words('note', string_agg(m.text, ' ' order by m.id) filter (where m.kind = 'note'))
      || file_words('reply', string_agg(f.names, ' ' order by m.id) filter (where m.kind = 'reply'))
      || file_words('note', string_agg(f.names, ' ' order by m.id) filter (where m.kind = 'note'))
  from message m
  left join lateral (select string_agg(a.name, ' ' order by a.position) as names from attachment a where a.message_id = m.id) f on true
  where m.case_id = of_case and m.id between first and last
$$;

-- Write all words of these cases anew.
create or replace function write_case_words(of_cases bigint[]) returns void language sql as $$
  delete from case_words where case_id = any(of_cases);
  with cut as (
    select m.case_id, m.id, sum(length(m.text)) over (partition by m.case_id order by m.id) / 20000 as part
    from message m where m.case_id = any(of_cases)
  ), parts as (
    select case_id, part, min(id) as first, max(id) as last, row_number() over (partition by case_id order by part) as place
    from cut group by case_id, part
  )
  insert into case_words (case_id, customer_id, part, size, words, from_message)
  select c.id, c.customer_id, coalesce(p.part, 0), coalesce(w.size, 0), case_head(c) || coalesce(w.words, ''),
    case when p.place > 1 then p.first else 0 end
  from cases c left join parts p on p.case_id = c.id left join lateral words_between(c.id, p.first, p.last) w on true
  where c.id = any(of_cases)
$$;

-- The part that holds a message of a case; null if that is not known.
create function part_with(of_case bigint, of_message bigint) returns integer stable language sql as $$
  select case when bool_and(from_message is not null) then max(part) filter (where from_message <= of_message) end
  from case_words where case_id = of_case
$$;

-- Write the words of the part that holds a message anew.
create function write_words_of_part(of_case bigint, of_message bigint) returns void language plpgsql as $$
declare
  held integer := part_with(of_case, of_message);
  first bigint;
  following bigint;
begin
  if held is null then
    perform write_case_words(array[of_case]);
    return;
  end if;
  select from_message into first from case_words where case_id = of_case and part = held;
  select min(from_message) into following from case_words where case_id = of_case and part > held;
  update case_words w set size = b.size, words = case_head(c) || b.words
  from cases c, words_between(of_case, first, coalesce(following - 1, 9223372036854775807)) b
  where w.case_id = of_case and w.part = held and c.id = of_case;
end $$;

-- Add the words of a new message to the last part of its case, or to a new part if that is long.
drop function add_case_words;
create function add_case_words(of_case bigint, of_message bigint, added tsvector, length integer) returns void language plpgsql as $$
declare
  last case_words;
begin
  select * into last from case_words where case_id = of_case order by part desc limit 1;
  if of_message < last.from_message then
    perform write_case_words(array[of_case]);
  elsif last.size < 20000 then
    update case_words set words = words || added, size = size + length where case_id = of_case and part = last.part;
  else
    insert into case_words (case_id, customer_id, part, size, words, from_message)
    select c.id, c.customer_id, coalesce(last.part + 1, 0), length, case_head(c) || added, case when last.part is null then 0 else of_message end
    from cases c where c.id = of_case;
  end if;
end $$;

create or replace function write_words_of_new_case() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  insert into case_words (case_id, customer_id, part, size, words, from_message) values (new.id, new.customer_id, 0, 0, case_head(new), 0);
  return null;
end $$;

create or replace function write_words_of_messages() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if (select count(*) from added) = 1 then
    perform add_case_words(case_id, id, message_words(kind, text), length(text)) from added;
  else
    perform write_case_words(array(select distinct case_id from added));
  end if;
  return null;
end $$;

create or replace function write_words_of_changed_messages() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform write_case_words(array(
    select case_id from (select o.case_id as former, n.case_id as present from before o join after n using (id) where o.case_id <> n.case_id) moved
    cross join lateral (values (former), (present)) changed (case_id) group by case_id
  ));
  perform write_words_of_part(case_id, message_id) from (
    select n.case_id, min(n.id) as message_id from before o join after n using (id)
    where o.case_id = n.case_id and (o.kind, o.text) is distinct from (n.kind, n.text) group by n.case_id, part_with(n.case_id, n.id)) changed;
  return null;
end $$;

-- Files come with their message or shortly after it. Their names belong to the part with the message, so that a later change finds them there.
create or replace function write_words_of_files() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  update case_words w set words = w.words || n.words from (
    select m.case_id, coalesce(part_with(m.case_id, m.id), (select max(part) from case_words l where l.case_id = m.case_id)) as part,
      file_words(m.kind, string_agg(a.name, ' ' order by a.position)) as words
    from added a join message m on m.id = a.message_id group by m.id
  ) n where w.case_id = n.case_id and w.part = n.part;
  return null;
end $$;

create or replace function write_words_of_changed_files() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform write_words_of_part(case_id, message_id) from (
    select case_id, min(id) as message_id from (
      select a.message_id as id, (select m.case_id from message m where m.id = a.message_id) as case_id from before a) held
    group by case_id, part_with(case_id, id)) changed;
  return null;
end $$;
revoke execute on function words_between, part_with, write_words_of_part, add_case_words from public;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
