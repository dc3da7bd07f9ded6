"""Find the ids of the cases that match, newest first, in a time that hardly grows with the number of cases.

The query for a common word would return most cases. So the search begins with the newest case ids, and continues with
older ids only until it has `MOST` cases. The lexemes X, Y and Z of `case_words` limit a query to a range of ids.

If a common and a rare word are searched together, the index would read the long list of cases for the common word. So
the index is asked for the rare words only, and the cases that it finds are checked for all words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from portal.database import current
from portal.desk.cases import Case
from portal.desk.search.asked import Asked, Part
from portal.people.readers import ContactReader, Reader

MOST = 1000
"""The maximum number of cases that a search finds. These are the newest; the page says if there are more."""
_RANGES = {"X": 12, "Y": 15, "Z": 18}
"""The lexemes that limit a query to a range of ids, each with a number of bits.

Two ids are in the same range if they differ only in this number of low bits.
"""
_ENOUGH = MOST
"""A larger range gets a query of its own only if it is expected to have more matches than this."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """One page of the results of a search.

    `total` is the number of cases on all pages; `MOST` + 1 stands for any number above `MOST`. `after` is the cursor of
    the next page, or None on the last page.
    """

    rows: Sequence[Row] = field(default=())
    total: int = 0
    after: str | None = None

    @property
    def is_cut(self) -> bool:
        """Return whether more cases match than the pages show."""
        return self.total > MOST

    @property
    def total_words(self) -> str:
        return f"{MOST:,}+" if self.is_cut else f"{self.total:,}"


TOTAL = f"(select case when count(*) > {MOST} then count(*) else count(distinct id) end from hits)"  # noqa: S608
"""SQL expression for the number of cases found, or `MOST` + 1 if there are more; for queries with `hits_sql`."""


def hits_sql(reader: Reader, is_better: str = "false") -> str:
    """Return the SQL of a table expression `found` with the ids of the cases that match and that `reader` may see.

    The column `is_better` has the result of the SQL condition `is_better` on the case `c`. The parameter `$1` is the
    list that `queries_for` returns. PostgreSQL first runs the queries for the newest range X and the range before it.
    Then it runs the queries for larger ranges, one after the other, each without the cases of the ranges before, until
    more than `MOST` cases are found. It skips a larger range that is expected to have too few matches (`_ENOUGH`),
    because each query looks up every word again. The number of matches is estimated from the newest cases. `hits` may
    have an id twice: two queries find the same case if its words are in several rows of `case_words`.
    """
    hits = "customer_case_hits" if reader.is_contact else "agent_case_hits"
    own = f"where customer_id = {int(reader.customer_id)}" if isinstance(reader, ContactReader) else ""
    ranges = ", ".join(f"('{mark}', {bits})" for mark, bits in _RANGES.items())
    found = f"""
    select c.id, ({is_better}) as is_better
    from (select id from {hits}(w.query::tsquery, ($1::text[])[1]::tsquery) matching (id) order by id desc offset 0) h
    join cases c on c.id = h.id where {Case.visible_sql(reader, "c")} order by h.id desc limit {MOST + 1}"""  # noqa: S608
    return f"""
ranges as materialized (
  select bits, newest >> bits > 1 as is_part, format('(%1$s%2$s | %1$s%3$s)', mark, newest >> bits, greatest((newest >> bits) - 1, 0)) as ids
  from (select max(id) as newest from cases {own}) c
  cross join (values {ranges}) r (mark, bits)
), near as materialized (
  select x.* from (
    select format('(%s) & %s', query, ids) as query
    from ranges cross join unnest(($1::text[])[3:]) with ordinality q (query, place) where bits = {_RANGES["X"]} order by place
  ) w cross join lateral ({found}) x limit {MOST + 1}
), further as materialized (
  select bits, ids from ranges where is_part and (bits = {_RANGES["X"]} or (select count(*) from near) << (bits - {_RANGES["X"]}) > {_ENOUGH})
), far as materialized (
  select x.* from (
    select concat('(', ($1::text[])[2], ') & ', lead(ids) over newest_first || ' & ', '!', ids) as query
    from further window newest_first as (order by bits) order by bits
  ) w cross join lateral ({found}) x limit {MOST + 1} - (select count(*) from near)
), hits as materialized (select * from near union all select * from far),
found as materialized (select distinct id, is_better from hits)"""  # noqa: S608


async def queries_for(asked: Asked, reader: Reader, of_part: Callable[..., str]) -> list[str | None]:
    """Return the tsqueries for the parameter `$1` of `hits_sql`.

    The first is a query that every found case must match too, or None. The second finds the older cases. The others
    find the newest cases; no row of `case_words` matches more than one of them. `of_part` returns the tsquery for one
    part; with `exact=True`, words that only begin with the part do not match.
    """
    lexemes = [_lexemes(part) for part in asked.parts]
    named = [lexeme for words, people in lexemes for lexeme in (*words, *people)]
    common = set(await current().fetchval("select common_lexemes($1)", named))
    rare = [
        part
        for part, (words, people) in zip(asked.parts, lexemes, strict=True)
        if not (common.issuperset(words) or common.intersection(people))
    ]
    looked_up = rare or asked.parts
    wanted, exactly = (" & ".join(f"({of_part(p, exact=only)})" for p in looked_up) for only in (False, True))
    checked = " & ".join(f"({of_part(p)})" for p in asked.parts) if len(looked_up) < len(asked.parts) else None
    # For a common word, the first query finds enough cases. For a rare word, the second query also finds longer words
    # that begin with it.
    near = [exactly, f"({wanted}) & !({exactly})"] if wanted != exactly else [wanted]
    return [checked, wanted, *near]


def _lexemes(part: Part) -> tuple[list[str], list[str]]:
    """Return the words of a part, and the customers and contacts that match it, as `common_lexemes` reads them."""
    *words, last = part.words
    return [*words, f"{last}:*" if part.is_beginning else last], _people(part)


def _people(part: Part) -> list[str]:
    """Return the lexemes for the customers and contacts that match a part."""
    return [f"C{id}" for id in part.named.customers] + [f"P{id}" for id in part.named.contacts]


def of_text(reader: Reader) -> Callable[..., str]:
    """Return a function that makes the tsquery for one word or quoted phrase of the search text (a `Part`).

    The tsquery matches cases whose texts contain the words of the part, or whose customer or contact matches the part.
    """

    marks = ("",) if reader.is_contact else ("", "N")

    def query(part: Part, *, exact: bool = False) -> str:
        places = [f"({part.query(mark, exact=exact)})" for mark in marks]
        return " | ".join([*places, *(f"'{lexeme}'" for lexeme in _people(part))])

    return query
