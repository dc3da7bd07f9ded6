"""The attack with bodies that never end, on a served portal and behind the nginx configuration of docs/ (T10)."""

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.served import csrf, served, sign_in
from tests.test_production import nginx_configuration
from tests.world import ADA, PASSWORD

pytestmark = pytest.mark.long

SECONDS = 40
"""How long an attack goes on: longer than any single wait of the portal or of nginx."""
EVERY = 5.0
"""A byte so often keeps each single wait short."""


AGAIN = 10.0
"""Seconds after which a connection that was closed is opened again: the attack holds connections, and is no flood of requests."""


class Attacker:
    """`count` connections from one address of 127.0.0.0/8. Each sends the head of a request, then a byte every `EVERY` seconds; one that
    is closed is opened again after `AGAIN`."""

    def __init__(self, address: str, count: int, port: int, head: bytes, trusts: ssl.SSLContext | None = None) -> None:
        self.address, self.count, self.port, self.head, self.trusts = address, count, port, head, trusts
        self.opened = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Attacker":
        self.tasks = [asyncio.create_task(self._hold(number / self.count)) for number in range(self.count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _hold(self, share: float) -> None:
        """`share`, from 0 to 1, spreads the connections over time."""
        await asyncio.sleep(3 * share)
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._once()
            await asyncio.sleep(AGAIN * (0.5 + share))

    async def _once(self) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(self.address, 0), ssl=self.trusts,
            server_hostname="localhost" if self.trusts else None,
        )  # fmt: skip
        try:
            self.opened += 1
            writer.write(self.head)
            while not reader.at_eof():
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        while await reader.read(65536):
                            pass
                writer.write(b"a")
        finally:
            writer.close()


def head(path: str, host: str, cookie: str = "") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 900",
        *([f"Cookie: {cookie}"] if cookie else []),
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\nemail=").encode()


async def slowest_page(client: httpx.AsyncClient, *, seconds: float) -> tuple[int, float]:
    """How many pages somebody else looked at meanwhile, each in a new connection, and how many seconds the slowest took."""
    slowest, seen, until = 0.0, 0, monotonic() + seconds
    while monotonic() < until:
        for path in ("/", "/cases", "/cases/new"):
            began = monotonic()
            answer = await client.get(path, headers={"connection": "close"})
            assert answer.status_code == 200, (path, answer.status_code)
            slowest, seen = max(slowest, monotonic() - began), seen + 1
        await asyncio.sleep(0.2)
    return seen, slowest


@asynccontextmanager
async def behind_nginx(folder: Path, port: int, upstream: int) -> AsyncIterator[ssl.SSLContext]:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert nginx, "There is no nginx: on Debian, apt-get install nginx-light"
    configuration = nginx_configuration(folder, port, [upstream])
    proxy = await asyncio.create_subprocess_exec(nginx, "-p", str(folder), "-c", str(configuration))
    await asyncio.sleep(0.5)
    try:
        yield ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
    finally:
        proxy.terminate()
        await proxy.wait()


async def test_eleven_hundred_half_sent_sign_ins_stop_nobody(dsn: str, tmp_path: Path) -> None:
    """T10: without a proxy, with the cookie that lets a sign-in form be read, so that its body is waited for."""
    async with served(dsn, tmp_path) as portal, portal.client() as ada, portal.client() as visitor:
        assert (await sign_in(ada, ADA.email, PASSWORD)).status_code == 303
        await csrf(visitor, "/sign-in")
        cookie = "; ".join(f"{one.name}={one.value}" for one in visitor.cookies.jar)
        host = portal.url.removeprefix("http://")
        async with Attacker("127.0.0.2", 1_100, portal.port, head("/sign-in", host, cookie)) as attacker:
            await asyncio.sleep(3)
            seen, slowest = await slowest_page(ada, seconds=SECONDS)
            assert (seen > 50, slowest < 0.5) == (True, True), (seen, slowest, attacker.opened)
            assert attacker.opened >= 1_100
            other = await sign_in(visitor, "gil@globex.example", PASSWORD)
            assert other.status_code == 303


@pytest.mark.parametrize("path", ["/invitations/x", "/sign-in", "/cases/new"])
async def test_slow_posts_from_seven_addresses_stop_nobody_behind_nginx(dsn: str, tmp_path: Path, path: str) -> None:
    """T10: 7 addresses with 190 slow posts each, through the configuration that docs/ gives."""
    from tests.served import free_port

    port = free_port()
    base, nginx_folder = f"https://localhost:{port}", tmp_path / "nginx"
    nginx_folder.mkdir()
    async with (
        served(dsn, tmp_path, PORTAL_BASE_URL=base, PORTAL_TRUSTED_PROXIES="127.0.0.1", PORTAL_WORKERS="2") as portal,
        behind_nginx(nginx_folder, port, portal.port) as trusts,
        httpx.AsyncClient(base_url=base, verify=trusts, timeout=30) as ada,
        contextlib.AsyncExitStack() as attack,
    ):
        assert (await sign_in(ada, ADA.email, PASSWORD)).status_code == 303
        hostile = ssl.create_default_context(cafile=str(nginx_folder / "fullchain.pem"))
        attackers = [
            await attack.enter_async_context(
                Attacker(f"127.0.0.{n}", 190, port, head(path, f"localhost:{port}"), hostile)
            )
            for n in range(2, 9)
        ]
        await asyncio.sleep(5)
        seen, slowest = await slowest_page(ada, seconds=SECONDS)
        assert (seen > 50, slowest < 0.5) == (True, True), (seen, slowest, [one.opened for one in attackers])
        assert sum(one.opened for one in attackers) >= 7 * 190
