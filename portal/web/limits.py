"""Reads that are counted, so that one person cannot take the portal from the others: searches, and documents as files (R83)."""

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
"""Enough for all files of a month or of a customer's year; a script that takes everything is slowed down to one a minute."""


async def _admit(request: Web, limit: attempts.Limit) -> Any:
    """Count one for the reader, or raise `TooMany`. The read's own transaction ends first: a request never holds two connections (R84)."""
    visit = visit_of(request)
    reader: Any = visit.reader
    await visit.end_reading()
    async with transaction(None):
        await attempts.admit({f"{limit.what} {reader.credential_id}": limit}, visit.at)
    return reader


@contextlib.asynccontextmanager
async def searching(request: Web, text: str) -> AsyncIterator[None]:
    """Around a list that `text` narrows down; without a text it is a list like any other. Raises `TooMany`."""
    if not text.strip():
        yield
        return
    async with transaction(await _admit(request, SEARCHES), readonly=True):
        yield


@contextlib.asynccontextmanager
async def exporting(request: Web) -> AsyncIterator[None]:
    """Around a document that is handed out as a file: one transaction that may record it (R89). Raises `TooMany`."""
    async with transaction(await _admit(request, EXPORTS)):
        yield
