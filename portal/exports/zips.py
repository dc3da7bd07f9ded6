"""Write ZIP files as a stream, in memory that does not grow with their length."""

import re
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator

import structlog

from portal.errors import NotFound

log = structlog.get_logger("portal.exports")


class Sink:
    """A write-only file object in memory, without `seek`. `take` returns and removes the bytes written so far."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing. The method exists because `zipfile` calls it."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


async def write_file(
    archive: zipfile.ZipFile, sink: Sink, name: str, key: str, chunks: AsyncIterator[bytes]
) -> AsyncGenerator[bytes, None]:
    """Add a stored file to `archive`, which writes to `sink`, as the member `name`, and yield what is written meanwhile.

    `key` is the key of the file in the storage, and `chunks` its content as `Storage.read` returns it. If the storage has no
    such file, because it was redacted after its name was read or because it is lost, the member is empty and a warning is
    logged. Close the generator before `archive` (`aclosing`), also when a download is given up.
    """
    with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as out:
        try:
            async for chunk in chunks:
                out.write(chunk)
                yield sink.take()
        except NotFound:
            log.warning("a file is missing in the storage and empty in a ZIP file", key=key)


_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


def member_name(place: int, name: str) -> str:
    """Return a safe and unique name for the file at `place` in a ZIP file, such as `007-client.log`.

    The new name is `place`, a hyphen and `name`. Because of the leading number, the file is not hidden and its name is
    not one that an operating system reserves. Unsafe characters are replaced, and a long name is cut at its start.
    """
    safe = _UNSAFE.sub("_", name).strip(". ") or "file"
    while len(safe.encode()) > 180:
        safe = safe[1:]
    return f"{place:03}-{safe}"
