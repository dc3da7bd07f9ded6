"""Find what both areas can find: cases, files, help articles and documents, as far as the reader may see them."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from portal.billing import CreditNote, Invoice
from portal.desk import Case
from portal.desk.help import reading
from portal.desk.search import Asked, Found, found_cases, found_files
from portal.errors import NotFound
from portal.people.readers import Reader
from portal.web.visit import Web

FEW = 5
"""How many files, customers, contacts and articles are listed on the page that shows all kinds of results."""
MANY = 100
"""The maximum number of results on a page that shows one kind."""
_LONGEST_NUMBER = 60


@dataclass(slots=True)
class Results:
    """What the search found. `kind` is the one kind that the page shows, or "" if it shows all of them.

    `asked` is the parsed search text. `case` is the case whose number was typed. `cases` and `files` are pages of
    results, `articles` the help articles. `documents` are the invoices and credit notes with the typed number: the path
    of each below the area, and its number. `more` holds, by kind, the results that only one of the areas has.
    """

    asked: Asked
    kind: str = ""
    case: Case | None = None
    cases: Found[Any] = field(default_factory=Found)
    files: Found[Any] = field(default_factory=Found)
    articles: list[reading.Found] = field(default_factory=list)
    documents: list[tuple[str, str]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def of(cls, request: Web, reader: Reader) -> Self:
        """Return what the URL asks for: the text `?q=`, the kind `?in=`, and `?after=`, the cursor of a further page."""
        query = request.query_params
        asked = await Asked.read(query.get("q", ""), reader)
        kind, after = query.get("in", ""), query.get("after", "")
        found = cls(asked, kind if kind in ("cases", "files", "contacts") else "")
        if not asked.parts:
            return found
        if found.shows("cases"):
            found.cases = await found_cases(asked, reader, after)
        if found.shows("files"):
            found.files = await found_files(asked, reader, after, limit=MANY if found.kind else FEW)
        if not found.kind:
            found.case = await _found(Case.find, asked.number, reader) if asked.number is not None else None
            found.articles = (await reading.listed(reader, asked.text)).rows[:FEW]
            found.documents = await _documents(asked.text, reader)
        return found

    def shows(self, kind: str) -> bool:
        """Return whether the page shows this kind of results."""
        return self.kind in ("", kind)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was found."""
        kinds = (self.case, self.cases.rows, self.files.rows, self.articles, self.documents, *self.more.values())
        return not any(kinds)

    @property
    def leads_to(self) -> int | None:
        """Return the number of the case to redirect to at once, for a text such as `#1042`; otherwise None."""
        return self.case.number if self.case and self.asked.is_quoted else None


async def _found(find: Callable[..., Awaitable[Any]], *values: Any) -> Any:
    with suppress(NotFound):
        return await find(*values)
    return None


async def _documents(text: str, reader: Reader) -> list[tuple[str, str]]:
    """Return the documents with this number that the reader may see: the path of each below the area, and its number."""
    if len(text) > _LONGEST_NUMBER or not any(letter.isdigit() for letter in text):
        return []
    kinds = (("invoices", Invoice), ("credit-notes", CreditNote))
    found = [(path, await _found(kind.find, text, reader)) for path, kind in kinds]
    return [(f"/{path}/{one.number}", one.number) for path, one in found if one]
