"""Test that killing a worker while it sends mails loses no mail, and repeats only the mail that it had just sent."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from portal import billing, notices
from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.settings import Settings
from tests.billing.work import NOVEMBER, log
from tests.examples import turns
from tests.faults import mailing
from tests.faults.children import CONTEXT
from tests.faults.steps import Mode
from tests.mail.sink import Server, Sink
from tests.served import free_port
from tests.world import ACME, ALAN, INCIDENT, INES, MAX, NOW

pytestmark = [pytest.mark.slow, pytest.mark.infra]
TWO = 2
"""The number of mails of a change: a reply is mailed to Alan and Ines, an invoice to Ada and the accounts address."""


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
    """Let Max reply on a new case of Alan that is assigned to Ines, and make the notices; only the reply is mailed."""
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


async def invoiced() -> billing.Invoice:
    """Issue an invoice of Acme, which is mailed to Ada and to the accounts address."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update customer set invoices_by_mail = true, email = 'accounts@acme.example' where id = $1", ACME
        )
    async with transaction(MAX):
        await billing.approve([(await log()).choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run
    async with transaction(SYSTEM) as tx:
        await tx.execute("update outbox set passed_on = true")
    async with transaction(MAX):
        return await billing.issue(run.draft_ids[0], by=MAX, at=NOW)


async def credited() -> None:
    """Credit an invoice of Acme; only the credit note is mailed."""
    invoice = await invoiced()
    async with transaction(SYSTEM) as tx:
        await tx.execute("update outbox set passed_on = true")
    async with transaction(MAX):
        await billing.issue_credit(
            invoice, billing.Chosen(everything=True), reason="Agreed.", freed=False, by=MAX, at=NOW
        )


def mailed(environment: dict[str, str], mode: Mode, step: int, said: Path) -> tuple[int, int] | None:
    """Send the mails in a child process with a fault.

    Return how many steps the child took and which step sent the first mail, or None if the child was killed.
    """
    said.unlink(missing_ok=True)
    process = CONTEXT.Process(target=mailing.run, args=(environment, NOW, mode, step, str(said)))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -9), process.exitcode
    if not said.exists():
        return None
    steps, first = map(int, said.read_text().split())
    return steps, first


async def repeated_at(
    step: int, mode: Mode, environment: dict[str, str], sink: tuple[Sink, Server], said: Path
) -> int | None:
    """Kill the worker at a step and let the next worker send the rest.

    Return how many mails were sent twice, or None if the first worker ended before that step. Assert that both mails
    were sent. A mail may be sent twice only with the same Message-ID, and only if the first worker had not recorded it
    as sent.
    """
    sink[0].messages.clear()
    before = await recorded_as_sent()
    steps = await asyncio.to_thread(mailed, environment, mode, step, said)
    accepted, recorded = len(sink[0].messages), await recorded_as_sent() - before
    assert await asyncio.to_thread(mailed, environment, mode, 0, said)
    received = Counter(message["message-id"] for message in sink[0].messages)
    assert len(received) == TWO, step
    assert received.total() - TWO == accepted - recorded <= 1, step
    assert await recorded_as_sent() - before == TWO, step
    return accepted - recorded if steps is None else None


async def recorded_as_sent() -> int:
    async with transaction(SYSTEM) as tx:
        return int(await tx.fetchval("select count(*) from outgoing_mail where state = 'sent'"))


@pytest.mark.parametrize("mode", [pytest.param("killed before", marks=pytest.mark.long), "killed after"])
async def test_a_killed_worker_forgets_no_mail_and_repeats_at_most_the_one_it_was_sending(
    mode: Mode, environment: dict[str, str], sink: tuple[Sink, Server], tmp_path: Path
) -> None:
    """R76: after SIGKILL at any statement, or around the sending of any mail, the next worker sends what is missing.

    Only a mail that the server had accepted, but that was not yet recorded as sent, is sent a second time, with the
    same Message-ID. Each day, the test kills the worker at the first mail and at ten steps that change daily; with
    `--all`, at every step.
    """
    await replied(0)
    last, first = await asyncio.to_thread(mailed, environment, mode, 0, tmp_path / "said") or (0, 0)
    assert last > 20
    repeated = 0
    for step in sorted({first, first + 1, *turns(range(1, last + 1), 10)}):
        await replied(step)
        again = await repeated_at(step, mode, environment, sink, tmp_path / "said")
        assert again is not None, f"not killed at step {step} of {last}"
        repeated += again
    assert repeated


@pytest.mark.parametrize("change", [invoiced, credited])
async def test_a_worker_that_is_killed_at_the_mail_of_an_invoice_or_a_credit_note_sends_both_mails(
    change: Callable[[], Awaitable[object]], environment: dict[str, str], sink: tuple[Sink, Server], tmp_path: Path
) -> None:
    """R76, S2.43: after SIGKILL right after the server has accepted the first mail of an invoice, both mails arrive.

    The first one arrives twice, with the same Message-ID. The same holds for a credit note.
    """
    await change()
    _, first = await asyncio.to_thread(mailed, environment, "killed after", 0, tmp_path / "said") or (0, 0)
    assert len(sink[0].messages) == TWO
    await change()
    assert await repeated_at(first, "killed after", environment, sink, tmp_path / "said") == 1
    await no_mail_waits()


@pytest.mark.long
@pytest.mark.parametrize("mode", ["killed before", "killed after"])
@pytest.mark.parametrize("change", [invoiced, credited])
async def test_a_worker_that_is_killed_at_any_statement_of_mailing_invoices_forgets_none(
    change: Callable[[], Awaitable[object]],
    mode: Mode,
    environment: dict[str, str],
    sink: tuple[Sink, Server],
    tmp_path: Path,
) -> None:
    """R76, S2.43: after SIGKILL at any statement or mail, no mail of an invoice or credit note is lost.

    Only the mail that was being sent arrives twice.
    """
    step, killed = 0, True
    while killed:
        step += 1
        await change()
        killed = await repeated_at(step, mode, environment, sink, tmp_path / "said") is not None
    assert step > 20
    await no_mail_waits()


async def no_mail_waits() -> None:
    async with transaction(SYSTEM) as tx:
        assert {row["state"] for row in await tx.fetch("select distinct state from invoice_mail")} == {"sent"}
        assert await billing.violations() == {}


async def test_two_workers_send_each_mail_once(
    environment: dict[str, str], sink: tuple[Sink, Server], tmp_path: Path
) -> None:
    """R76: if two workers run at once, each mail is sent only once, whichever worker begins the batch of the mail."""
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
