"""Test what only a served portal can show: a response that comes while the upload is still being sent."""

import asyncio
import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from portal.database import transaction
from portal.people.access import sessions
from tests.world import ADA

pytestmark = pytest.mark.slow

BOUNDARY = b"the-boundary"


async def cookie_of_ada() -> str:
    async with transaction(None):
        token = await sessions.begin(ADA.credential_id, address="-", browser="-", at=datetime.now(UTC))
    return f"Cookie: sid={token}\r\n"


async def csrf(site: str, cookie: str) -> str:
    reader, writer = await asyncio.open_connection(urlsplit(site).hostname, urlsplit(site).port)
    writer.write(
        f"GET /no-such-page HTTP/1.1\r\nHost: {urlsplit(site).netloc}\r\nConnection: close\r\n{cookie}\r\n".encode()
    )
    page = (await reader.read()).decode()
    writer.close()
    found = re.search(r"X-CSRF-Token[^:]*: *(?:&#34;|\")([0-9a-f.]+)", page)
    assert found, page
    return found[1]


async def test_a_file_over_the_limit_is_answered_while_it_is_still_being_sent(site: str) -> None:
    """R58: a file over 25 MB gets 413 long before its declared 400 MB have been sent, and nothing of it is kept."""
    cookie = await cookie_of_ada()
    token = await csrf(site, cookie)
    reader, writer = await asyncio.open_connection(urlsplit(site).hostname, urlsplit(site).port)
    head = b"".join(
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
        for name, value in ((b"csrf", token.encode()), (b"address", b"/cases/new"), (b"text", b"typed before"))
    )
    head += b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="files"; filename="big.log"\r\n\r\n'
    writer.write(
        f"POST /drafts HTTP/1.1\r\nHost: {urlsplit(site).netloc}\r\n{cookie}Content-Length: {400 * 1024 * 1024}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n".encode()
        + head
    )
    answer = asyncio.create_task(reader.readline())
    sent = 0
    while not answer.done() and sent < 100:
        writer.write(b"a line of a log that goes on and on\n" * 29127)  # This is about 1 MB.
        sent += 1
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    assert b" 413 " in await answer
    assert sent < 80
    writer.close()
    async with transaction(ADA, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from attachment") == 0
