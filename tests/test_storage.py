"""Test that files are stored completely or not at all, under random keys, in a folder that others cannot read."""

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from portal import storage
from portal.errors import Full, NotFound, TooLarge
from portal.settings import CannotStart
from portal.storage import Storage, new_key, open_storage


@pytest.fixture
def store(files: Path) -> Storage:
    return open_storage(f"file://{files}")


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(store: Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key)])


def remove(folder: Path) -> None:
    folder.rmdir()


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_stream_comes_back_as_it_was_with_its_size_and_hash(store: Storage) -> None:
    content = os.urandom(700_000)
    stored = await store.store(new_key(), pieces(content[:300_000], b"", content[300_000:]), limit=1_000_000)
    assert (stored.size, stored.sha256) == (700_000, hashlib.sha256(content).digest())
    assert await store.exists(stored.key)
    assert await read(store, stored.key) == content


async def test_the_folder_is_ours_alone_and_no_file_can_be_run(store: Storage, files: Path) -> None:
    """R54: the storage folder has mode 0700, and its files have mode 0600 and random names."""
    remove(files)
    store = open_storage(f"file://{files}")
    stored = await store.store(new_key(), pieces(b"#!/bin/sh"), limit=100)
    assert mode(files) == 0o700
    assert mode(files / stored.key) == 0o600
    assert len(stored.key) == 32


def test_a_folder_that_others_use_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """R54: a storage folder that others can read is refused and left as it is, or gets the mode 0700 if it is empty."""
    shared, empty = tmp_path / "shared", tmp_path / "empty"
    for folder in (shared, empty):
        folder.mkdir()
        folder.chmod(0o755)
    (shared / "theirs.txt").write_text("of somebody else")
    with pytest.raises(CannotStart, match="others may look into"):
        open_storage(f"file://{shared}")
    assert mode(shared) == 0o755
    open_storage(f"file://{empty}")
    assert mode(empty) == 0o700
    with pytest.raises(CannotStart, match="cannot be used"):
        open_storage(f"file://{shared / 'theirs.txt'}")


@pytest.mark.parametrize("size", [101, 12_000_000])
async def test_a_file_over_the_limit_is_stopped_on_its_way_and_leaves_nothing(
    store: Storage, files: Path, size: int
) -> None:
    """R58: a file over the limit is stopped while it arrives, and nothing of it stays on the disk.

    The larger of the two limits is above the size of the buffer, so that a part of the file was already written.
    """
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b"x" * 65_536

    with pytest.raises(TooLarge, match="at most"):
        await store.store(new_key(), endless(), limit=size - 1)
    assert sent < size + 65_536 * 4
    assert left(files) == []


async def test_a_file_of_exactly_the_limit_is_kept(store: Storage) -> None:
    assert (await store.store(new_key(), pieces(b"x" * 100), limit=100)).size == 100


async def test_a_sender_that_breaks_off_or_goes_away_leaves_nothing(store: Storage, files: Path) -> None:
    """R60: if the sender stops or disconnects, no part of the file stays on the disk."""

    async def breaks() -> AsyncIterator[bytes]:
        yield b"x" * 12_000_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.store(new_key(), breaks(), limit=50_000_000)

    started = asyncio.Event()

    async def hangs() -> AsyncIterator[bytes]:
        yield b"x" * 12_000_000
        started.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(store.store(new_key(), hangs(), limit=50_000_000))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(files) == []


async def test_a_deleted_file_is_gone_and_deleting_again_is_harmless(store: Storage) -> None:
    stored = await store.store(new_key(), pieces(b"x"), limit=1)
    await store.delete(stored.key)
    await store.delete(stored.key)
    assert not await store.exists(stored.key)
    with pytest.raises(NotFound):
        await read(store, stored.key)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 31, "A" * 32, "a" * 32 + "\n", "a" * 32 + "/b"])
async def test_what_is_no_key_is_never_a_path(store: Storage, key: str) -> None:
    """R54: a text that is not a storage key is never used as a path."""
    for attempt in (store.exists(key), store.delete(key), read(store, key)):
        with pytest.raises(ValueError, match="not the key of a stored file"):
            await attempt


async def test_a_disk_that_is_nearly_full_takes_no_more_files(
    store: Storage, monkeypatch: pytest.MonkeyPatch, files: Path
) -> None:
    """R58: while less than 1 GB of the disk is free, files are refused."""
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: SimpleNamespace(free=999_999_999))
    with pytest.raises(Full, match="no room"):
        await store.store(new_key(), pieces(b"x"), limit=1)
    assert left(files) == []
