"""Measure processor time besides elapsed time, because other work on the machine changes only the elapsed time."""

import contextlib
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg


@dataclass(slots=True)
class Spent:
    """Elapsed seconds, and seconds of processor time of this process and of the database."""

    passed: float = 0.0
    computing: float = 0.0

    async def add(self, work: Awaitable[Any], watched: list[int]) -> Any:
        """Await `work`, add the time it took, and return its result.

        `watched` are the process ids of database sessions. Their processor time is added to that of this process.
        """
        began, used = time.perf_counter(), _processor(watched)
        result = await work
        self.passed += time.perf_counter() - began
        self.computing += _processor(watched) - used
        return result


def _processor(watched: list[int]) -> float:
    """Return the seconds of processor time that this process and the processes `watched` (ids) have used so far."""
    for process in watched:
        with contextlib.suppress(FileNotFoundError):  # The pool may close an idle session.
            _seen[process] = int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
    return time.process_time() + sum(_seen.get(process, 0) for process in watched) / 1e9


_seen: dict[int, int] = {}
"""The nanoseconds of processor time that each process of the database had used when it was last read."""


async def sessions(connection: asyncpg.Connection) -> list[int]:
    """Return the process ids of all sessions of the database to which `connection` is connected."""
    rows = await connection.fetch(
        "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
    )
    return [row["pid"] for row in rows]
