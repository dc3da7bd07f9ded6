"""Test that `portal backup` and `portal restore` copy all data, as of one instant, to another server (R95)."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from portal import database
from portal.database import transaction
from portal.embedded import EmbeddedPostgres
from portal.people.access import credentials
from portal.people.readers import SYSTEM
from portal.storage import open_storage
from tests.desk.files import upload
from tests.places import furnished
from tests.world import ADA, NOW, PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.infra]

EVERYTHING = "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1"
CONTENT = """
select (select array_agg(sha256(content) order by sha256(content)) from document) as documents,
       (select array_agg(key || encode(sha256, 'hex') order by id) from attachment) as files
"""


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Yield a folder that the account of the embedded server can read."""
    folder = Path(tempfile.mkdtemp(prefix="portal-backup-"))
    folder.chmod(0o755)
    yield folder
    EmbeddedPostgres(folder / "data").remove()
    shutil.rmtree(folder)


async def portal(*command: str | Path, **environment: str) -> tuple[int, str]:
    """Run a `portal` command, and return its exit status and the last line of its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "portal", *map(str, command)),
        env=os.environ | {"PORTAL_ENVIRONMENT": "test"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, (said.decode().splitlines() or [""])[-1]


async def counts(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        return {
            row["table_name"]: await connection.fetchval(f'select count(*) from "{row["table_name"]}"')
            for row in await connection.fetch(EVERYTHING)
        }
    finally:
        await connection.close()


async def content(dsn: str) -> asyncpg.Record:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchrow(CONTENT)
    finally:
        await connection.close()


async def test_a_restore_drill(dsn: str, elsewhere: Path) -> None:
    """R95, S3.46: a backup restored on another server is complete and consistent, and people can sign in there.

    Files of unsent forms and of timesheets are not in the backup, and the restored database does not list them.
    """
    here, backup, data = elsewhere / "here", elsewhere / "backup", elsewhere / "data"
    storage = open_storage(f"file://{here}/files")
    await furnished(storage, NOW)
    await upload(storage, ADA, "unsent.log", at=NOW)
    before, documents = await counts(dsn), await content(dsn)
    source = {"DATABASE_OWNER_URL": dsn, "PORTAL_DATA": str(here)}
    status, said = await portal("backup", backup, **source)
    assert (status, said) == (0, f"The database and 5 files are in {backup}.")
    assert {oct(path.stat().st_mode & 0o777) for path in backup.rglob("*") if path.is_file()} == {"0o600"}
    assert [name for name in os.listdir(elsewhere) if name.startswith(".")] == []

    status, said = await portal("restore", backup, "--data", data)
    assert status == 0, said
    assert said.endswith("are restored. Check them with portal verify.")
    assert (await portal("verify", "--data", data))[0] == 0
    server = EmbeddedPostgres(data)
    try:
        restored = server.start()
        assert await counts(restored) == before | {
            "audit": before["audit"] + 5,
            "export": 0,
            "upload": 0,
        }  # The restore ends a session and four links, three invitations and a password reset; each adds an audit line.
        assert await content(restored) == documents
        copies = open_storage(f"file://{data}/files")
        for key in json.loads((backup / "manifest.json").read_text())["files"]:
            assert [c async for c in copies.read(key)] == [c async for c in storage.read(key)]
        await database.stop()
        await database.start(restored, role="portal_app")
        assert await credentials.verify("ines@desk.example", PASSWORD, address="192.0.2.1", at=NOW)
        async with transaction(SYSTEM, readonly=True) as tx:
            for table in ("session", "invitation"):
                assert await tx.fetchval(f"select count(*) from {table}") > 0
                assert await tx.fetchval(f"select count(*) from {table} where ended_at is null") == 0
        await database.stop()
    finally:
        server.stop()
    status, said = await portal("restore", backup, "--data", data)
    assert (status, said) == (1, "The database is not empty: restore into a new one.")


async def test_a_backup_that_is_not_whole_is_refused_and_changes_nothing(
    dsn: str, server: str, elsewhere: Path
) -> None:
    """R95: restoring a backup that is damaged, incomplete or from a newer portal is refused and changes nothing.

    A second backup into the same folder is refused too.
    """
    here, backup = elsewhere / "here", elsewhere / "backup"
    await furnished(open_storage(f"file://{here}/files"), NOW)
    source = {"DATABASE_OWNER_URL": dsn, "PORTAL_DATA": str(here)}
    assert (await portal("backup", backup, **source))[0] == 0
    status, said = await portal("backup", backup, **source)
    assert (status, said) == (1, f"{backup} exists already: name a new folder for each backup.")

    target = {"DATABASE_OWNER_URL": dsn, "PORTAL_DATA": str(elsewhere / "target")}
    before = await counts(dsn)
    manifest = json.loads((backup / "manifest.json").read_text())
    key = next(iter(manifest["files"]))
    whole = (backup / "files" / key).read_bytes()
    (backup / "files" / key).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    status, said = await portal("restore", backup, **target)
    assert (status, said) == (1, f"{backup} is damaged: files/{key} is not what was backed up.")
    (backup / "files" / key).write_bytes(whole)
    (backup / "manifest.json").write_text(
        json.dumps(manifest | {"migrations": [*manifest["migrations"], "2999-01-01T0001"]})
    )
    status, said = await portal("restore", backup, **target)
    assert (status, said) == (1, "This backup was made by a newer portal: install that one first.")
    (backup / "database.dump").unlink()
    status, said = await portal("restore", backup, **target)
    assert status == 1
    assert said.startswith(f"{backup} is not a complete backup: ")
    assert await counts(dsn) == before
    assert not list((elsewhere / "target" / "files").glob("*"))


async def test_a_backup_is_not_made_of_files_that_are_lost_or_damaged(dsn: str, elsewhere: Path) -> None:
    """R95: if a stored file is missing or damaged, no backup is made."""
    here, backup = elsewhere / "here", elsewhere / "backup"
    await furnished(open_storage(f"file://{here}/files"), NOW)
    source = {"DATABASE_OWNER_URL": dsn, "PORTAL_DATA": str(here)}
    owner = await asyncpg.connect(dsn)
    stored = here / "files" / await owner.fetchval("select min(key) from attachment")
    await owner.close()
    stored.write_bytes(stored.read_bytes() + b"x")
    status, said = await portal("backup", backup, **source)
    assert (status, said) == (
        1,
        f"The file {stored.name} in the storage is not what was stored: its SHA-256 differs.",
    )
    stored.unlink()
    status, said = await portal("backup", backup, **source)
    assert (status, said) == (1, f"The file {stored.name} is named by the database and is not in the storage.")
    assert os.listdir(elsewhere) == ["here"]
