"""Find rows by a part of their name: the server's side of the `finder` control in templates/shared/forms.html.

Define a finder once, beside the table that it searches, with a query for the rows to choose from:

    CUSTOMERS = Finder("customer", "select id, name, '' as about, ended_at is not null as is_last from customer")

A handler of two lines serves the finder's suggestions (`suggested` in portal/web/finding.py). Handlers that read a form
or a URL call `find` to learn what was chosen. Row-level security applies as in every query of the reader's transaction;
the handler's guard decides who may search.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from portal.database import current
from portal.fields import one_line
from portal.folding import folded

SUGGESTED = 20
"""The maximum number of suggestions in one response. The next response continues after the last of them."""
LONGEST = 200
MOST_WORDS = 6
LARGEST_ID = 2**63 - 1

_KEY = "is_last, folded(name), id"


class Suggestion(NamedTuple):
    """A row that can be chosen. `about` is a text that distinguishes it from other rows with the same name."""

    id: int
    name: str
    about: str


class Suggestions(NamedTuple):
    """At most `SUGGESTED` rows, sorted by name. `after` is the id after which to continue, or None if there are no more."""

    rows: list[Suggestion]
    after: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """The result of `Finder.find`: the id and the name of the chosen row.

    If no row was chosen, `id` is None, `name` is the typed text, and `problem` is the error message. If nothing was
    typed, both texts are "".
    """

    id: int | None = None
    name: str = ""
    problem: str = ""
    choices: Sequence[Suggestion] = ()
    """The rows whose names match the typed text, if there are several; at most `SUGGESTED`."""
    theirs: str = ""
    """The name of the row that is stored now, if two people have changed the field to different rows."""


@dataclass(frozen=True, slots=True)
class Finder:
    """A search for rows of one kind by their names.

    - `what`: the noun for a row, used in error messages.
    - `sql`: a query for the columns id, name, about and is_last. It must not contain anything that a person typed. Rows
      with `is_last` come last.
    - `by`: the column that is searched. `sought_in` is what error messages call that column.
    - `read`: converts a typed text into the text to search for.
    - `of`: the name of a column with an id, or "". If it is set, only rows in which this column is `within` are found,
      such as the contacts of the customer with the id `within`.
    """

    what: str
    sql: str
    by: str = "name"
    sought_in: str = "name"
    read: Callable[[str], str] = str
    of: str = ""
    within: int | None = None

    @property
    def _among(self) -> list[int | None]:
        """Return `within` as the first parameter of the queries, or no parameter if the finder has no column `of`."""
        return [self.within] if self.of else []

    async def suggest(self, typed: str, after: int | None = None) -> Suggestions:
        """Return the rows whose column `by`, usually the name, contains every word of `typed`; "" matches all rows.

        Order of the words, case and accents are ignored. `after` is the id after which to continue, from an earlier
        `Suggestions`.
        """
        rows = await current().fetch(
            _suggesting(self.sql, self.by, self.of), *self._among, _words(self.read(typed)), after
        )
        shown = [Suggestion(*row) for row in rows[:SUGGESTED]]
        return Suggestions(shown, shown[-1].id if len(rows) > SUGGESTED else None)

    async def named(self, id: int) -> Suggestion | None:
        """Return the row with this id, or None if there is none that the reader may see."""
        if not 0 < id <= LARGEST_ID:
            return None
        row = await current().fetchrow(_naming(self.sql, self.of), *self._among, id)
        return Suggestion(*row) if row else None

    async def find(self, id: int | None, typed: str | None) -> Found:
        """Return the row that somebody chose, given the id and the text that the search field sent.

        If the name of the row with this id contains the text, return this row. Otherwise ignore the id, which can be
        the id of an earlier choice, because without JavaScript an edit of the text does not change the id in the form.
        In this case, return the row whose name is the text, or else the only row whose name contains the text. If there
        is no such row, or there are several, `Found.id` is None and `Found.problem` is the error message. An empty text
        means that nothing was chosen. `typed` is None if only the id was sent, as in a link.
        """
        chosen = await self.named(id) if id is not None else None
        text = one_line(typed or "")[:LONGEST]
        if chosen and (typed is None or (text and _contains(chosen.name, text))):
            return Found(chosen.id, chosen.name)
        if not text:
            return Found()
        rows, after = await self.suggest(text)
        matching = [row for row in rows if folded(row.name) == folded(text)] or rows
        if len(matching) == 1:
            return Found(matching[0].id, matching[0].name)
        if not matching:
            return Found(name=text, problem=f"There is no {self.what} with “{text}” in its {self.sought_in}.")
        count = f"More than {SUGGESTED}" if after and matching == rows else str(len(matching))
        return Found(
            name=text,
            problem=f"{count} {self.what}s have “{text}” in their {self.sought_in}: choose one.",
            choices=matching,
        )


@cache
def _suggesting(sql: str, by: str, of: str) -> str:
    words, after = ("$2", "$3") if of else ("$1", "$2")
    return f"""
select id, name, about from ({_rows(sql, of)}) as offered
where (select bool_and(strpos(folded({by}), folded(word)) > 0) from unnest({words}::text[]) as word) is not false
  and ({after}::bigint is null or ({_KEY}) > (select {_KEY} from ({sql}) as last where id = {after}))
order by {_KEY} limit {SUGGESTED + 1}
"""  # noqa: S608 (the query is part of the code)


@cache
def _naming(sql: str, of: str) -> str:
    return f"select id, name, about from ({_rows(sql, of)}) as offered where id = {'$2' if of else '$1'}"  # noqa: S608


def _rows(sql: str, of: str) -> str:
    return f"select * from ({sql}) as every where {of} = $1" if of else sql  # noqa: S608


def _words(typed: str) -> list[str]:
    return one_line(typed)[:LONGEST].split()[:MOST_WORDS]


def _contains(name: str, typed: str) -> bool:
    return all(folded(word) in folded(name) for word in _words(typed))


def choosable(finder: Finder) -> Finder:
    """Return a finder without the rows that have ended (`is_last`), for forms that choose what a new row belongs to."""
    return replace(finder, sql=f"select * from ({finder.sql}) as known where not is_last")  # noqa: S608
