"""Send HTTP/1.1 requests over persistent connections with little processor time, to leave the rest to the server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import brotli


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response. `wire` is the length of its body in bytes as it was sent, before decompression."""

    status: int
    headers: dict[str, str]
    body: bytes
    wire: int


class Connection:
    """A connection that sends the cookies of one person to the server. The first request opens the connection."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port, self.cookie = port, cookie
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> Answer:
        """Send one request and return the response, with a Brotli body decompressed.

        A response without chunks and without Content-Length counts as a response without a body.
        """
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        assert self.reader is not None
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\nAccept-Encoding: gzip, br\r\n"
        if method == "POST":
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)
        await self.writer.drain()
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        if "chunked" in headers.get("transfer-encoding", ""):
            content = b""
            while size := int(await self.reader.readline(), 16):
                content += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            content = await self.reader.readexactly(int(headers.get("content-length", 0)))
        wire = len(content)
        if headers.get("content-encoding") == "br":
            content = brotli.decompress(content)
        return Answer(int(lines[0].split()[1]), headers, content, wire)

    async def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            await self.writer.wait_closed()


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a measurement: all latencies in seconds, in ascending order, and the total time in seconds."""

    latencies: list[float]
    seconds: float

    @property
    def rps(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile_ms(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] * 1000


async def measure(
    flow: Callable[[Connection], Awaitable[None]], connections: list[Connection], *, seconds: float, most: int
) -> Measured:
    """Run `flow` on all connections at the same time for `seconds`, or until it has run `most` times.

    Before that, each connection runs `flow` once as a warm-up that is not measured.
    """
    latencies: list[float] = []
    left = most

    async def run(connection: Connection) -> None:
        nonlocal left
        while left > 0 and time.perf_counter() < end:
            left -= 1
            began = time.perf_counter()
            await flow(connection)
            latencies.append(time.perf_counter() - began)

    for connection in connections:
        await flow(connection)
    began = time.perf_counter()
    end = began + seconds
    await asyncio.gather(*(run(connection) for connection in connections))
    return Measured(sorted(latencies), time.perf_counter() - began)
