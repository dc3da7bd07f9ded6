"""Start an embedded PostgreSQL server in a temporary folder, for one measurement."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from portal.embedded import EmbeddedPostgres


@contextmanager
def temporary_server() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """Yield a running server and a folder for further files. Afterwards, stop the server and delete the folder.

    Every account may enter the folder: if root runs the measurement, the server runs under an account without rights.
    """
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = EmbeddedPostgres(folder / "data")
        try:
            server.start()
            yield server, folder
        finally:
            server.remove()


async def copied(owner_url: str) -> str:
    """Copy the database of `owner_url`, to which nobody may be connected, and return the URL of the copy.

    Plain SQL is measured there, in turns with the product, so that both meet the same load and the same rows.
    """
    connection = await asyncpg.connect(owner_url.replace("/portal?", "/template1?"))
    await connection.execute("create database beside template portal")
    await connection.close()
    return owner_url.replace("/portal?", "/beside?")
