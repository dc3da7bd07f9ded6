"""Limit the size, the duration and the rate of a request body while it arrives.

Each body has a maximum size, a deadline and a minimum rate, and one sender may send only a few bodies at the same
time. Without these limits, bodies sent one byte at a time could occupy every connection of the server (R83).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from portal.errors import BadRequest, TooLarge, TooMany, TooSlow
from portal.people.access import attempts
from portal.web.visit import Visit

READ_PAST, READ_PAST_SECONDS = 25 * 1024 * 1024, 5.0
"""How many more bytes of a refused body are read before the response is sent, and for at most how many seconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits of a request body: at most `most` bytes within `seconds`, at an average of at least `rate` bytes a second.

    The minimum rate applies after the first `grace` seconds. `at_once` is the maximum number of bodies that one sender
    may be sending to one process at the same time.
    """

    most: int
    seconds: float
    grace: float
    rate: int
    at_once: int


STRANGER = Pace(most=64 * 1024, seconds=10.0, grace=3.0, rate=1024, at_once=20)
"""The limits for senders without a session. The largest form that they can send has a few hundred bytes."""
KNOWN = Pace(most=300 * 1024 * 1024, seconds=20 * 60.0, grace=15.0, rate=8 * 1024, at_once=20)
"""The limits for senders with a session, active or ended.

They allow ten files of 25 MB and text, sent at 64 kbit/s or more.
"""
MOST_STRANGERS = 200
"""The maximum number of bodies that all senders without a session together may be sending to one process at a time.

It is less than half of the connections that the process accepts.
"""

_on_their_way: Counter[str] = Counter()
_STRANGERS = "strangers"


class Arriving:
    """The body of one request. Each chunk is checked against the limits of `pace` as it arrives."""

    def __init__(self, receive: Any, pace: Pace) -> None:
        self._receive, self._more, self._pace = receive, True, pace
        self._ends = monotonic() + pace.seconds
        self._received = 0
        self._waited = 0.0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in chunks as they arrive.

        Raise `TooSlow` or `TooLarge` if the body breaks a limit, and `BadRequest` if the sender disconnects.
        """
        while self._more:
            began = monotonic()
            # The rate counts only the time spent waiting for the sender; while a file is being stored, the sender
            # waits for the server.
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
        """Read and discard the rest of a refused body: most clients read no response before they have sent everything.

        At most `READ_PAST` bytes are read, for at most `READ_PAST_SECONDS`. A longer or slower body gets its response
        before it has arrived completely.
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
    """Yield an `Arriving` that reads the body of this request, and count the body as being sent until the block ends.

    `announced` is the Content-Length header, or "". Raise `TooLarge` if this length is over the limit. Raise `TooMany`
    if this sender, or all senders without a session together, are already sending the maximum number of bodies. Both
    errors are raised before anything is read.
    """
    stranger = visit.session is None
    pace = STRANGER if stranger else KNOWN
    sender = f"address {attempts.source(visit.address)}" if stranger else f"person {visit.session.credential_id}"  # type: ignore[union-attr]
    if announced.isascii() and announced.isdigit() and (len(announced) > 15 or int(announced) > pace.most):
        raise TooLarge
    if _on_their_way[sender] >= pace.at_once or (stranger and _on_their_way[_STRANGERS] >= MOST_STRANGERS):
        raise TooMany("Too many forms are being sent at this moment. Send yours again in a minute.", retry_after=10)
    counted = [sender, _STRANGERS] if stranger else [sender]
    _on_their_way.update(counted)
    try:
        yield Arriving(receive, pace)
    finally:
        _on_their_way.subtract(counted)
        for one in counted:
            if not _on_their_way[one]:
                del _on_their_way[one]
