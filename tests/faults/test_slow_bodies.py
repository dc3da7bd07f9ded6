"""Test an attack with endless request bodies on a served portal, alone and behind the nginx of docs/ (R83)."""

import asyncio
import contextlib
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.served import ROOT, csrf, free_port, served, sign_in
from tests.test_production import nginx_configuration
from tests.world import ADA, GIL, PASSWORD

pytestmark = pytest.mark.long

SECONDS = 40
"""The duration of an attack in seconds. The portal breaks off such a slow request body sooner."""
QUIET_SECONDS = 10
"""The seconds for which pages are requested before the attack, as the baseline."""


@asynccontextmanager
async def attack(
    path: str, host: str, port: int, count: int, *addresses: str, cookie: str = "", certificate: str = ""
) -> AsyncIterator[None]:
    """Hold `count` slow POST requests to `path` from each of the local IP addresses until the block ends.

    `host` is the Host header and `cookie` the Cookie header. With the path of a `certificate`, the connections use TLS.
    The block begins five seconds after the start of the attack; at its end, assert that all these connections have been
    opened.
    """
    head = f"POST {path} HTTP/1.1\\r\\nHost: {host}\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\nContent-Length: 900\\r\\n"
    head += (f"Cookie: {cookie}\\r\\n" if cookie else "") + "\\r\\nemail=\n"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.attacker", str(port), str(count), certificate, *addresses), cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(head.encode())
    await process.stdin.drain()
    await asyncio.sleep(5)
    try:
        yield
    finally:
        said, _ = await process.communicate(b"")
    assert int(said) >= count * len(addresses), said


async def slowest_page(client: httpx.AsyncClient, seconds: float) -> float:
    """Request pages for `seconds`, each on a new connection, and return the seconds that the slowest one took."""
    slowest, seen, until = 0.0, 0, monotonic() + seconds
    while monotonic() < until:
        for path in ("/", "/cases", "/cases/new"):
            began = monotonic()
            answer = await client.get(path, headers={"connection": "close"})
            assert answer.status_code == 200, (path, answer.status_code)
            slowest, seen = max(slowest, monotonic() - began), seen + 1
        await asyncio.sleep(0.2)
    assert seen > seconds, seen
    return slowest


async def assert_pages_are_quick(client: httpx.AsyncClient, quiet: float) -> None:
    """Request pages for `SECONDS` during the attack, and assert that each is answered within 500 ms.

    `quiet` is the time in seconds that the slowest page took before the attack. If it is more than 250 ms, because the
    machine is busy, a page may take twice as long during the attack.
    """
    slowest = await slowest_page(client, SECONDS)
    assert slowest < max(0.5, 2 * quiet), (slowest, quiet)


@asynccontextmanager
async def behind_nginx(folder: Path, port: int, upstream: int) -> AsyncIterator[str]:
    """Run nginx in front of the portal with the configuration of docs/; yield the path of its certificate."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert nginx, "There is no nginx: on Debian, apt-get install nginx-light"
    configuration = nginx_configuration(folder, port, [upstream])
    proxy = await asyncio.create_subprocess_exec(nginx, "-p", str(folder), "-c", str(configuration))
    await asyncio.sleep(0.5)
    try:
        yield str(folder / "fullchain.pem")
    finally:
        proxy.terminate()
        await proxy.wait()


async def test_eleven_hundred_half_sent_sign_ins_stop_nobody(dsn: str, tmp_path: Path) -> None:
    """R83: while 1,100 half-sent sign-in forms are open, Ada's pages are answered within 500 ms, and Gil can sign in.

    The forms have the visitor's cookie, so that the portal reads their bodies.
    """
    async with served(dsn, tmp_path) as portal, portal.client() as ada, portal.client() as visitor:
        assert (await sign_in(ada, ADA.email, PASSWORD)).status_code == 303
        await csrf(visitor, "/sign-in")
        cookie = "; ".join(f"{one.name}={one.value}" for one in visitor.cookies.jar)
        host = portal.url.removeprefix("http://")
        quiet = await slowest_page(ada, QUIET_SECONDS)
        async with attack("/sign-in", host, portal.port, 1_100, "127.0.0.2", cookie=cookie):
            await assert_pages_are_quick(ada, quiet)
            assert (await sign_in(visitor, GIL.email, PASSWORD)).status_code == 303


@pytest.mark.parametrize("path", ["/invitations/x", "/sign-in", "/cases/new"])
async def test_slow_posts_from_seven_addresses_stop_nobody_behind_nginx(dsn: str, tmp_path: Path, path: str) -> None:
    """R83: during 190 slow POST requests from each of 7 IP addresses through nginx, Ada's pages take at most 500 ms."""
    port, folder = free_port(), tmp_path / "nginx"
    base = f"https://localhost:{port}"
    folder.mkdir()
    addresses = [f"127.0.0.{number}" for number in range(2, 9)]
    async with contextlib.AsyncExitStack() as stack:
        environment = {"PORTAL_BASE_URL": base, "PORTAL_TRUSTED_PROXIES": "127.0.0.1", "PORTAL_WORKERS": "2"}
        portal = await stack.enter_async_context(served(dsn, tmp_path, **environment))
        certificate = await stack.enter_async_context(behind_nginx(folder, port, portal.port))
        trusts = ssl.create_default_context(cafile=certificate)
        ada = await stack.enter_async_context(httpx.AsyncClient(base_url=base, verify=trusts, timeout=30))
        assert (await sign_in(ada, ADA.email, PASSWORD)).status_code == 303
        quiet = await slowest_page(ada, QUIET_SECONDS)
        async with attack(path, f"localhost:{port}", port, 190, *addresses, certificate=certificate):
            await assert_pages_are_quick(ada, quiet)
