"""Find cases, best matches first, each with the piece of a message that matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from portal.database import current
from portal.desk.search.asked import Asked
from portal.desk.search.excerpts import Piece, excerpt, marked
from portal.desk.search.hits import MOST, TOTAL, Found, hits_sql, of_text, queries_for
from portal.desk.workflow import Status
from portal.desk.workflow.moves import name_sql
from portal.numbers import number_in
from portal.people.readers import Reader

PAGE = 25
"""The maximum number of cases on one page."""
_LOOKED_THROUGH = 300
"""How many messages of a case, newest first, are searched for the piece to show."""


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case as the results of a search show it.

    `subject` and `excerpt` are pieces of text, in which the matching words are marked. `excerpt` is from the message
    with the most matching words, and `message_id` is the id of this message. If no message has a matching word,
    `excerpt` is empty. `author` is the author of this message, and `is_note` says whether the message is a note.
    `status_word` is the name of the status for the reader.
    """

    number: int
    subject: Sequence[Piece]
    customer: str
    contact: str
    status: Status
    status_word: str
    updated_at: datetime
    message_id: int | None
    is_note: bool
    author: str | None
    excerpt: Sequence[Piece]


def _in_subject(asked: Asked) -> tuple[str, list[Any]]:
    """Return the SQL condition for better matches, and its parameters, which are numbered from `$2`.

    A better match is a case for which each part is in its number or subject, or matches its customer or contact.
    """
    conditions, values = [], list[Any]()
    for part in asked.parts:
        values += [list(part.words), list(part.named.customers), list(part.named.contacts)]
        words, customers, contacts = (f"${len(values) - 1 + place}" for place in range(3))
        conditions.append(
            f"(c.customer_id = any({customers}::bigint[]) or c.contact_id = any({contacts}::bigint[])"
            f" or not exists (select from unnest({words}::text[]) t where strpos(c.number || ' ' || c.subject_folded, t) = 0))"
        )
    return " and ".join(conditions), values


def _listing(reader: Reader, in_subject: str, last: int) -> str:
    """Return the SQL of one page. The parameters after `$last` are two for the cursor, and the words of the search."""
    is_better, case_id, words = (f"${last + place}" for place in (1, 2, 3))
    return f"""
with {hits_sql(reader, in_subject)}, kept as (select * from found order by id desc limit {MOST}),
turned as (
  select * from kept where {case_id}::bigint is null or (is_better, id) < ({is_better}::boolean, {case_id})
  order by is_better desc, id desc limit {PAGE + 1}
)
select c.id, c.number, c.subject, c.status, {name_sql("c", for_contact=reader.is_contact)} as status_word, c.updated_at,
  u.name as customer, o.name as contact, r.is_better,
  m.id as message_id, m.kind = 'note' as is_note, m.author_name as author, m.text, {TOTAL} as total
from turned r join cases c using (id) join customer u on u.id = c.customer_id join contact o on o.id = c.contact_id
left join lateral (
  select id, kind, author_name, substr(text, greatest(place - 150, 1), 600) as text from (
    select n.*, (select count(*) from unnest({words}::text[]) t where strpos(n.form, t) > 0) as matching,
      (select min(nullif(strpos(n.form, t), 0)) from unnest({words}::text[]) t) as place
    from (
      select id, kind, author_name, text, folded(text) as form from message where case_id = r.id
      order by id desc limit {_LOOKED_THROUGH}) n
  ) placed where matching > 0 order by matching desc, id desc limit 1
) m on true
order by r.is_better desc, r.id desc
"""  # noqa: S608


async def found_cases(asked: Asked, reader: Reader, after: str = "") -> Found[FoundCase]:
    """Return one page of the cases, open and closed, that match `asked` and that `reader` may see.

    Cases with all words in the subject or in names come first; these cases and the others are each sorted newest first.
    `after` is the cursor from an earlier page; any other text means the first page.
    """
    if not asked.parts:
        return Found()
    in_subject, values = _in_subject(asked)
    is_better, _, case_id = after.partition(".")
    sql = _listing(reader, in_subject, 1 + len(values))
    words = [word for part in asked.parts for word in part.words]
    rows = await current().fetch(
        sql, await queries_for(asked, reader, of_text(reader)), *values, is_better == "1", number_in(case_id), words
    )
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return Found(
        [_read(row, asked) for row in rows[:PAGE]],
        rows[0]["total"] if rows else 0,
        f"{int(last['is_better'])}.{last['id']}" if last else None,
    )


class NamedCase(NamedTuple):
    """A case in the suggestions below the search field."""

    number: int
    subject: str
    customer: str


async def suggested_cases(asked: Asked, reader: Reader, limit: int) -> Sequence[NamedCase]:
    """Return the first `limit` cases of `found_cases`, without reading their messages for excerpts."""
    if not asked.parts:
        return []
    in_subject, values = _in_subject(asked)
    sql = f"""
with {hits_sql(reader, in_subject)}
select c.number, c.subject, u.name from (select * from found order by is_better desc, id desc limit {int(limit)}) f
join cases c using (id) join customer u on u.id = c.customer_id order by f.is_better desc, f.id desc
"""  # noqa: S608
    rows = await current().fetch(sql, await queries_for(asked, reader, of_text(reader)), *values)
    return [NamedCase(*row) for row in rows]


def _read(row: Any, asked: Asked) -> FoundCase:
    return FoundCase(
        number=row["number"],
        subject=marked(row["subject"], asked.parts),
        customer=row["customer"],
        contact=row["contact"],
        status=Status(row["status"]),
        status_word=row["status_word"],
        updated_at=row["updated_at"],
        message_id=row["message_id"],
        is_note=bool(row["is_note"]),
        author=row["author"],
        excerpt=excerpt(row["text"], asked.parts) if row["text"] else (),
    )
