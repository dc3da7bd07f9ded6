"""Limit how often one person may search and download, so that nobody slows the portal down for others (R83)."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from portal.database import transaction
from portal.people import attempts
from portal.web.visit import Web, visit_of

_MINUTE = timedelta(minutes=1)
SEARCHES = attempts.Limit(free=60, first_wait=_MINUTE, longest_wait=_MINUTE, within=_MINUTE, what="searches")
EXPORTS = attempts.Limit(free=60, first_wait=_MINUTE, longest_wait=_MINUTE, within=10 * _MINUTE, what="downloads")
"""Enough for all files of a month or of a customer's year; a script that takes more is slowed to one file a minute."""


async def _admit(request: Web, limit: attempts.Limit) -> Any:
    """Count one read for the reader and return them, or raise `TooMany`.

    It first ends the read's own transaction, because a request never holds two connections (R84).
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    await visit.end_reading()
    async with transaction(None):
        await attempts.admit({f"{limit.what} {reader.credential_id}": limit}, visit.at)
    return reader


@contextlib.asynccontextmanager
async def searching(request: Web, text: str) -> AsyncIterator[None]:
    """Open the transaction of a list and count the search; where `text` is empty, do neither. Raises `TooMany`."""
    if not text.strip():
        yield
        return
    async with transaction(await _admit(request, SEARCHES), readonly=True):
        yield


@contextlib.asynccontextmanager
async def exporting(request: Web) -> AsyncIterator[None]:
    """Open the transaction of a document download, which may write the audit (R89), and count it. Raises `TooMany`."""
    async with transaction(await _admit(request, EXPORTS)):
        yield
