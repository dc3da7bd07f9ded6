"""Make the file of a timesheet in a child process that writes it to a temporary file (`child.py`)."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO

import msgspec
import structlog

from portal.errors import TooMany, Unavailable
from portal.reports.child import Order
from portal.storage import CHUNK

log = structlog.get_logger("portal.reports")

MOST_AT_ONCE = 2
"""The maximum number of child processes that one process runs at the same time."""
WITHIN = 60.0
"""The timeout in seconds for a file that a request waits for."""
LONGEST_ERROR = 2_000

Progress = Callable[[int], Awaitable[None]]


class _Running:
    """The number of child processes that this process is running."""

    count = 0


def is_busy() -> bool:
    """Return whether this process is already making `MOST_AT_ONCE` files."""
    return _Running.count >= MOST_AT_ONCE


async def make(order: Order, *, within: float = WITHIN, progress: Progress | None = None) -> IO[bytes]:
    """Return a temporary file with the timesheet that `order` describes, open at its beginning; the caller closes it.

    The file has no name, so it disappears when it is closed. `progress` is awaited with the number of time entries that
    have been read so far. Raise `TooMany` if this process is already making `MOST_AT_ONCE` files. Raise `Unavailable`
    if the child process fails, or takes more than `within` seconds and is therefore killed.
    """
    if is_busy():
        raise TooMany("Other files are being made at this moment. Try again in a minute.", retry_after=30)
    _Running.count += 1
    file = tempfile.TemporaryFile()  # noqa: SIM115 (closed below, or by the caller)
    try:
        await _write(order, file, within, progress)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    finally:
        _Running.count -= 1
    return file


async def _write(order: Order, file: IO[bytes], within: float, progress: Progress | None) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "portal.reports.child", stdin=asyncio.subprocess.PIPE, stdout=file, stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "DATABASE_"))},
    )  # fmt: skip
    try:
        async with asyncio.timeout(within):
            error = await _follow(process, msgspec.json.encode(order), progress)
    except TimeoutError:
        raise Unavailable("This file takes too long. Choose fewer days, or try again later.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        log.error("a file could not be made", layout=order.layout, format=order.format, error=error)
        raise Unavailable("The file could not be made at the moment. Try again in a minute.")


async def _follow(process: asyncio.subprocess.Process, order: bytes, progress: Progress | None) -> str:
    """Send the order to the child process, report its progress until it ends, and return its error message, or "".

    The message is the end of what the child process printed to standard error besides the progress.
    """
    if process.stdin is None or process.stderr is None:
        raise RuntimeError("the child process was started without pipes")
    error = ""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(order)
        await process.stdin.drain()
        process.stdin.close()
    async for line in process.stderr:
        text = line.decode(errors="replace")
        if text.strip().isdigit():
            if progress:
                await progress(int(text))
        else:
            error = (error + text)[-LONGEST_ERROR:]
    await process.wait()
    return error


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield the rest of the file in chunks, and close it. Reading does not block the event loop."""
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


def size_of(file: IO[bytes]) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size
