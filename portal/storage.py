"""Where files lie: a local folder, or a bucket by its URL. Knows keys and bytes; whose a file is, is the desk's matter.

Keys are random, 128 bits as 32 hexadecimal digits: nothing of a file's name ever becomes part of a path (R54, T9).
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from portal.errors import Full, NotFound, TooLarge
from portal.settings import CannotStart

CHUNK = 256 * 1024
"""Bytes handed on at once; what a transfer needs in memory, however large the file."""

LEAST_FREE = 1_000_000_000
"""Bytes that stay free on the disk of a local folder (R58)."""

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is wholly there: its key, its size in bytes and the SHA-256 (32 bytes) of its content."""

    key: str
    size: int
    sha256: bytes


def new_key() -> str:
    """A key that nobody can guess; to be announced before anything is stored under it (R60)."""
    return secrets.token_hex(16)


def megabytes(octets: int) -> str:
    """A limit in words."""
    return f"{octets / (1024 * 1024):.3g} MB"


class Storage:
    """Files by key. `folder` is the local folder, or None where the files lie in a bucket."""

    def __init__(self, store: Any, folder: Path | None) -> None:
        self._store = store
        self.folder = folder

    async def store(self, key: str, chunks: AsyncIterator[bytes], *, limit: int) -> Stored:
        """Keep a stream under `key`; on return it is on the disk for good.

        Raises `TooLarge` as soon as more than `limit` bytes came, and `Full` where the disk nearly is. Whatever interrupts
        the stream, nothing of it stays.
        """
        _checked(key)
        await self._refuse_full_disk()
        measured = _Measured(chunks, limit)
        try:
            await self._store.put_async(key, measured.chunks(), chunk_size=5 * 1024 * 1024)
            if self.folder is not None:
                await asyncio.to_thread(_settle, self.folder, key)
        except BaseException as error:
            # Shielded: a sender that goes away cancels this task, and the rest would stay.
            await asyncio.shield(self.delete(key))
            if _is_out_of_room(error):
                raise Full from error
            raise
        return Stored(key, measured.size, measured.hash.digest())

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The file's bytes in pieces. Raises `NotFound` before the first one if there is no such file."""
        try:
            found = await self._store.get_async(_checked(key))
        except FileNotFoundError as error:
            raise NotFound from error
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def content(self, key: str, *, limit: int) -> bytes:
        """Return at most `limit` bytes from the beginning of the file. Raise `NotFound` if there is none."""
        found = b""
        async for piece in self.read(key):
            found += piece
            if len(found) >= limit:
                break
        return found[:limit]

    async def exists(self, key: str) -> bool:
        """Whether the file is wholly there."""
        try:
            await self._store.head_async(_checked(key))
        except FileNotFoundError:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove the file and anything half-written of it; one that is not there is fine."""
        with contextlib.suppress(FileNotFoundError):
            await self._store.delete_async(_checked(key))
        if self.folder is not None:
            await asyncio.to_thread(_remove_parts, self.folder, key)

    async def _refuse_full_disk(self) -> None:
        if self.folder is not None and (await asyncio.to_thread(shutil.disk_usage, self.folder)).free < LEAST_FREE:
            raise Full


def _is_out_of_room(error: BaseException) -> bool:
    """Whether the disk, a quota or a limit on the size of files refused. The store's own errors only quote the system's."""
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in numbers:
        return True
    return isinstance(error, BaseError) and any(f"(os error {number})" in str(error) for number in numbers)


class _Measured:
    """Counts and hashes a stream on its way, and stops it at the limit."""

    def __init__(self, source: AsyncIterator[bytes], limit: int) -> None:
        self.source, self.limit = source, limit
        self.size, self.hash = 0, hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self.source:
            self.size += len(chunk)
            if self.size > self.limit:
                raise TooLarge(f"A file may have at most {megabytes(self.limit)}. Send a smaller one.")
            self.hash.update(chunk)
            yield chunk


def open_storage(url: str) -> Storage:
    """`file:///folder` (made if it is not there), or `s3://`, `gs://`, `az://` with the provider's own variables.

    Nobody else may look into the folder (R54): an empty one is closed to others, raises `CannotStart` for one that has content and is open.
    """
    if not url.startswith("file://"):
        return Storage(from_url(url), None)
    folder = Path(url.removeprefix("file://"))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_mode & 0o077:
            # What is in it may be somebody else's, who would be shut out.
            if any(folder.iterdir()):
                raise CannotStart(
                    f"PORTAL_STORAGE_URL: others may look into {folder}. Use a folder of its own, mode 0700."
                )
            folder.chmod(0o700)
    except OSError as error:
        raise CannotStart(f"PORTAL_STORAGE_URL: {folder} cannot be used: {error.strerror}.") from error
    return Storage(LocalStore(folder), folder)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("This is no key of a stored file.")
    return key


def _settle(folder: Path, key: str) -> None:
    """Only the portal may read it, nobody may run it, and it survives a loss of power (R54, R60)."""
    path = folder / key
    path.chmod(0o600)
    for place in (path, folder):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_parts(folder: Path, key: str) -> None:
    for part in folder.glob(f"{key}#*"):
        part.unlink(missing_ok=True)
