"""`portal serve` as people run it: a parent with its web processes and its worker, on a database that is there already."""

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
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Portal:
    """A running portal; `log` is what it said so far on both of its outputs."""

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
        """A browser without scripts."""
        return httpx.AsyncClient(base_url=self.url, timeout=30)

    async def answers(self, *, seconds: float = 30) -> bool:
        """Wait until it is well; False where its process ends or the time is up."""
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
        """SIGTERM, and the end."""
        if self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 15)

    async def kill(self) -> None:
        """kill -9 of the parent, which takes all the others with it."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def start(environment: dict[str, str], log: Path, *command: str, port: int | None = None) -> Portal:
    """`portal serve` (or another `command`) with these variables beside those of the tests; it may not be ready yet."""
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
    """A portal that is well, on the database of a test and files in `folder`."""
    environment = {"DATABASE_URL": dsn, "PORTAL_DATA": str(folder / "data"), "PORTAL_WORKERS": "1"} | more
    portal = await start(environment, folder / "portal.log")
    try:
        assert await portal.answers(), portal.said()
        yield portal
    finally:
        await portal.stop()


async def csrf(client: httpx.AsyncClient, path: str) -> str:
    """The token of the first form of a page."""
    return (await client.get(path)).text.split('name="csrf" value="')[1].split('"')[0]


async def sign_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    """By the form."""
    return await client.post(
        "/sign-in", data={"email": email, "password": password, "csrf": await csrf(client, "/sign-in")}
    )
