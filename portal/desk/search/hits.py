"""Find the ids of the cases that match, newest first, in a time that does not grow with the number of cases.

The query for a common word would return most cases. So the search begins with the newest case ids, and continues with
older ids only until it has `MOST` cases. The lexemes X, Y and Z of `case_words` limit a query to a range of ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

from portal.database import current
from portal.desk.cases import Case
from portal.desk.search.asked import Asked, Part
from portal.people.readers import Reader

MOST = 1000
"""The maximum number of cases that a search finds. These are the newest; the page says if there are more."""
_RANGES = {"X": 12, "Y": 15, "Z": 18}
"""The lexemes that limit a query to a range of ids, each with a number of bits.

The ids in one range differ only in so many of their low bits.
"""
_FEW = 2 << _RANGES["X"]
"""While no case has a higher id, one query for all cases is fast."""
_ENOUGH = MOST
"""How many matches a range of ids must promise for a query of its own."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """One page of the results of a search.

    `total` is the number of results on all pages; `MOST` + 1 stands for any larger number. `after` is the cursor of the
    next page, or None on the last page.
    """

    rows: Sequence[Row] = field(default=())
    total: int = 0
    after: str | None = None

    @property
    def is_cut(self) -> bool:
        """Return whether there are more results than the pages show."""
        return self.total > MOST

    @property
    def total_words(self) -> str:
        return f"{MOST:,}+" if self.is_cut else f"{self.total:,}"


TOTAL = f"(select case when count(*) > {MOST} then count(*) else count(distinct id) end from hits)"  # noqa: S608
"""SQL expression for the number of cases found, `MOST` + 1 for any larger number; for queries with `hits_sql`."""


def hits_sql(reader: Reader, is_better: str = "false") -> str:
    """Return the SQL of a table expression `found` with the ids of the cases that match and that `reader` may see.

    Its column `is_better` has the result of the SQL condition `is_better` on the case `c`. The parameter `$1` is the
    list that `queries_for` returns. PostgreSQL runs these queries one after the other until more than `MOST` cases are
    found. `hits` may have an id twice: two queries find the same case if its words are in several rows of `case_words`.
    """
    return f"""
hits as materialized (
  select x.* from unnest($1::text[]) with ordinality w (query, place) cross join lateral (
    select c.id, ({is_better}) as is_better
    from (select id from {_hits(reader)}(w.query::tsquery) matching (id) order by id desc offset 0) h join cases c on c.id = h.id
    where {Case.visible_sql(reader, "c")} order by h.id desc limit {MOST + 1}
  ) x limit {MOST + 1}
), found as materialized (select distinct id, is_better from hits)"""  # noqa: S608


async def queries_for(asked: Asked, reader: Reader, of_part: Callable[..., str]) -> list[str]:
    """Return the tsqueries that together find all cases in which all parts match.

    No row of `case_words` matches two of these queries. `of_part` returns the tsquery for one part; with `exact=True`,
    words that only begin with the part do not match. Each query looks up every word again, so a search that matches few
    cases, judged by the newest ones, is a single query.
    """
    wanted, exactly = (" & ".join(f"({of_part(p, exact=only)})" for p in asked.parts) for only in (False, True))
    # For a common word, the first query finds enough cases. Only for others is it worth searching longer words too.
    split = [f"({exactly})", f"({wanted}) & !({exactly})"] if wanted != exactly else [f"({wanted})"]
    values = [reader.customer_id] if reader.is_contact else []
    newest, matching = await current().fetchrow(_sample(reader), split, *values)
    ranges = [
        _newest(mark, newest >> bits)
        for mark, bits in _RANGES.items()
        # A range with too few matches is left out, and a larger one that holds all cases.
        if matching << bits - _RANGES["X"] > _ENOUGH and (mark == "X" or newest >> bits + 1)
    ]
    if not ranges:
        return [wanted]
    queries = [f"{query} & {ranges[0]}" for query in split]
    for newer, ids in pairwise(ranges):
        queries.append(f"({wanted}) & {ids} & !{newer}")
    return [*queries, f"({wanted}) & !{ranges[-1]}"]


def _sample(reader: Reader) -> str:
    """Return the SQL for the newest id, and for how many cases match in the newest range X and in the range before it.

    The parameter `$1` is a list of tsqueries that are run one after the other until more than `MOST` cases match; for a
    contact, `$2` is the customer. There are 0 matches if one query for all cases is fast anyway.
    """
    ids = f"newest >> {_RANGES['X']}"
    return f"""
select newest, case when newest < {_FEW} then 0 else (
  select count(*) from (
    select from unnest($1::text[]) query
    cross join lateral {_hits(reader)}(format('%s & (X%s | X%s)', query, {ids}, greatest(({ids}) - 1, 0))::tsquery) limit {MOST + 1}
  ) h) end as matching
from (select coalesce(max(id), 0) as newest from cases {"where customer_id = $2" if reader.is_contact else ""}) c
"""  # noqa: S608


def _hits(reader: Reader) -> str:
    """Return the name of the SQL function that returns the ids of the cases that match a tsquery."""
    return "customer_case_hits" if reader.is_contact else "agent_case_hits"


def _newest(mark: str, bucket: int) -> str:
    """Return the tsquery for the cases in the newest range of ids and in the range before it.

    `mark` is a key of `_RANGES`, and `bucket` the number of the newest range of this size.
    """
    return f"({mark}{bucket} | {mark}{bucket - 1})" if bucket else f"{mark}0"


def of_text(reader: Reader) -> Callable[..., str]:
    """Return a function that returns the tsquery for a part of the search.

    The tsquery matches cases that have the part in their texts, or whose customer or contact matches the part.
    """

    marks = ("",) if reader.is_contact else ("", "N")

    def query(part: Part, *, exact: bool = False) -> str:
        places = [f"({part.query(mark, exact=exact)})" for mark in marks]
        people = [f"C{id}" for id in part.named.customers] + [f"P{id}" for id in part.named.contacts]
        return " | ".join([*places, *(f"'{lexeme}'" for lexeme in people)])

    return query
