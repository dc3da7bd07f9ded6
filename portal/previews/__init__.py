"""Render uploaded images and pages of PDF files as new images, each in a child process with limits (R59).

Browsers receive only such a rendering, as WebP, never the uploaded file (R56).
"""

import asyncio
import contextlib
import sys
from asyncio import AbstractEventLoop, Semaphore
from collections.abc import AsyncIterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from portal.errors import Unavailable
from portal.previews import child

WITHIN = 20.0
"""The timeout in seconds for one rendering, not including the wait for its turn."""
LONGEST_WAIT = 10.0
"""The number of seconds a rendering waits for its turn before it is refused."""
MOST_AT_ONCE = 2
"""The maximum number of child processes at the same time; further renderings wait for their turn."""
MOST_BYTES = 4_000_000
"""The maximum size of a rendered image in bytes, which the database checks too."""
MEDIA_TYPE = "image/webp"

_turns: WeakKeyDictionary[AbstractEventLoop, Semaphore] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def turn() -> AsyncIterator[None]:
    """Wait until this process may render another file. Raise `Unavailable` after `LONGEST_WAIT`.

    Read the file within the turn, so that no more than `MOST_AT_ONCE` files are in memory.
    """
    turns = _turns.setdefault(asyncio.get_running_loop(), Semaphore(MOST_AT_ONCE))
    try:
        await asyncio.wait_for(turns.acquire(), LONGEST_WAIT)
    except TimeoutError:
        raise Unavailable("Many files are being drawn at this moment. Try again.") from None
    try:
        yield
    finally:
        turns.release()


class CannotDraw(ValueError):
    """The file cannot be rendered: it is damaged, too large, needs a password, or is of another kind."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A rendered image: its content as WebP, its size in pixels, and the number of pages of the file, 1 for an image."""

    content: bytes
    width: int
    height: int
    pages: int


async def draw_picture(content: bytes, side: int) -> Drawing:
    """Return the image in `content` as a new image no larger than `side` pixels each way.

    Call this within a `turn`. Raise `CannotDraw` if the image cannot be rendered, and `Unavailable` if rendering takes
    too long.
    """
    return await _draw("picture", content, side, 1)


async def draw_page(content: bytes, side: int, number: int) -> Drawing:
    """Return the page `number`, counted from 1, of the PDF in `content` as an image of at most `side` pixels each way.

    Call this within a `turn`. Raise `CannotDraw` if the page cannot be rendered, for example because it does not exist,
    and `Unavailable` if rendering takes too long.
    """
    return await _draw("pdf", content, side, number)


async def _draw(kind: str, content: bytes, side: int, number: int) -> Drawing:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", child.__file__, kind, str(side), str(number),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"}, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(WITHIN):
            answer, _ = await process.communicate(content)
    except TimeoutError:
        # The limit on CPU time ends a child whose file takes too much of it, so here the machine is busy.
        raise Unavailable("This takes too long at the moment. Try again.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    head, found, drawn = answer.partition(b"\n")
    if process.returncode != 0 or not found or not 0 < len(drawn) <= MOST_BYTES:
        raise CannotDraw
    width, height, pages = (int(part) for part in head.split())
    return Drawing(drawn, width, height, pages)
