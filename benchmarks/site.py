"""Start the servers to measure, with as many workers as in production, and read their processor time and memory."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from portal.embedded import EmbeddedPostgres, place

ROOT = Path(__file__).parent.parent
_STATEMENT = re.compile(
    r"LOG:  (?:execute [^:]+|statement): *+(?!BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET LOCAL)", re.IGNORECASE
)


class Site:
    """A running web server and its database server. `log` is the log file of the database server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, database: EmbeddedPostgres, log: Path) -> None:
        self.process, self.port, self.database, self.log = process, port, database, log

    def cpu(self) -> tuple[float, float]:
        """Return how many seconds of processor time the web processes and the database processes have used so far."""
        return _used(self.process.pid), _used(self.database.pid or 0)

    def memory_mb(self) -> float:
        """Return the memory of all web processes together in MB, as proportional set size (PSS)."""
        web = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return sum(process.memory_full_info().pss for process in web) / 1e6

    def statements_since(self, position: int) -> int:
        """Return the number of SQL statements in the log after byte `position`, without BEGIN, COMMIT and the like."""
        return len(_STATEMENT.findall(self.log.read_bytes()[position:].decode(errors="replace")))


def _used(pid: int) -> float:
    total = 0.0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


@contextlib.contextmanager
def served(app: str, database: EmbeddedPostgres, data: Path, *, workers: int = 2) -> Iterator[Site]:
    """Serve the ASGI app with the import path `app` on this database for the duration of the block.

    Wait until `/health` responds, and yield the site. After 300 failed attempts, yield the site all the same.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PORTAL_ENVIRONMENT": "test",
        "PORTAL_DATA": str(data),
        "PORTAL_BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_OWNER_URL": database.url(),
        "FLOOR_DATABASE_URL": database.url(),
    }
    command = [sys.executable, "-m", "portal.serving", app, "127.0.0.1", str(port), str(workers)]
    with (data / "log").open("wb") as said:  # The server writes a log line for each request, as in production.
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=said)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            time.sleep(0.1)
        folder = place.known_folder(data)
        yield Site(process, port, database, folder.with_name(f"{folder.name}.log"))
    finally:
        process.terminate()
        process.wait(10)
