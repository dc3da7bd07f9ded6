"""Back up and restore the database and the files that its rows refer to, as of one instant (R95).

A backup is a folder with `database.dump` (pg_dump's own format), `files/KEY` for each attachment, and `manifest.json`
with the SHA-256 of the dump and of each file. The backup is written to a temporary folder, which is renamed when
everything is on the disk, so that an incomplete backup never looks complete. Stored files never change, and the list of
files is read in the same database snapshot that is dumped, so that files and dump belong together.
"""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from portal.database import schema
from portal.embedded import programs
from portal.errors import Full, NotFound, TooLarge
from portal.settings import CannotStart
from portal.storage import CHUNK, Storage

FORMAT = 1
MANIFEST, DUMP, FILES = "manifest.json", "database.dump", "files"


async def back_up(owner_url: str, storage: Storage, folder: Path, at: datetime) -> dict[str, Any]:
    """Create the folder `folder` with a backup, and return its manifest.

    `owner_url` is the database URL of the tables' owner. Raise `CannotStart` if the folder exists, if a file to which a
    row refers is missing from the storage or damaged, or if anything cannot be read or written.
    """
    if await asyncio.to_thread(folder.exists):
        raise CannotStart(f"{folder} exists already: name a new folder for each backup.")
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        (part / FILES).mkdir(parents=True, mode=0o700)
        part.chmod(0o700)
        connection = await asyncpg.connect(owner_url, timeout=10)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                migrations = [row["name"] for row in await connection.fetch("select name from migration order by name")]
                files = await connection.fetch("select distinct key, size, sha256 from attachment order by key")
                snapshot = await connection.fetchval("select pg_export_snapshot()")
                await _run(
                    owner_url,
                    "pg_dump",
                    "--format=custom",
                    "--no-owner",
                    f"--snapshot={snapshot}",
                    f"--file={part / DUMP}",
                )
        finally:
            await connection.close()
        for file in files:
            try:
                size, digest = await _write(part / FILES / file["key"], storage.read(file["key"]))
            except NotFound as missing:
                raise CannotStart(
                    f"The file {file['key']} is named by the database and is not in the storage."
                ) from missing
            if (size, digest) != (file["size"], file["sha256"].hex()):
                raise CannotStart(f"The file {file['key']} in the storage is not what was stored: its SHA-256 differs.")
        manifest = {
            "format": FORMAT, "at": at.isoformat(), "migrations": migrations,
            "database": await asyncio.to_thread(_digest, part / DUMP),
            "files": {file["key"]: file["sha256"].hex() for file in files},
        }  # fmt: skip
        await _write(part / MANIFEST, _once(json.dumps(manifest, indent=1).encode()))
        await asyncio.to_thread(_settle, part, folder)
    except (asyncpg.UndefinedTableError, OSError) as error:
        raise CannotStart(f"The backup was not made: {error}.") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
    return manifest


async def restore(folder: Path, owner_url: str, storage: Storage, at: datetime) -> dict[str, Any]:
    """Restore the backup in `folder` into an empty database and its storage, and return the backup's manifest.

    Raise `CannotStart`, and change nothing, if the backup is incomplete or from a newer portal, or if the database is
    not empty. The files are stored first, then the database is restored in one transaction and migrated. If a restore
    stops before that transaction has committed, it can be repeated; if it stops later, another empty database is
    needed. All sessions and all unused links for invitations and new passwords end, because a session that was ended or
    a link that was used after the backup must not work again. A backup contains neither the files of unsent forms nor
    finished files of timesheets, so the rows of these files are deleted.
    """
    manifest = await asyncio.to_thread(_checked, folder)
    known = schema.migration_names()
    newer = [name for name in manifest["migrations"] if name not in known]
    if newer:
        raise CannotStart("This backup was made by a newer portal: install that one first.")
    connection = await asyncpg.connect(owner_url, timeout=10)
    try:
        if await connection.fetchval(
            "select exists (select from pg_class c where c.relnamespace = 'public'::regnamespace)"
        ):
            raise CannotStart("The database is not empty: restore into a new one.")
        for key, digest in manifest["files"].items():
            try:
                stored = await storage.store(key, _pieces(folder / FILES / key), limit=2**63)
            except (Full, TooLarge) as full:
                raise CannotStart("There is no room for the files of this backup.") from full
            if stored.sha256.hex() != digest:
                raise CannotStart(f"The file {key} changed while it was read.")
        await connection.execute(schema.ROLES)
        await _run(owner_url, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", str(folder / DUMP))
        async with connection.transaction():
            await connection.execute("update session set ended_at = $1 where ended_at is null", at)
            await connection.execute("update invitation set ended_at = $1 where ended_at is null", at)
            # A backup contains no files of unsent forms and no files of timesheets. A job that was writing a file of a
            # timesheet writes it again.
            await connection.execute("delete from upload")
            await connection.execute("delete from export where ended_at is not null")
    finally:
        await connection.close()
    await schema.migrate(owner_url)
    return manifest


async def _run(owner_url: str, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, such as pg_dump, on the database with the URL `owner_url`.

    The password is passed in the environment, because other users of the machine can see arguments (R86). If the
    program fails, raise `CannotStart` with its error message.
    """
    url = urlsplit(owner_url)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PGSSL")}
    if url.password:
        environment["PGPASSWORD"] = unquote(url.password)
        url = url._replace(netloc=url.netloc.replace(f":{url.password}@", "@", 1))
    command = [str(programs() / program), f"--dbname={urlunsplit(url)}", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (
            [line for line in done.stderr.splitlines() if "error: " in line]
            or done.stderr.splitlines()
            or ["it said nothing"]
        )
        raise CannotStart(f"{program} failed: {said[0].rpartition('error: ')[2]}")


def _checked(folder: Path) -> dict[str, Any]:
    """Check every file of a backup, and return its manifest.

    Raise `CannotStart` if a file is missing or damaged, or if the format of the backup is unknown.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        if manifest["format"] != FORMAT:
            raise CannotStart(f"{folder} has a format that this portal does not know.")
        parts = {DUMP: manifest["database"]} | {f"{FILES}/{key}": digest for key, digest in manifest["files"].items()}
        damaged = [name for name, digest in parts.items() if _digest(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotStart(f"{folder} is not a complete backup: {error}.") from error
    if damaged:
        raise CannotStart(f"{folder} is damaged: {damaged[0]} is not what was backed up.")
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
    """Write the chunks to a new file that only its owner may read, fsync it, and return its size and its SHA-256.

    The size is in bytes, the SHA-256 in hexadecimal digits.
    """
    size, digest = 0, hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
            size += len(chunk)
            digest.update(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return size, digest.hexdigest()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, CHUNK):
            yield piece


def _settle(part: Path, folder: Path) -> None:
    """Fsync the finished backup and rename its temporary folder to its final name."""
    (part / DUMP).chmod(0o600)
    for place in (part / DUMP, part / FILES, part):
        _sync(place)
    part.rename(folder)
    _sync(folder.parent)


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
