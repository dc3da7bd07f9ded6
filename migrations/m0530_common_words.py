"""Let a search look up its rare words in the index, and check the common ones on the rows that these lead to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0530"
VERSION = "1.38.0"
DESCRIPTION = "common words"

SQL = r"""
-- Those of the lexemes that are common: in more than 4,000 rows by the statistics of ANALYZE. Fewer rows are read in some milliseconds.
-- A lexeme with :* at its end is common if a common one begins with it. Words of notes are not told.
create function common_lexemes(asked text[]) returns text[] stable security definer set search_path = public, pg_temp language plpgsql as $$
declare
  common text[] := array(
    select word from pg_stats s, unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) w (word, frequency)
    where (s.schemaname, s.tablename, s.attname) = ('public', 'case_words', 'words')
      and frequency * (select reltuples from pg_class where oid = 'case_words'::regclass) > 4000);
begin
  return array(
    select a from unnest(asked) a where a !~ '^[NG]'
    and case when right(a, 2) = ':*' then exists (select from unnest(common) word where starts_with(word, left(a, -2))) else a = any(common) end
  );
end $$;

-- The functions of m0340, with a second query that is checked on each row that the index finds; null if there is nothing to check. The index is not
-- asked for it, because it would read the whole list of rows of a common word. "is true" keeps PostgreSQL from doing that.
-- The previous release calls the functions with one argument until it is restarted, so those stay.
create function agent_case_hits(asked tsquery, checked tsquery) returns setof bigint stable rows 100 set enable_seqscan = off language sql as $$
  select distinct case_id from case_words where words @@ asked and (checked is null or (words @@ checked) is true)
$$;
create function customer_case_hits(asked tsquery, checked tsquery) returns setof bigint stable rows 100 security definer
  set enable_seqscan = off set search_path = public, pg_temp language sql as $$
  select distinct case_id from case_words
  where customer_id = app_customer() and words @@ (asked && ('''C' || app_customer() || '''')::tsquery) and asked::text !~ '''[NG]'
    and (checked is null or (words @@ checked) is true and checked::text !~ '''[NG]')
$$;
revoke execute on function common_lexemes, agent_case_hits(tsquery, tsquery), customer_case_hits(tsquery, tsquery) from public;
grant execute on function common_lexemes to portal_agent, portal_contact;
grant execute on function agent_case_hits(tsquery, tsquery) to portal_agent;
grant execute on function customer_case_hits(tsquery, tsquery) to portal_contact;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
