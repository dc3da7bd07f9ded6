"""Begin and send the mails of notices and invoices in a child process, which a fault may kill."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from portal import database, mail
from portal.database import transaction
from portal.mail import delivery, sending
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.worker import begin_mails, pass_all_on
from tests.faults.steps import FAULT, Mode, install

SENT: list[int] = []
"""The steps at which this process sent mails."""


def run(environment: dict[str, str], at: datetime, mode: Mode, step: int, said: str) -> None:
    """Pass on the outbox, begin the mails that are due, and run their jobs as the worker does, with a fault.

    `mode` is the fault, and `step` the number of its step; 0 means no fault. Sending a mail is a step too. `at` is the
    present instant. If the process is not killed, it writes to the file `said` how many steps there were and which step
    sent the first mail.
    """
    install()
    send = sending.send

    async def counted_send(*args: object) -> None:
        FAULT.before()
        SENT.append(FAULT.seen)
        await send(*args)  # type: ignore[arg-type]
        FAULT.after()

    delivery.send = counted_send  # type: ignore[assignment, attr-defined]
    asyncio.run(_run(Settings.from_environment(environment), at, mode, step, said))


async def _run(settings: Settings, at: datetime, mode: Mode, step: int, said: str) -> None:
    await database.start(str(settings.app_url), role="portal_app", size=2)
    FAULT.mode, FAULT.at, FAULT.armed, FAULT.seen = mode, step, True, 0
    await pass_all_on(at)
    await begin_mails(at)
    while job := await _next_job():
        ids = msgspec.json.decode(job["payload"], type=mail.Ids)
        await mail.deliver(mail.Delivery(job["id"], job["entrypoint"], ids, job["created"], at), settings)
        async with transaction(SYSTEM) as tx:
            await tx.execute("delete from pgqueuer where id = $1", job["id"])
    with open(said, "w") as file:  # noqa: ASYNC230 (a test)
        file.write(f"{FAULT.seen} {SENT[0] if SENT else 0}")
    await database.stop()


async def _next_job() -> Any:
    async with transaction(SYSTEM, readonly=True) as tx:
        return await tx.fetchrow("select id, entrypoint, payload, created from pgqueuer order by id limit 1")
