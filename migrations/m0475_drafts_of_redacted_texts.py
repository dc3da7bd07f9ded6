"""Let a redaction reach unsent texts of merged and of new cases, the words of ratings, and replies that are held."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0475"
VERSION = "1.38.0"
DESCRIPTION = "redacted ratings, held replies and more drafts"

SQL = r"""
alter table redaction drop constraint redaction_what_check;
alter table redaction add constraint redaction_what_check check (what in ('subject', 'message', 'file', 'time', 'field', 'rating', 'held'));

-- As in m0452; the words of a rating and held replies can be redacted, and drafts under the numbers of merged cases and drafts of new cases are found too.
create or replace function redact(of_case bigint, of_what text, of_id text, shown text, shown_html text, at timestamptz) returns void
  security definer set search_path = public, pg_temp language plpgsql as $$
declare
  k cases;
  m message;
  f attachment;
  e time_entry;
  admin bigint;
  gone text;
  asked case_field;
begin
  select a.id into admin from credential c join agent a on a.id = c.agent_id
    where c.id = app_credential() and a.grade = 'admin' and a.ended_at is null;
  if admin is null then
    raise insufficient_privilege using message = 'only an admin redacts';
  end if;
  select * into strict k from cases where id = of_case;
  perform set_config('app.erasing', 'on', true);
  case of_what
  when 'subject' then
    gone := k.subject;
    update case_event set details = details || jsonb_build_object('from', shown, 'to', shown) where case_id = k.id and kind = 'subject';
    -- The logs of other cases name the subject of this one.
    update case_event set details = details || jsonb_build_object('subject', shown)
    where customer_id = k.customer_id and details ? 'subject' and details ->> 'number' = k.number::text;
    update entry_version v set columns = columns || jsonb_build_object('case_id', (
        select jsonb_agg(case when word #>> '{}' like '#' || k.number || ' %' then to_jsonb('#' || k.number) else word end)
        from jsonb_array_elements(v.columns -> 'case_id') word))
    where v.columns ? 'case_id' and v.columns ->> 'case_id' like '%#' || k.number || ' %';
    update cases set subject = left(shown, 200) where id = k.id;
    insert into redaction (customer_id, case_id, what, note, redacted_by_id, redacted_at) values (k.customer_id, k.id, 'subject', shown, admin, at);
  when 'message' then
    select * into strict m from message where id = of_id::bigint and case_id = k.id for update;
    gone := m.text;
    update message set text = shown, html = shown_html where id = m.id;
    insert into redaction (customer_id, case_id, what, message_id, note, redacted_by_id, redacted_at)
    values (k.customer_id, k.id, 'message', m.id, shown, admin, at);
  when 'file' then
    select a.* into strict f from attachment a join message o on o.id = a.message_id where a.id = of_id::uuid and o.case_id = k.id for update of a;
    insert into upload (key, credential_id, started_at, size) values (f.key, app_credential(), 'epoch', f.size);
    delete from attachment where id = f.id;
    insert into redaction (customer_id, case_id, what, message_id, note, redacted_by_id, redacted_at)
    values (k.customer_id, k.id, 'file', f.message_id, shown, admin, at);
  when 'time' then
    select * into strict e from time_entry where id = of_id::bigint and case_id = k.id for update;
    if exists (select from settled_entry where entry_id = e.id) then
      raise exception 'This time is on a document. What a document says stays as it is.' using errcode = 'PM001';
    end if;
    gone := e.external_comment;
    update time_entry set external_comment = case when external_comment = '' then '' else shown end,
      description = case when description = '' then '' else shown end where id = e.id;
    update entry_version set columns = without_words(columns, shown) where entry_id = e.id and columns ?| array['external_comment', 'description'];
    insert into redaction (customer_id, case_id, what, entry_id, note, redacted_by_id, redacted_at)
    values (k.customer_id, k.id, 'time', e.id, shown, admin, at);
  when 'field' then
    select * into strict asked from case_field where id = of_id::bigint and kind = 'text';
    select text into gone from case_field_value where case_id = k.id and field_id = asked.id for update;
    gone := coalesce(gone, '');
    update case_field_value set text = left(shown, 200) where case_id = k.id and field_id = asked.id;
    -- The log has each value that the field had. Older lines name the field and do not have its id.
    update case_event set details = details || jsonb_build_object('to', left(shown, 200))
    where case_id in (select id from cases where id = k.id or merged_into_id = k.id) and kind like 'field%'
      and details ->> 'kind' = 'text' and details ->> 'to' is not null and (details ->> 'to' = gone
        or coalesce(details ->> 'field_id' = asked.id::text, details ->> 'field' = asked.name));
    insert into redaction (customer_id, case_id, what, note, redacted_by_id, redacted_at) values (k.customer_id, k.id, 'field', shown, admin, at);
  when 'rating' then
    select words into strict gone from case_rating where case_id = k.id and words <> '' for update;
    update case_rating set words = left(shown, 1000) where case_id = k.id;
    insert into redaction (customer_id, case_id, what, note, redacted_by_id, redacted_at) values (k.customer_id, k.id, 'rating', shown, admin, at);
  when 'held' then
    select text into strict gone from outgoing_reply where id = of_id::bigint
      and case_number in (select number from cases where id = k.id or merged_into_id = k.id) and num_nonnulls(withdrawn_at, problem) > 0 for update;
    update outgoing_reply set text = shown where id = of_id::bigint;
    insert into redaction (customer_id, case_id, what, note, redacted_by_id, redacted_at) values (k.customer_id, k.id, 'held', shown, admin, at);
  end case;
  perform redact_copies(k, gone, shown);
  -- What somebody is still writing on the case and has the text in it: all of a short text, or a longer one anywhere.
  -- A draft stays under the number that its case had when it was begun, and one for a new case is under no number.
  delete from draft d where gone <> '' and (
      d.address ~ ('^(/agent)?/cases/(' || (select string_agg(number::text, '|') from cases where id = k.id or merged_into_id = k.id) || ')/')
      or d.address ~ '^(/agent)?/cases/new\?draft=') and (
    exists (select from jsonb_each_text(case when jsonb_typeof(d.fields) = 'object' then d.fields else '{}' end) one
            where (one.value = gone and d.address !~ '/new\?') or (length(gone) >= 20 and strpos(one.value, gone) > 0)));
  perform set_config('app.erasing', 'off', true);
end $$;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
