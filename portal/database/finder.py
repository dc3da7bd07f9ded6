"""What is found by typing part of its name: the server's side of the typing control (`finder` in templates/shared/forms.html).

A finder is made once, beside its noun, from the rows that can be found:

    CUSTOMERS = Finder("customer", "select id, name, '' as about, ended_at is not null as is_last from customer")

A handler of two lines answers its suggestions (`suggested` in portal/web/finding.py), and one that reads a form or an address asks `find` what
was chosen. Row-level security applies as in any other query of the reader's transaction; the handler's guard says who may ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from portal.database import current
from portal.folding import folded

SUGGESTED = 20
"""Suggestions of one answer; the next ones come after the last of them."""
LONGEST = 200
MOST_WORDS = 6
LARGEST_ID = 2**63 - 1

_KEY = "is_last, folded(name), id"


class Suggestion(NamedTuple):
    """A row that can be chosen: its id, its name, and what tells it from others of that name ("" for nothing)."""

    id: int
    name: str
    about: str


class Suggestions(NamedTuple):
    """At most `SUGGESTED` rows in order of their names; `after` is the id to go on from, None where these are the last."""

    rows: list[Suggestion]
    after: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was chosen by a finder. Without an id, `problem` is the sentence that says why; "" means that nothing was typed."""

    id: int | None = None
    name: str = ""
    problem: str = ""
    choices: Sequence[Suggestion] = ()
    """What the typed name may mean where it means several."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds rows by their names. `what`: their noun, for sentences. `sql`: a query of ours for id, name, about and is_last (those come last)."""

    what: str
    sql: str

    async def suggest(self, typed: str, after: int | None = None) -> Suggestions:
        """Return the rows whose names contain every word of `typed`, whatever its order, case and accents; all rows where nothing is typed."""
        rows = await current().fetch(_suggesting(self.sql), _words(typed), after)
        shown = [Suggestion(*row) for row in rows[:SUGGESTED]]
        return Suggestions(shown, shown[-1].id if len(rows) > SUGGESTED else None)

    async def named(self, id: int) -> Suggestion | None:
        """Return the row with this id, None where there is none that the reader sees."""
        if not 0 < id <= LARGEST_ID:
            return None
        row = await current().fetchrow(_naming(self.sql), id)
        return Suggestion(*row) if row else None

    async def find(self, id: int | None, typed: str | None) -> Found:
        """Return what a form or an address means by an id and the text beside it.

        Without script only the text changes, so an id counts only while its name contains what is typed. A text means the row of that name, or the
        only one whose name contains it. `typed` None: only the id was sent, as in a link.
        """
        chosen = await self.named(id) if id is not None else None
        text = " ".join((typed or "").replace("\x00", "").split())[:LONGEST]
        if chosen and (typed is None or (text and _contains(chosen.name, text))):
            return Found(chosen.id, chosen.name)
        if not text:
            return Found()
        rows, after = await self.suggest(text)
        meant = [row for row in rows if folded(row.name) == folded(text)] or rows
        if len(meant) == 1:
            return Found(meant[0].id, meant[0].name)
        if not meant:
            return Found(name=text, problem=f"There is no {self.what} with “{text}” in its name.")
        count = f"More than {SUGGESTED}" if after and meant == rows else str(len(meant))
        return Found(name=text, problem=f"{count} {self.what}s have “{text}” in their name: choose one.", choices=meant)


@cache
def _suggesting(sql: str) -> str:
    return f"""
select id, name, about from ({sql}) as offered
where (select bool_and(strpos(folded(name), folded(word)) > 0) from unnest($1::text[]) as word) is not false
  and ($2::bigint is null or ({_KEY}) > (select {_KEY} from ({sql}) as last where id = $2))
order by {_KEY} limit {SUGGESTED + 1}
"""  # noqa: S608 (queries of ours)


@cache
def _naming(sql: str) -> str:
    return f"select id, name, about from ({sql}) as offered where id = $1"  # noqa: S608 (queries of ours)


def _words(typed: str) -> list[str]:
    return typed.replace("\x00", "")[:LONGEST].split()[:MOST_WORDS]


def _contains(name: str, typed: str) -> bool:
    return all(folded(word) in folded(name) for word in _words(typed))


def choosable(finder: Finder) -> Finder:
    """Return the same finder without ended rows, for choosing what a new thing belongs to."""
    return Finder(finder.what, f"select * from ({finder.sql}) as known where not is_last")  # noqa: S608
