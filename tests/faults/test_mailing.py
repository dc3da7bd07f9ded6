"""Test that a worker that is killed while it mails notices forgets no mail, and repeats one only if it had just sent it."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import notices
from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.settings import Settings
from tests.faults import mailing
from tests.faults.children import CONTEXT
from tests.faults.steps import Mode
from tests.mail.sink import Server, Sink
from tests.served import free_port
from tests.world import ALAN, INCIDENT, INES, MAX, NOW

pytestmark = [pytest.mark.slow, pytest.mark.infra]
TWO = 2
"""How many people are mailed of one reply: Alan, whose case it is, and Ines, who has it."""


@pytest.fixture
def sink() -> Iterator[tuple[Sink, Server]]:
    kept = Sink()
    server = Server(kept, free_port())
    server.start()
    yield kept, server
    server.stop()


@pytest.fixture
def environment(settings: Settings, sink: tuple[Sink, Server]) -> dict[str, str]:
    return settings.as_environment() | {"PORTAL_SMTP_URL": f"smtp://127.0.0.1:{sink[1].port}"}


async def replied(number: int) -> None:
    """Let Max reply on a new case of Alan that Ines has, and make the notices of it; only the reply is mailed."""
    async with transaction(INES):
        case = await Case.open(
            by=INES, subject=f"VPN {number}", text="It drops.", case_type_id=INCIDENT, contact_id=ALAN.id, at=NOW
        )
        await case.take(by=INES, at=NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update outbox set passed_on = true")
    async with transaction(MAX):
        await case.reply(by=MAX, text="We look.", at=NOW)
    async with transaction(SYSTEM):
        await notices.pass_on(NOW)


def mailed(environment: dict[str, str], mode: Mode, step: int, said: Path) -> int | None:
    """Send the mails in a child process with a fault. Return the number of its steps, or None if it was killed."""
    said.unlink(missing_ok=True)
    process = CONTEXT.Process(target=mailing.run, args=(environment, NOW, mode, step, str(said)))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -9), process.exitcode
    return int(said.read_text()) if said.exists() else None


async def recorded_as_sent() -> int:
    async with transaction(SYSTEM) as tx:
        return int(await tx.fetchval("select count(*) from outgoing_mail where state = 'sent'"))


@pytest.mark.parametrize("mode", [pytest.param("killed before", marks=pytest.mark.long), "killed after"])
async def test_a_killed_worker_forgets_no_mail_and_repeats_at_most_the_one_it_was_sending(
    mode: Mode, environment: dict[str, str], sink: tuple[Sink, Server], tmp_path: Path
) -> None:
    """R76: SIGKILL at any statement, or before or after the sending of any mail.

    The next worker sends what is missing. A mail that the server had accepted, but that was not yet recorded as sent, is
    sent once more under the same Message-ID; no other is.
    """
    step, repeated = 0, 0
    while True:
        step += 1
        await replied(step)
        sink[0].messages.clear()
        before = await recorded_as_sent()
        steps = await asyncio.to_thread(mailed, environment, mode, step, tmp_path / "said")
        accepted, recorded = len(sink[0].messages), await recorded_as_sent() - before
        assert await asyncio.to_thread(mailed, environment, mode, 0, tmp_path / "said")
        received = Counter(message["message-id"] for message in sink[0].messages)
        assert len(received) == TWO, step
        assert received.total() - TWO == accepted - recorded <= 1, step
        repeated += accepted - recorded
        assert await recorded_as_sent() - before == TWO, step
        if steps is not None:
            break
    assert step > 20
    assert repeated


async def test_two_workers_send_each_mail_once(
    environment: dict[str, str], sink: tuple[Sink, Server], tmp_path: Path
) -> None:
    """R76: of two workers that run at once, one sends each mail, whichever begins its batch."""
    for number in range(6):
        await replied(number)
    with (tmp_path / "worker.log").open("wb") as log:
        workers = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "portal", "worker"), env=os.environ | environment, stdout=log, stderr=log
            )
            for _ in range(2)
        ]
    try:
        for _ in range(600):
            if len(sink[0].messages) >= 6 * TWO:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    finally:
        for worker in workers:
            worker.terminate()
            await asyncio.wait_for(worker.wait(), 10)
    received = Counter(message["message-id"] for message in sink[0].messages)
    assert (len(received), received.total()) == (6 * TWO, 6 * TWO)
