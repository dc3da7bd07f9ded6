"""Write ZIP files as a stream, in memory that does not grow with their length."""

import re


class Sink:
    """A write-only file object that keeps the written bytes until `take` returns them. It has no position."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing, because nothing is buffered. `zipfile` calls this method."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


def member_name(place: int, name: str) -> str:
    """Return a safe and unique name for the file at `place` in a ZIP file, such as `007-client.log`.

    It begins with the number, so that it is neither hidden nor a name that an operating system reserves, and ends as
    `name` does.
    """
    safe = _UNSAFE.sub("_", name).strip(". ") or "file"
    while len(safe.encode()) > 180:
        safe = safe[1:]
    return f"{place:03}-{safe}"
