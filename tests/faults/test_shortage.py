"""Test shortages: no free database connection, a full disk, stalled clients.

Each request gets a response, and no data are lost.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from portal import database
from portal.billing import violations
from portal.database import transaction
from portal.embedded import EmbeddedPostgres
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.faults.children import Children
from tests.faults.test_kills import Person, Site, patiently
from tests.faults.verbs import a_case, reply_with_files
from tests.served import csrf, served, sign_in, start
from tests.world import ADA, INES, PASSWORD, cast_rows

pytestmark = [pytest.mark.slow, pytest.mark.infra]


async def test_without_a_free_connection_every_request_soon_gets_503(app: Gate, dsn: str) -> None:
    """R84: while no database connection is free, each of 30 requests soon gets 503 instead of hanging.

    Requests are answered again once the connections are free.
    """
    await database.stop()
    await database.start(dsn, role="portal_app", size=2)
    async with await Browser.of(app, INES) as browser:
        release = asyncio.Event()

        async def hold() -> None:
            async with transaction(SYSTEM):
                await release.wait()

        holders = [asyncio.create_task(hold()) for _ in range(2)]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        answers = await asyncio.gather(*(browser.get("/agent/cases") for _ in range(30)))
        assert time.monotonic() - began < 3 * database.ACQUIRE_SECONDS
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
        release.set()
        await asyncio.gather(*holders)
        assert {(await browser.get("/agent/cases")).status_code for _ in range(5)} == {200}


async def test_a_file_for_which_there_is_no_room_is_refused_and_the_text_comes_back(children: Children) -> None:
    """R58, R60: if the disk is full, Ada's reply with a file gets 507, and its text is kept as a draft.

    No part of the file stays on the disk, and sending the form again saves the reply.
    """
    prepared = await reply_with_files()
    told = children.send(prepared, largest_file=20_000)
    assert told["status"] == 507, told
    assert await prepared.done() == 0
    assert [path for path in (children.folder / "data" / "files").rglob("*") if path.is_file()] == []
    async with transaction(ADA) as tx:  # The text is kept as a draft.
        assert prepared.about in await tx.fetchval("select fields::text from draft")
    assert children.send(prepared)["status"] == 303
    assert await prepared.done() == 1
    await children.all_is_well()


@pytest.mark.long
async def test_a_half_sent_form_holds_no_connection(dsn: str, tmp_path: Path) -> None:
    """R83: half-sent forms and files hold no database connection: with a pool of one, other requests get a response."""
    async with served(dsn, tmp_path, PORTAL_POOL_SIZE="1") as portal, portal.client() as client:
        await sign_in(client, ADA.email, PASSWORD)
        token, cookie = await csrf(client, "/cases/new"), client.cookies["sid"]
        boundary = "b" * 20
        half = (
            f"POST /cases/new HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nCookie: sid={cookie}\r\nContent-Length: 900000\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
            f'--{boundary}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{token}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="client.log"\r\n\r\n'
        ).encode() + b"08:12 started\n" * 1000
        slow = [await asyncio.open_connection("127.0.0.1", portal.port) for _ in range(20)]
        for _, writer in slow:
            writer.write(half)
            await writer.drain()
        await asyncio.sleep(0.5)
        assert {(await client.get("/cases")).status_code for _ in range(10)} == {200}
        for _, writer in slow:
            writer.close()
    async with transaction(ADA) as tx:
        assert await tx.fetchval("select count(*) from cases") == 0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a file system of 150 MB and yield its folder; skip the test unless it runs as root and may mount."""
    folder = Path(tempfile.mkdtemp(prefix="portal-small-", dir="/tmp"))
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", "size=150m,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("nobody here may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
async def on_a_small_disk(small_disk: Path, tmp_path: Path) -> AsyncIterator[Site]:
    """Yield a served portal whose database lies on the small file system and its stored files elsewhere."""
    (tmp_path / "files").mkdir(mode=0o700)
    environment = {
        "PORTAL_DATA": str(small_disk), "PORTAL_STORAGE_URL": f"file://{tmp_path}/files", "PORTAL_WORKERS": "1",
        "PORTAL_LOG_LEVEL": "info",
    }  # fmt: skip
    portal = await start(environment, tmp_path / "portal.log")
    try:
        assert await portal.answers(seconds=60), portal.said()
        owner = EmbeddedPostgres(small_disk).found_running()
        assert owner is not None
        connection = await asyncpg.connect(owner)
        await connection.execute(cast_rows())
        await connection.close()
        await database.start(owner, role="portal_app", size=2)
        yield Site(portal, tmp_path, tmp_path / "history")
    finally:
        await database.stop()
        await portal.stop()


@pytest.mark.long
async def test_a_full_disk_of_the_database_loses_nothing_that_was_acknowledged(
    on_a_small_disk: Site, small_disk: Path
) -> None:
    """R94: when the database's disk becomes full, Ada's replies get 503 or no response; all acknowledged replies exist.

    Once the disk has space again, she can reply.
    """
    site = on_a_small_disk
    ada = await Person(site, ADA).sign_in()
    number = await a_case()
    path, acknowledged, refused = f"/cases/{number}/replies", [], 0
    async with ada.client() as client:
        token = await csrf(client, f"/cases/{number}")
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            free = shutil.disk_usage(small_disk).free
            file.write(b"\0" * max(0, free - 12_000_000))
        for _ in range(1200):
            marker = uuid.uuid4().hex
            text = marker + "".join(uuid.uuid4().hex for _ in range(900))
            try:
                answer = await client.post(path, data={"csrf": token, "form_key": str(uuid.uuid4()), "body": text})
            except httpx.HTTPError:
                refused += 1
            else:
                if answer.status_code == 303:
                    acknowledged.append(marker)
                else:
                    assert answer.status_code == 503, (answer.status_code, answer.text[-500:])
                    refused += 1
            if refused >= 5:
                break
    assert refused >= 5
    assert len(acknowledged) > 5
    filler.unlink()
    assert await site.portal.answers(seconds=90), site.portal.said()[-3000:]

    async def there() -> set[str]:
        async with transaction(SYSTEM) as tx:
            return {row["marker"] for row in await tx.fetch("select left(text, 32) as marker from message")}

    found = await patiently(there)
    assert set(acknowledged) <= found
    async with transaction(SYSTEM):
        assert await violations() == {}
    marker = uuid.uuid4().hex
    await ada.do(f"/cases/{number}", path, marker, "select count(*) from message where text = $1", {"body": marker})
    assert marker in await patiently(there)
