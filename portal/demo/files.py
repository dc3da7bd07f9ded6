"""Make the attachments of the demo, small screenshots and log files, and store them as the portal stores uploads."""

import hashlib
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from portal.desk.files.attachments import MAX_SIZE, announce, check_file
from portal.people.readers import Reader
from portal.storage import Storage


@dataclass(frozen=True, slots=True)
class File:
    """A stored file that is not attached to a message yet."""

    name: str
    media_type: str
    size: int
    sha256: bytes
    key: str


class DemoFiles:
    """Makes and stores the files of the demo.

    The storage keys of the files are made from consecutive numbers, so that a second attempt to fill the database
    overwrites the same files.
    """

    def __init__(self, storage: Storage, rng: Random) -> None:
        self._storage, self._rng, self._count = storage, rng, 0

    async def put(self, name: str, by: Reader, at: datetime) -> File:
        """Make and store a file with this name for a message that `by` is about to write, and return the file.

        If the name ends in `.png`, the file is a picture, otherwise a text. The upload is recorded as the portal
        records every upload.
        """
        content = picture(self._rng) if name.endswith(".png") else _text(name, at, self._rng)
        self._count += 1
        key = hashlib.sha256(b"portal demo %d" % self._count).hexdigest()[:32]
        name, media_type = check_file(name, content[:4096])
        await announce(key, by.credential_id, at)
        stored = await self._storage.store(key, _once(content), limit=MAX_SIZE)
        return File(name, media_type, stored.size, stored.sha256, key)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


WIDTH, HEIGHT = 480, 270


def picture(rng: Random) -> bytes:
    """Return a PNG image (8-bit RGB) that looks like a window with a title bar, lines of grey text and a button."""
    ground, paper, bar, ink = (208, 216, 222), (250, 251, 252), (38, 70, 83), (150, 158, 166)
    accent = rng.choice(((180, 60, 50), (20, 110, 120), (200, 140, 40)))
    rows = [bytearray(bytes(ground) * WIDTH) for _ in range(HEIGHT)]

    def box(left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int]) -> None:
        for row in rows[top:bottom]:
            row[left * 3 : right * 3] = bytes(colour) * (right - left)

    box(60, 40, 420, 230, paper)
    box(60, 40, 420, 62, bar)
    box(84, 84, 116, 116, accent)
    for line in range(5):
        box(136, 86 + line * 18, 136 + rng.randrange(120, 260), 94 + line * 18, ink)
    box(320, 194, 396, 216, accent)
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(raw, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


TEXTS = {
    "offer.txt": "Offer\n\nA  Laptop 14 inches, 1.2 kg, with docking station   1,180.00 EUR\nB  Laptop 15 inches, 1.7 kg   1,040.00 EUR\n",
    "addresses.txt": "Support access comes from:\n192.0.2.14\n192.0.2.15\n",
    "columns.txt": "Number; date; customer; net; VAT rate; VAT; gross; due on\n",
    "bounce.txt": "Your message was not delivered.\nReason given by the other side: 550 5.7.1 rejected by policy\n",
}
"""The content of text files that are not logs, by file name."""

LINES = (
    "INFO  session started",
    "INFO  keys renewed",
    "WARN  no answer after 5000 ms, trying again",
    "WARN  queue is longer than 200",
    "ERROR connection closed by the other side",
    "ERROR file is in use: \\\\FS-02\\scans\\inbox",
    "INFO  session ended",
    "INFO  next try in 60 s",
)


def _text(name: str, at: datetime, rng: Random) -> bytes:
    if name in TEXTS:
        return TEXTS[name].encode()
    lines, moment = [], at - timedelta(hours=rng.randrange(1, 20))
    for _ in range(rng.randrange(40, 160)):
        moment += timedelta(seconds=rng.randrange(1, 90))
        lines.append(f"{moment:%Y-%m-%d %H:%M:%S} {rng.choice(LINES)}\n")
    return "".join(lines).encode()
