"""Add the index of the search: the words of cases, messages and file names, and of customers' and contacts' names."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-30T0340"
VERSION = "1.38.0"
DESCRIPTION = "words of cases"

SQL = r"""
-- The words of a text as the search compares them: folded, with one space between words and without anything that is neither a letter nor a
-- digit. Each CJK character is a word, because those scripts write no spaces; a typed run of them is searched as a phrase.
-- The function bodies are bound to what they call, because a dump is restored without a search path.
create function search_form(words text) returns text immutable parallel safe return
  btrim(regexp_replace(
    case when octet_length(words) = length(words) then folded(words)
      else regexp_replace(folded(words), '([\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff])', ' \1 ', 'g') end,
    '[^[:alnum:]]+', ' ', 'g'));

-- The words of a text in their order. Every lexeme begins with `mark`, a capital letter, which no folded word has.
create function search_vector(words text, mark text default '', weight text default '') returns tsvector
immutable parallel safe return (
  select coalesce(string_agg(mark || left(word, 60) || ':' || least(place, 16383) || weight, ' '), '')::tsvector
  from string_to_table(search_form(words), ' ') with ordinality as form (word, place) where word <> ''
);

-- The words of a case, in parts, so that a long case does not make each further message slower. The capital letter before a lexeme says
-- what it is: nothing, words of the subject, a reply, or the name of a file of a reply; N, the same of a note; F and G, words of the name of a
-- file, of a reply or of a note; C, the id of the customer; P, the id of the contact; X, Y and Z, into which 4,096, 32,768 and 262,144 ids of
-- cases the case falls, so that a search can begin with the newest cases. The lexemes of the case itself, which may change, have the weight A.
create table case_words (
  case_id bigint not null,
  customer_id bigint not null,
  part integer not null,
  size integer not null,
  words tsvector not null,
  primary key (case_id, part),
  foreign key (customer_id, case_id) references cases (customer_id, id)
);
create index on case_words (customer_id, case_id);
create index case_words_index on case_words using gin (words) with (gin_pending_list_limit = 256);
alter table case_words enable row level security;
create policy agents on case_words for select to portal_agent using (true);
grant select on case_words to portal_agent;
-- Contacts cannot read the table. Row-level security would keep PostgreSQL from using its index, because the operator @@ may reveal rows in
-- errors; `customer_case_hits` searches for them.

create function case_head(c cases) returns tsvector stable language sql as $$
  select format('C%s:1A P%s:1A X%s:1A Y%s:1A Z%s:1A', c.customer_id, c.contact_id, c.id >> 12, c.id >> 15, c.id >> 18)::tsvector
    || search_vector(c.number || ' ' || c.subject, '', 'A')
$$;

create function message_words(kind text, words text) returns tsvector immutable language sql as $$
  select search_vector(words, case kind when 'note' then 'N' else '' end)
$$;
create function file_words(kind text, names text) returns tsvector immutable language sql as $$
  select message_words(kind, names) || search_vector(names, case kind when 'note' then 'G' else 'F' end)
$$;

-- Write all words of these cases anew.
create function write_case_words(of_cases bigint[]) returns void language sql as $$
  delete from case_words where case_id = any(of_cases);
  with written as (
    select m.case_id, m.id, m.kind, m.text, f.names,
      sum(length(m.text)) over (partition by m.case_id order by m.id) / 20000 as part
    from message m
    left join lateral (select string_agg(a.name, ' ' order by a.position) as names from attachment a where a.message_id = m.id) f on true
    where m.case_id = any(of_cases)
  ), parts as (
    select case_id, part, sum(length(text)) as size,
      message_words('reply', string_agg(text, ' ' order by id) filter (where kind = 'reply'))
        || message_words('note', string_agg(text, ' ' order by id) filter (where kind = 'note'))
        || file_words('reply', string_agg(names, ' ' order by id) filter (where kind = 'reply'))
        || file_words('note', string_agg(names, ' ' order by id) filter (where kind = 'note')) as words
    from written group by case_id, part
  )
  insert into case_words (case_id, customer_id, part, size, words)
  select c.id, c.customer_id, coalesce(p.part, 0), coalesce(p.size, 0), case_head(c) || coalesce(p.words, '')
  from cases c left join parts p on p.case_id = c.id where c.id = any(of_cases)
$$;

-- Add words to the last part of a case, or to a new part if that is long.
create function add_case_words(of_case bigint, added tsvector, length integer) returns void language plpgsql as $$
declare
  last integer := (select max(part) from case_words where case_id = of_case);
begin
  update case_words set words = words || added, size = size + length where case_id = of_case and part = last and size < 20000;
  if not found then
    insert into case_words (case_id, customer_id, part, size, words)
    select c.id, c.customer_id, coalesce(last + 1, 0), length, case_head(c) || added from cases c where c.id = of_case;
  end if;
end $$;

create function write_words_of_new_case() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  insert into case_words (case_id, customer_id, part, size, words) values (new.id, new.customer_id, 0, 0, case_head(new));
  return null;
end $$;
create trigger search_words after insert on cases for each row execute function write_words_of_new_case();

create function write_words_of_changed_case() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  update case_words set words = case_head(new) || ts_filter(words, '{b,c,d}') where case_id = new.id;
  return null;
end $$;
create trigger search_words_changed after update of subject, contact_id on cases for each row
  when (new.subject <> old.subject or new.contact_id <> old.contact_id) execute function write_words_of_changed_case();

create function write_words_of_messages() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if (select count(*) from added) = 1 then
    perform add_case_words(case_id, message_words(kind, text), length(text)) from added;
  else
    perform write_case_words(array(select distinct case_id from added));
  end if;
  return null;
end $$;
create trigger search_words after insert on message referencing new table as added
  for each statement execute function write_words_of_messages();

create function write_words_of_changed_messages() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform write_case_words(array(
    select case_id from (select o.case_id as former, n.case_id as present from before o join after n using (id)
      where (o.case_id, o.kind, o.text) is distinct from (n.case_id, n.kind, n.text)) moved
    cross join lateral (values (former), (present)) changed (case_id) group by case_id
  ));
  return null;
end $$;
create trigger search_words_changed after update on message referencing old table as before new table as after
  for each statement execute function write_words_of_changed_messages();

create function write_words_of_files() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform add_case_words(m.case_id, file_words(m.kind, string_agg(a.name, ' ' order by a.position)), 0)
  from added a join message m on m.id = a.message_id group by m.id;
  return null;
end $$;
create trigger search_words after insert on attachment referencing new table as added
  for each statement execute function write_words_of_files();

create function write_words_of_changed_files() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  perform write_case_words(array(select distinct m.case_id from before a join message m on m.id = a.message_id));
  return null;
end $$;
create trigger search_words_changed after update on attachment referencing old table as before
  for each statement execute function write_words_of_changed_files();
create trigger search_words_deleted after delete on attachment referencing old table as before
  for each statement execute function write_words_of_changed_files();

-- The ids of the cases that match. Without the settings, the planner would read the whole table for words that it believes to be common.
create function agent_case_hits(asked tsquery) returns setof bigint stable rows 100 set enable_seqscan = off language sql as $$
  select distinct case_id from case_words where words @@ asked
$$;
-- The same for a contact: cases of their customer only, and never by a note. The caller checks which of them the contact may see.
create function customer_case_hits(asked tsquery) returns setof bigint stable rows 100 security definer set enable_seqscan = off
  set search_path = public, pg_temp language sql as $$
  select distinct case_id from case_words
  where customer_id = app_customer() and words @@ (asked && ('''C' || app_customer() || '''')::tsquery) and asked::text !~ '''[NG]'
$$;
revoke execute on function agent_case_hits, customer_case_hits from public;
grant execute on function agent_case_hits to portal_agent;
grant execute on function customer_case_hits to portal_contact;
revoke execute on function write_case_words, add_case_words, write_words_of_new_case, write_words_of_changed_case, write_words_of_messages,
  write_words_of_changed_messages, write_words_of_files, write_words_of_changed_files from public;

create index customer_words on customer using gin (search_vector(name || ' ' || legal_name));
create index contact_words on contact using gin (search_vector(name));

do $$
declare
  chunk bigint[];
begin
  for chunk in select array_agg(id) from cases group by id / 1000 order by id / 1000 loop
    perform write_case_words(chunk);
  end loop;
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
