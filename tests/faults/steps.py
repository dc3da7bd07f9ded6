"""Kill this process, or cut its database connection, at a chosen step: an SQL statement or the moving of a file.

The product has no code for this: the test process wraps the database driver and the file storage.
"""

import os
import signal
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg

from portal import storage

Mode = Literal["killed before", "killed after", "connection lost before", "connection lost after"]


@dataclass
class Fault:
    """A fault of the kind `mode` at the step with the number `at`; 0 means no fault.

    Steps are counted in `seen`, from 1, only while `armed` is True.
    """

    mode: Mode
    at: int
    armed: bool = False
    seen: int = 0

    def before(self, connection: Any = None) -> None:
        """Count a step that begins, and cause the fault if it is due before this step."""
        if self.armed:
            self.seen += 1
            if self.seen == self.at and self.mode.endswith("before"):
                self.happen(connection)

    def after(self, connection: Any = None) -> None:
        """Cause the fault if it is due after the step that has just ended, before the caller gets the step's result."""
        if self.armed and self.seen == self.at and self.mode.endswith("after"):
            self.happen(connection)

    def happen(self, connection: Any) -> None:
        """Kill this process with SIGKILL, or cut the connection and raise the driver's error, as `mode` says."""
        if self.mode.startswith("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if connection is not None:
            self.armed = False
            connection.terminate()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


FAULT = Fault("killed before", 0)


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A database connection on which each statement counts as a step at which the fault can happen."""

    async def execute(self, *args: Any, **options: Any) -> Any:
        FAULT.before(self)
        done = await super().execute(*args, **options)
        FAULT.after(self)
        return done

    async def executemany(self, *args: Any, **options: Any) -> Any:
        FAULT.before(self)
        done = await super().executemany(*args, **options)
        FAULT.after(self)
        return done

    async def fetch(self, *args: Any, **options: Any) -> Any:
        FAULT.before(self)
        done = await super().fetch(*args, **options)
        FAULT.after(self)
        return done

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        FAULT.before(self)
        done = await super().fetchrow(*args, **options)
        FAULT.after(self)
        return done

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        FAULT.before(self)
        done = await super().fetchval(*args, **options)
        FAULT.after(self)
        return done


def install() -> None:
    """Replace the driver's connection class and wrap the file storage of this process, so that they count steps.

    At the step with the number `FAULT.at`, they cause the fault.
    """
    create_pool, settle = asyncpg.create_pool, storage._settle

    def counted_pool(*args: Any, **options: Any) -> Any:
        return create_pool(*args, connection_class=Connection, **options)

    def counted_settle(*args: Any) -> None:
        FAULT.before()
        settle(*args)
        FAULT.after()

    asyncpg.create_pool = counted_pool
    storage._settle = counted_settle
