"""Find what both contacts and agents can find: cases, files, help articles and documents that the reader may see."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from portal.billing import CreditNote, Invoice
from portal.desk import Case
from portal.desk.help import reading
from portal.desk.looking import Lately, lately
from portal.desk.search import Asked, Found, found_cases, found_files, suggested_cases
from portal.errors import NotFound
from portal.people.readers import Reader
from portal.web.visit import Web

FEW = 5
"""How many files, customers, contacts and articles are listed on the page that shows all kinds of results."""
MANY = 100
"""The maximum number of results on a page that shows one kind."""
MOST_LEADS = 6
"""The maximum number of cases that are suggested for a text in the search field."""
_LONGEST_NUMBER = 60


@dataclass(slots=True)
class Results:
    """What the search found. `kind` is the one kind of results that the page shows, or "" if it shows all kinds.

    `asked` is the parsed search text. `case` is the case whose number was typed. `cases` and `files` are pages of
    results, and `articles` are help articles. `documents` are the invoices and credit notes with the typed number: each
    is a pair of its path, without the prefix of the area, and its number. If no text was typed, `lately` are the cases
    that the reader has lately read or written on. `more` holds, by kind, the results that only one area has, such as
    the customers that only agents find.
    """

    asked: Asked
    kind: str = ""
    case: Case | None = None
    cases: Found[Any] = field(default_factory=Found)
    files: Found[Any] = field(default_factory=Found)
    articles: list[reading.Found] = field(default_factory=list)
    documents: list[tuple[str, str]] = field(default_factory=list)
    lately: Sequence[Lately] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def of(cls, request: Web, reader: Reader) -> Self:
        """Search for the text `?q=`, and return the results.

        Without a text, the results are the cases that the reader has lately read or written on. `?in=` limits the
        search to one kind of results. If it is given, the case with the typed number, the help articles and the
        documents are left out. `?after=` is the paging cursor of the results.
        """
        query = request.query_params
        asked = await Asked.read(query.get("q", ""), reader)
        kind, after = query.get("in", ""), query.get("after", "")
        found = cls(asked, kind if kind in ("cases", "files", "contacts") else "")
        if not asked.text:
            found.lately = await lately(reader)
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
    def lately_customers(self) -> dict[int, str]:
        """Return the names of the customers of the cases in `lately`, by id.

        The customer of the latest case comes first.
        """
        return {case.customer_id: case.customer for case in self.lately}

    @property
    def leads_to(self) -> int | None:
        """Return the number of the case to redirect to at once, for a text such as `#1042`; otherwise None."""
        return self.case.number if self.case and self.asked.is_quoted else None


class Lead(NamedTuple):
    """A suggestion below the search field. Choosing it opens the page at the path `id`."""

    id: str
    name: str
    about: str = ""


async def leads(text: str, reader: Reader) -> tuple[list[Lead], str]:
    """Return the cases to suggest below the search field, and a sentence to show if there are none.

    The suggestions are the case whose number is `text`, and the first `MOST_LEADS` cases that match `text`. If `text`
    is blank, the suggestions are the cases that the reader has lately read or written on.
    """
    if not text.strip():
        return [_lead(case.number, case.subject, case.customer, reader) for case in await lately(reader)], ""
    asked = await Asked.read(text, reader)
    cases = {
        case.number: _lead(case.number, case.subject, case.customer, reader)
        for case in await suggested_cases(asked, reader, MOST_LEADS)
    }
    numbered = await _found(Case.find, asked.number, reader) if asked.number is not None else None
    first = [_lead(numbered.number, numbered.subject, "", reader)] if numbered else []
    nothing = asked.problem or "Nothing suggested. Enter searches files, help and invoices too."
    return first + [lead for number, lead in cases.items() if not numbered or number != numbered.number], nothing


def _lead(number: int, subject: str, customer: str, reader: Reader) -> Lead:
    area, about = ("", "") if reader.is_contact else ("/agent", customer)
    return Lead(f"{area}/cases/{number}", f"#{number} {subject}", about)


async def _found(find: Callable[..., Awaitable[Any]], *values: Any) -> Any:
    with suppress(NotFound):
        return await find(*values)
    return None


async def _documents(text: str, reader: Reader) -> list[tuple[str, str]]:
    """Return the path and the number of each invoice and credit note with this number that the reader may see.

    The path is without the prefix of the area.
    """
    if len(text) > _LONGEST_NUMBER or not any(letter.isdigit() for letter in text):
        return []
    kinds = (("invoices", Invoice), ("credit-notes", CreditNote))
    found = [(path, await _found(kind.find, text, reader)) for path, kind in kinds]
    return [(f"/{path}/{one.number}", one.number) for path, one in found if one]
