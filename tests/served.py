"""Run `portal serve` on an existing database, as in production: a parent process, its web processes and its worker."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent

UNREACHABLE = (httpx.HTTPError, AttributeError)
"""What httpx raises while the portal does not respond.

The `AttributeError` comes from anyio, which httpx uses. Anyio raises it when it reads the peer name of a socket that
was closed because the process at the other end was killed.
"""


def free_port() -> int:
    """Return a TCP port on which nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Portal:
    """A running portal. The file `log` contains what it has written to standard output and standard error."""

    url: str
    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def said(self) -> str:
        return self.log.read_text()

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client that keeps cookies and requests paths of this portal."""
        return httpx.AsyncClient(base_url=self.url, timeout=30)

    async def answers(self, *, seconds: float = 30) -> bool:
        """Wait until /health responds with 200 and return True. Return False if the process exits or after `seconds`."""
        async with self.client() as client:
            for _ in range(int(seconds * 10)):
                if self.process.returncode is not None:
                    return False
                with contextlib.suppress(*UNREACHABLE):
                    if (await client.get("/health", timeout=2)).status_code == 200:
                        return True
                await asyncio.sleep(0.1)
        return False

    async def stop(self) -> None:
        """Send SIGTERM to the parent process, and wait until it exits."""
        if self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 15)

    async def kill(self) -> None:
        """Kill the parent process with SIGKILL, which ends its child processes too."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def start(environment: dict[str, str], log: Path, *command: str, port: int | None = None) -> Portal:
    """Start `portal serve`, or another `command`, and return it without waiting until it responds.

    `environment` is added to the environment variables of the tests.
    """
    port = port or free_port()
    given = {"PORTAL_ENVIRONMENT": "test", "PORTAL_BASE_URL": f"http://127.0.0.1:{port}"} | environment
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "portal", *(command or ("serve", "--port", str(port))), env=os.environ | given, cwd=ROOT,
            stdout=file, stderr=file,
        )  # fmt: skip
    return Portal(f"http://127.0.0.1:{port}", given, log, process)


@asynccontextmanager
async def served(dsn: str, folder: Path, **more: str) -> AsyncIterator[Portal]:
    """Yield a running portal that uses the database `dsn` and keeps its files and its log in `folder`.

    `more` are additional environment variables.
    """
    environment = {"DATABASE_URL": dsn, "PORTAL_DATA": str(folder / "data"), "PORTAL_WORKERS": "1"} | more
    portal = await start(environment, folder / "portal.log")
    try:
        assert await portal.answers(), portal.said()
        yield portal
    finally:
        await portal.stop()


async def csrf(client: httpx.AsyncClient, path: str) -> str:
    """Load the page `path` and return the CSRF token of its first form."""
    return (await client.get(path)).text.split('name="csrf" value="')[1].split('"')[0]


async def sign_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    """Send the form of the sign-in page, and return the response."""
    return await client.post(
        "/sign-in", data={"email": email, "password": password, "csrf": await csrf(client, "/sign-in")}
    )
