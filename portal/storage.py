"""Store files in a local folder or in a bucket. This module knows keys and bytes, not the owners of files.

Keys are random, 128 bits as 32 hexadecimal digits: no part of a file's name ever becomes part of a path (R54).
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
"""The size of one chunk in bytes, and so the memory that a transfer needs, however large the file is."""

LEAST_FREE = 1_000_000_000
"""The number of bytes that must stay free on the disk of a local folder (R58)."""

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that has been stored completely. `size` is in bytes, `sha256` has the 32 bytes of its content's SHA-256."""

    key: str
    size: int
    sha256: bytes


def new_key() -> str:
    """Return a new random key.

    Commit a row with the key before you store the file, so that every file has a row (R60).
    """
    return secrets.token_hex(16)


def megabytes(octets: int) -> str:
    """Return a number of bytes as text, such as "25 MB"."""
    return f"{octets / (1024 * 1024):.3g} MB"


class Storage:
    """Stores files by key. `folder` is the local folder, or None if the files are in a bucket."""

    def __init__(self, store: Any, folder: Path | None) -> None:
        self._store = store
        self.folder = folder

    async def store(self, key: str, chunks: AsyncIterator[bytes], *, limit: int) -> Stored:
        """Store a stream of chunks under `key`. When this returns, the file survives a power failure.

        Raise `TooLarge` as soon as more than `limit` bytes have arrived, and `Full` if the disk is nearly full. If
        storing fails or is cancelled, the part of the file that was stored is deleted.
        """
        _checked(key)
        await self._refuse_full_disk()
        measured = _Measured(chunks, limit)
        try:
            await self._store.put_async(key, measured.chunks(), chunk_size=5 * 1024 * 1024)
            if self.folder is not None:
                await asyncio.to_thread(_settle, self.folder, key)
        except BaseException as error:
            # Shield the deletion: a sender who disconnects cancels this task, and the partial file would remain.
            await asyncio.shield(self.delete(key))
            if _is_out_of_room(error):
                raise Full from error
            raise
        return Stored(key, measured.size, measured.hash.digest())

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Yield the content of the file in chunks. Raise `NotFound` before the first chunk if there is no such file."""
        try:
            found = await self._store.get_async(_checked(key))
        except FileNotFoundError as error:
            raise NotFound from error
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def content(self, key: str, *, limit: int) -> bytes:
        """Return the first `limit` bytes of the file, or all if it has fewer.

        Raise `NotFound` if there is no such file.
        """
        found = bytearray()
        async for piece in self.read(key):
            found += piece
            if len(found) >= limit:
                break
        del found[limit:]
        return bytes(found)

    async def exists(self, key: str) -> bool:
        """Return whether a complete file is stored under this key."""
        try:
            await self._store.head_async(_checked(key))
        except FileNotFoundError:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Delete the file and any part of it that was stored. Do nothing if there is none."""
        with contextlib.suppress(FileNotFoundError):
            await self._store.delete_async(_checked(key))
        if self.folder is not None:
            await asyncio.to_thread(_remove_parts, self.folder, key)

    async def _refuse_full_disk(self) -> None:
        if self.folder is not None and (await asyncio.to_thread(shutil.disk_usage, self.folder)).free < LEAST_FREE:
            raise Full


def _is_out_of_room(error: BaseException) -> bool:
    """Return whether a write failed because of a full disk, a quota or a limit on file sizes.

    The errors of the storage library have the error number only in their text, so the text is searched for the number.
    """
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in numbers:
        return True
    return isinstance(error, BaseError) and any(f"(os error {number})" in str(error) for number in numbers)


class _Measured:
    """Counts and hashes the bytes of a stream while they pass, and raises `TooLarge` after `limit` bytes."""

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
    """Return the storage at this URL: a local folder (`file:///folder`), or a bucket (`s3://`, `gs://` or `az://`).

    A folder is created if needed. A bucket is opened with the provider's own environment variables. Other users must
    not be able to read the folder (R54): an empty folder is made private. Raise `CannotStart` for a folder that others
    can read and that has content, and for a folder that cannot be created or used.
    """
    if not url.startswith("file://"):
        return Storage(from_url(url), None)
    folder = Path(url.removeprefix("file://"))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_mode & 0o077:
            # The content may belong to another user, who would lose access.
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
        raise ValueError("This is not the key of a stored file.")
    return key


def _settle(folder: Path, key: str) -> None:
    """Allow only the portal to read a file, and fsync the file so that it survives a power failure (R54, R60)."""
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
