"""Run `portal serve` as people do: a parent with its web processes and its worker, on an existing database."""

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


def free_port() -> int:
    """Return a port on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Portal:
    """Hold a running portal; `log` has what it wrote so far on both outputs."""

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
        """Return an HTTP client, which acts like a browser without scripts."""
        return httpx.AsyncClient(base_url=self.url, timeout=30)

    async def answers(self, *, seconds: float = 30) -> bool:
        """Wait until the portal is healthy; return False where its process exits or the time is over."""
        async with self.client() as client:
            for _ in range(int(seconds * 10)):
                if self.process.returncode is not None:
                    return False
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get("/health", timeout=2)).status_code == 200:
                        return True
                await asyncio.sleep(0.1)
        return False

    async def stop(self) -> None:
        """Send SIGTERM, and wait until the process exits."""
        if self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 15)

    async def kill(self) -> None:
        """Kill the parent with SIGKILL, which ends all its children too."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def start(environment: dict[str, str], log: Path, *command: str, port: int | None = None) -> Portal:
    """Start `portal serve` (or another `command`) without waiting for it.

    `environment` is added to the variables of the tests.
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
    """Yield a healthy portal on the database of a test, with its files in `folder`."""
    environment = {"DATABASE_URL": dsn, "PORTAL_DATA": str(folder / "data"), "PORTAL_WORKERS": "1"} | more
    portal = await start(environment, folder / "portal.log")
    try:
        assert await portal.answers(), portal.said()
        yield portal
    finally:
        await portal.stop()


async def csrf(client: httpx.AsyncClient, path: str) -> str:
    """Return the CSRF token of the first form of a page."""
    return (await client.get(path)).text.split('name="csrf" value="')[1].split('"')[0]


async def sign_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    """Sign in by the form, and return the answer."""
    return await client.post(
        "/sign-in", data={"email": email, "password": password, "csrf": await csrf(client, "/sign-in")}
    )
