"""A request's body on its way to us.

It has a largest size, a deadline for all of it and a least rate, and one sender has few of them at once. Otherwise a body may take for ever,
a byte at a time, and a thousand of them hold every connection that there is (T10, R83).
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
"""Bytes and time that a refused body may still take."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a body may take: `most` bytes, `seconds` for all of it, and after `grace` seconds at least `rate` bytes a second on average.

    `at_once`: how many bodies of one sender may be on their way to one process.
    """

    most: int
    seconds: float
    grace: float
    rate: int
    at_once: int


STRANGER = Pace(most=64 * 1024, seconds=10.0, grace=3.0, rate=1024, at_once=20)
"""For whoever is not signed in: a form at the door holds a few hundred bytes."""
KNOWN = Pace(most=300 * 1024 * 1024, seconds=20 * 60.0, grace=15.0, rate=8 * 1024, at_once=20)
"""For whoever is, or was: ten files of 25 MB and the text beside them, and 64 kbit/s at least."""
MOST_STRANGERS = 200
"""Bodies of all strangers together in one process, whatever their addresses: fewer than half of the connections that it takes."""

_on_their_way: Counter[str] = Counter()
_STRANGERS = "strangers"


class Arriving:
    """The body of one request, which `pace` bounds."""

    def __init__(self, receive: Any, pace: Pace) -> None:
        self._receive, self._more, self._pace = receive, True, pace
        self._ends = monotonic() + pace.seconds
        self._received = 0
        self._waited = 0.0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises `TooSlow`, `TooLarge`, and `BadRequest` where the sender goes away in the middle."""
        while self._more:
            began = monotonic()
            # The rate counts only what we waited for the sender: while we store a file, the sender waits for us.
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
        """Read what is left of a body that is refused: browsers and proxies do not look for an answer before they have sent theirs.

        A little is waited for; who sends far more, or slowly, is answered in the middle.
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
    """Give the request's body to be read inside. `announced` is its `Content-Length`, or "".

    Raises `TooMany` before anything is read where this sender, or all strangers together, have as many bodies on their way as they may have;
    `TooLarge` where the body announces more than it may hold.
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
