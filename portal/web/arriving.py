"""Limit the body of a request while it arrives: its size, its duration and its rate.

Each body has a maximum size, a deadline and a minimum rate, and one sender may send only a few at once. Without these
limits, bodies sent one byte at a time could hold every connection of the server (T10, R83).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from portal.errors import BadRequest, TooLarge, TooMany, TooSlow
from portal.people import attempts
from portal.web.visit import Visit

READ_PAST, READ_PAST_SECONDS = 25 * 1024 * 1024, 5.0
"""How many more bytes are read of a refused body, and for how many seconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Define the limits of a body: at most `most` bytes within `seconds`, and on average `rate` bytes a second.

    The rate is enforced after `grace` seconds. `at_once` is the number of bodies that one sender may be sending to one
    process at the same time.
    """

    most: int
    seconds: float
    grace: float
    rate: int
    at_once: int


STRANGER = Pace(most=64 * 1024, seconds=10.0, grace=3.0, rate=1024, at_once=20)
"""The limits for people who are not signed in: the largest form that they can send has a few hundred bytes."""
KNOWN = Pace(most=300 * 1024 * 1024, seconds=20 * 60.0, grace=15.0, rate=8 * 1024, at_once=20)
"""The limits for people with a session, live or ended: ten files of 25 MB with text, at 64 kbit/s or more."""
MOST_STRANGERS = 200
"""The most bodies that all strangers together may be sending to one process: fewer than half of its connections."""

_on_their_way: Counter[str] = Counter()
_STRANGERS = "strangers"


class Arriving:
    """Read the body of one request within the limits of `pace`."""

    def __init__(self, receive: Any, pace: Pace) -> None:
        self._receive, self._more, self._pace = receive, True, pace
        self._ends = monotonic() + pace.seconds
        self._received = 0
        self._waited = 0.0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises `TooSlow`, `TooLarge`, and `BadRequest` where the sender disconnects."""
        while self._more:
            began = monotonic()
            # The rate counts only the time spent waiting for the sender; while a file is being stored, the sender
            # waits for us.
            allowed = self._pace.grace + self._received / self._pace.rate - self._waited
            try:
                async with asyncio.timeout(max(0.0, min(allowed, self._ends - began))):
                    message = await self._receive()
            except TimeoutError as error:
                raise TooSlow from error
            self._waited += monotonic() - began
            if message["type"] == "http.disconnect":
                raise BadRequest
            self._more = message.get("more_body", False)
            body = message.get("body", b"")
            self._received += len(body)
            if self._received > self._pace.most:
                raise TooLarge
            yield body

    async def read_past(self) -> None:
        """Read and drop the rest of a refused body, because clients read no answer before they have sent all of theirs.

        At most `READ_PAST` bytes within `READ_PAST_SECONDS` are read; a longer or slower body is answered while it
        arrives.
        """
        left = READ_PAST
        with contextlib.suppress(TimeoutError, BadRequest, TooSlow, TooLarge):
            async with asyncio.timeout(READ_PAST_SECONDS):
                async for chunk in self.chunks():
                    left -= len(chunk)
                    if left < 0:
                        break


@contextlib.contextmanager
def arriving(visit: Visit, receive: Any, announced: str) -> Iterator[Arriving]:
    """Give the request's body to be read inside the block. `announced` is its `Content-Length`, or "".

    Raises `TooMany` before anything is read where this sender, or all strangers together, are sending as many bodies
    as they may; `TooLarge` where the announced size is over the limit.
    """
    stranger = visit.session is None
    pace = STRANGER if stranger else KNOWN
    sender = f"address {attempts.source(visit.address)}" if stranger else f"person {visit.session.credential_id}"  # type: ignore[union-attr]
    if announced.isascii() and announced.isdigit() and (len(announced) > 15 or int(announced) > pace.most):
        raise TooLarge
    if _on_their_way[sender] >= pace.at_once or (stranger and _on_their_way[_STRANGERS] >= MOST_STRANGERS):
        raise TooMany("Too many forms are on their way at this moment. Send yours again in a minute.", retry_after=10)
    counted = [sender, _STRANGERS] if stranger else [sender]
    _on_their_way.update(counted)
    try:
        yield Arriving(receive, pace)
    finally:
        _on_their_way.subtract(counted)
        for one in counted:
            if not _on_their_way[one]:
                del _on_their_way[one]
