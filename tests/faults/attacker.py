"""Attack a portal with slow POST requests from a separate process, which takes no CPU time from the measuring process.

Usage: `python -m tests.faults.attacker PORT COUNT CERTIFICATE ADDRESS...`. The head of the HTTP request is read from
standard input. The attack lasts until standard input is closed; the number of connections opened is then printed.
"""

import asyncio
import contextlib
import ssl
import sys

EVERY = 5.0
"""The seconds between two bytes of a body. docs/nginx.conf allows 15, but only 5 for forms that strangers send."""
AGAIN = 10.0
"""The average seconds until a closed connection is opened again: the attack holds connections and does not flood."""


class Attacker:
    """An attack with `count` connections from each of the local IP addresses `addresses`.

    Each connection sends the head of a request, and then one byte of the body every `EVERY` seconds. `trusts` is the
    TLS context, None for plain HTTP.
    """

    def __init__(self, port: int, count: int, trusts: ssl.SSLContext | None, addresses: list[str], head: bytes) -> None:
        self.port, self.count, self.trusts, self.addresses, self.head = port, count, trusts, addresses, head
        self.opened = 0

    async def attack(self) -> None:
        """Keep all connections open until this coroutine is cancelled."""
        await asyncio.gather(
            *(self._hold(address, number / self.count) for address in self.addresses for number in range(self.count))
        )

    async def _hold(self, address: str, share: float) -> None:
        """Keep one connection open: open it again whenever it is closed.

        `share` (0 to 1) spreads the connections over time.
        """
        await asyncio.sleep(3 * share)
        while True:
            with contextlib.suppress(OSError, ssl.SSLError):
                await self._once(address)
            await asyncio.sleep(AGAIN * (0.5 + share))

    async def _once(self, address: str) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address, 0), ssl=self.trusts,
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


async def main(port: str, count: str, certificate: str, *addresses: str) -> None:
    head = sys.stdin.buffer.readline().decode("unicode_escape").encode()
    trusts = ssl.create_default_context(cafile=certificate) if certificate else None
    attacker = Attacker(int(port), int(count), trusts, list(addresses), head)
    attack = asyncio.create_task(attacker.attack())
    await asyncio.to_thread(sys.stdin.buffer.read)
    attack.cancel()
    sys.stdout.write(f"{attacker.opened}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
