"""Carry out the job of a billing run in a child process, which a fault may kill."""

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import asyncpg

from portal import database
from portal.settings import Settings
from portal.storage import open_storage
from portal.worker import queue
from tests.faults.steps import FAULT, Mode, install


def run(environment: dict[str, str], run_id: int, at: datetime, mode: Mode, step: int, said: str) -> None:
    """Carry out the job of the billing run `run_id` as the worker does, with the fault `mode` at the step `step`.

    A step of 0 means no fault. If the process is not killed, it writes the number of its steps to the file `said`.
    """
    install()
    asyncio.run(_run(environment, run_id, at, mode, step, said))


async def _run(environment: dict[str, str], run_id: int, at: datetime, mode: Mode, step: int, said: str) -> None:
    settings = Settings.from_environment(environment)
    await database.start(str(settings.app_url), role="portal_app", size=2)
    connection = await asyncpg.connect(str(settings.app_url))
    jobs: Any = queue(connection, settings, open_storage(settings.storage_url))
    job = SimpleNamespace(id=1, entrypoint="bill", payload=f'{{"run": {run_id}}}'.encode(), created=at, attempts=0)
    FAULT.mode, FAULT.at, FAULT.armed, FAULT.seen = mode, step, True, 0
    await jobs.qm.entrypoint_registry["bill"].parameters.func(job)
    with open(said, "w") as file:  # noqa: ASYNC230 (a test)
        file.write(str(FAULT.seen))
    await connection.close()
    await database.stop()
