"""Find files of cases by their names."""

from collections.abc import Callable
from typing import Any, NamedTuple

from portal.database import current
from portal.desk.search.asked import Asked, Part
from portal.desk.search.hits import TOTAL, Found, hits_sql, queries_for
from portal.numbers import number_in, uuid_in
from portal.people.readers import Reader


class FoundFile(NamedTuple):
    """A file as the results of a search show it.

    `at` is the instant of the file's message, and `is_note` says whether this message is a note. `number`, `subject`
    and `customer` belong to the case of the file.
    """

    id: Any
    name: str
    size: int
    at: Any
    number: int
    subject: str
    customer: str
    is_note: bool


def _of_name(reader: Reader) -> Callable[..., str]:
    """Return a function that makes the tsquery for one word or quoted phrase of the search text (a `Part`).

    The tsquery matches cases that have a file whose name contains the words of the part.
    """
    marks = ("F",) if reader.is_contact else ("F", "G")

    def query(part: Part, *, exact: bool = False) -> str:
        return " | ".join(f"({part.query(mark, exact=exact)})" for mark in marks)

    return query


async def found_files(asked: Asked, reader: Reader, after: str = "", *, limit: int) -> Found[FoundFile]:
    """Return one page of the files whose names contain all words, newest first.

    The `total` of the result is the number of cases in whose file names all words occur, even if the words are in the
    names of different files. `after` is the cursor from an earlier page; any other text means the first page. Row-level
    security hides the files of notes from contacts.
    """
    if not asked.parts:
        return Found()
    message, _, key = after.partition(".")
    sql = f"""
with {hits_sql(reader)}
select a.id, a.name, a.size, m.at, c.number, c.subject, u.name as customer, m.kind = 'note' as is_note, m.id as message_id,
  {TOTAL} as cases
from found join cases c using (id) join customer u on u.id = c.customer_id
  join message m on m.case_id = c.id join attachment a on a.message_id = m.id
where search_vector(a.name) @@ $2::text::tsquery and ($3::bigint is null or (m.id, a.id) < ($3, $4::uuid))
order by m.id desc, a.id desc limit {limit + 1}
"""  # noqa: S608
    cursor = (number_in(message), uuid_in(key))
    place = cursor if None not in cursor else (None, None)
    rows = await current().fetch(sql, await queries_for(asked, reader, _of_name(reader)), asked.query, *place)
    last = rows[limit - 1] if len(rows) > limit else None
    return Found(
        [FoundFile(**{name: row[name] for name in FoundFile._fields}) for row in rows[:limit]],
        rows[0]["cases"] if rows else 0,
        f"{last['message_id']}.{last['id']}" if last else None,
    )
