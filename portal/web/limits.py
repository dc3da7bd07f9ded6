"""Limit how often one person may search, download, invite, rate and have previews drawn (R83)."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from portal.database import transaction
from portal.people.access import attempts
from portal.web.visit import Web, visit_of

_MINUTE = timedelta(minutes=1)
SEARCHES = attempts.Limit(free=60, first_wait=_MINUTE, longest_wait=_MINUTE, within=_MINUTE, what="searches")
SUGGESTIONS = attempts.Limit(free=120, first_wait=_MINUTE, longest_wait=_MINUTE, within=_MINUTE, what="suggestions")
"""The limit for suggestions below the search field, which are searches too: 120 in a minute, then one a minute."""

EXPORTS = attempts.Limit(free=60, first_wait=_MINUTE, longest_wait=_MINUTE, within=10 * _MINUTE, what="downloads")
"""The limit for downloads: 60 in ten minutes without waiting, enough for all files of a month; then one a minute."""

DRAWINGS = attempts.Limit(free=300, first_wait=_MINUTE, longest_wait=_MINUTE, within=10 * _MINUTE, what="drawings")
"""The limit for file previews that have to be drawn first: 300 in ten minutes without waiting, then one a minute."""

INVITATIONS = attempts.Limit(
    free=30, first_wait=_MINUTE, longest_wait=_MINUTE, within=attempts.HOUR, what="invitations"
)
"""The limit for contacts whom a customer's administrator adds or invites again: 30 an hour, then one a minute."""

RATINGS = attempts.Limit(free=30, first_wait=_MINUTE, longest_wait=_MINUTE, within=attempts.HOUR, what="ratings")
"""The limit for ratings, also those by the link of a mail: 30 an hour without waiting, then one a minute."""


async def _admit(request: Web, limit: attempts.Limit) -> Any:
    """Count one action of the reader, such as a search, and return the reader. Raise `TooMany` if the limit is reached.

    Without a session, the actions are counted by the client's IP address, and None is returned. The read-only
    transaction of the request is ended first, because a request never holds two connections (R84).
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    await visit.end_reading()
    async with transaction(None):
        who = reader.credential_id if reader else attempts.source(visit.address)
        await attempts.admit({f"{limit.what} {who}": limit}, visit.at)
    return reader


@contextlib.asynccontextmanager
async def searching(request: Web, text: str, limit: attempts.Limit | None = None) -> AsyncIterator[None]:
    """Count a search by `text` with `limit`, by default `SEARCHES`, and run the block in a new read-only transaction.

    Raise `TooMany` if the limit is reached. If `text` is blank, nothing is counted and the block runs in the
    transaction of the request.
    """
    if not text.strip():
        yield
        return
    async with transaction(await _admit(request, limit or SEARCHES), readonly=True):
        yield


def suggesting(request: Web, text: str) -> AbstractAsyncContextManager[None]:
    """Do the same as `searching`, but count with the limit `SUGGESTIONS`."""
    return searching(request, text, SUGGESTIONS)


async def count_invitation(request: Web) -> None:
    """Count an invitation that a contact sends. Raise `TooMany` if the limit is reached."""
    await _admit(request, INVITATIONS)


async def count_rating(request: Web) -> None:
    """Count a rating of a case. Raise `TooMany` if the limit is reached."""
    await _admit(request, RATINGS)


async def count_drawing(request: Web) -> None:
    """Count a preview that has to be drawn, after ending the request's transaction.

    Raise `TooMany` if the limit is reached.
    """
    await _admit(request, DRAWINGS)


@contextlib.asynccontextmanager
async def exporting(request: Web) -> AsyncIterator[None]:
    """Count a download, and run the block in a new transaction of the reader. Raise `TooMany` if the limit is reached.

    The transaction is not read-only, because the download is recorded in the audit log (R89).
    """
    async with transaction(await _admit(request, EXPORTS)):
        yield
