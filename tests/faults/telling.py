"""Make the notices of the outbox in a child process, which a fault may kill."""

import asyncio
from datetime import datetime

from portal import database
from portal.worker import pass_all_on
from tests.faults.steps import FAULT, Mode, install


def run(dsn: str, at: datetime, mode: Mode, step: int, said: str) -> None:
    """Make the notices of all outbox rows as the worker does, with the fault `mode` at the step `step`; 0 means no fault.

    `at` is the present instant. If the process is not killed, it writes the number of its steps to the file `said`.
    """
    install()
    asyncio.run(_run(dsn, at, mode, step, said))


async def _run(dsn: str, at: datetime, mode: Mode, step: int, said: str) -> None:
    await database.start(dsn, role="portal_app", size=2)
    FAULT.mode, FAULT.at, FAULT.armed, FAULT.seen = mode, step, True, 0
    await pass_all_on(at)
    with open(said, "w") as file:  # noqa: ASYNC230 (a test)
        file.write(str(FAULT.seen))
    await database.stop()
