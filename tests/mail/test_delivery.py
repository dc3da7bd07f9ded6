"""Test delivery without a mail server, and with one that refuses, is down, hangs, disconnects or does not encrypt."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from time import monotonic

import pytest
from aiosmtpd.controller import Controller

from portal import jobs, mail
from portal.database import transaction
from portal.mail import outgoing, refusals, sending
from portal.mail.outgoing import Filter, Outgoing
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.words import MailState
from tests.mail.sink import Server, Sink
from tests.served import free_port
from tests.world import ADA, ALAN, GIL, NOW

DAY = timedelta(days=1)
CHANGED: mail.Ids = {"credential": ADA.credential_id, "at": "2026-11-20T09:00:00+00:00"}
"""The ids in the payload of the job that mails Ada that her password was changed."""


async def deliver(settings: Settings, *, job: int = 1, age: timedelta = timedelta(0), at: datetime = NOW) -> None:
    """Run the job that mails Ada that her password was changed; the job was enqueued `age` ago."""
    await mail.deliver(mail.Delivery(job, "mail_password_changed", dict(CHANGED), at - age, at), settings)


async def records(state: MailState | None = None) -> list[Outgoing]:
    async with transaction(SYSTEM, readonly=True):
        return (await outgoing.listed(Filter(state=state)))[0]


async def changed(settings: Settings) -> EmailMessage:
    message = await mail.password_changed(ADA.credential_id, datetime(2026, 11, 20, 12, tzinfo=UTC), settings, NOW)
    assert message is not None
    return message


async def test_a_mail_that_is_not_accepted_for_a_time_is_tried_again_and_given_up_in_the_end(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """R76: a mail that no server accepts is tried again for a day, and then given up with the last failure recorded.

    The logged error contains no mail address; the record, which only admins read, may contain one.
    """
    for age in (timedelta(0), DAY):
        sink[0].answers.append(f"451 4.3.0 Later, {ADA.email}")
        with pytest.raises(mail.NotSent) as failure:
            await deliver(settings, age=age)
        assert ADA.email not in str(failure.value)
    (waiting,) = await records()
    assert (waiting.state, waiting.attempts) == (MailState.WAITING, 2)
    assert waiting.reason == f"451 4.3.0 Later, {ADA.email}"
    sink[1].stop()
    sink[0].stopped = True
    with pytest.raises(mail.NotSent):
        await deliver(settings)
    await deliver(settings, age=DAY + timedelta(seconds=1))
    (lost,) = await records()
    assert (lost.state, lost.reason) == (MailState.GIVEN_UP, "The connection to the mail server failed.")
    assert sink[0].messages == []
    async with transaction(SYSTEM, readonly=True):
        assert await outgoing.lately_lost(NOW + timedelta(hours=1)) == 1


async def test_a_mail_is_sent_once_by_its_job(settings: Settings, sink: tuple[Sink, Server]) -> None:
    """R76: a job that runs again after the outcome was recorded sends nothing."""
    for _ in range(2):
        await deliver(settings)
    (got,) = sink[0].messages
    (sent,) = await records()
    assert (sent.state, sent.email, sent.name, sent.word) == (
        MailState.SENT, ADA.email, ADA.name, "A password was changed"
    )  # fmt: skip
    assert got["to"] == ADA.email


@pytest.mark.parametrize("moment", ["RCPT", "DATA"])
async def test_a_refused_address_gets_no_mail_until_somebody_says_to_try_again(
    settings: Settings, sink: tuple[Sink, Server], moment: str
) -> None:
    """If the server refuses the address permanently, mails to it stop until the recorded refusal is deleted."""
    (sink[0].answers if moment == "DATA" else sink[0].receivers).append("550 5.1.1 No such mailbox")
    await deliver(settings)
    await deliver(settings, job=2)
    assert sink[0].messages == []
    assert [record.state for record in await records()] == [MailState.REFUSED] * 2
    async with transaction(SYSTEM):
        refusal = await refusals.find(ADA.email)
        assert refusal is not None
        assert (refusal.kind, refusal.reason) == ("mail_password_changed", "550 5.1.1 No such mailbox")
        await refusals.forget(ADA.email)
    await deliver(settings, job=3)
    assert len(sink[0].messages) == 1


async def test_a_new_address_is_written_to_although_the_former_was_refused(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    sink[0].receivers.append("550 5.1.1 No such mailbox")
    await deliver(settings)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update credential set email = 'ada@new.example' where id = $1", ADA.credential_id)
    await deliver(settings, job=2)
    assert [message["to"] for message in sink[0].messages] == ["ada@new.example"]


@pytest.mark.parametrize("answer", ["554 5.7.1 Looks like spam", "550 5.7.1 Relaying denied", "552 Too large"])
async def test_a_refusal_of_the_sender_or_of_the_content_does_not_stop_other_mails(
    settings: Settings, sink: tuple[Sink, Server], answer: str
) -> None:
    """A mail whose sender or content is refused is not tried again, but no refusal of its address is recorded."""
    sink[0].answers.append(answer)
    await deliver(settings)
    assert [(record.state, record.reason) for record in await records()] == [(MailState.REFUSED, answer)]
    await deliver(settings, job=2)
    assert len(sink[0].messages) == 1


async def test_a_reset_link_is_mailed_even_to_a_refused_address(settings: Settings, sink: tuple[Sink, Server]) -> None:
    """A reset link is mailed even to a refused address; if the server accepts this mail, the address gets other mails again."""
    async with transaction(SYSTEM):
        await refusals.record(ADA.email, "mail_notices", "550 No", NOW)
    await mail.deliver(mail.Delivery(1, "mail_password_reset", {"credential": ADA.credential_id}, NOW, NOW), settings)
    assert len(sink[0].messages) == 1
    await deliver(settings, job=2)
    assert len(sink[0].messages) == 2


async def test_without_a_server_a_mail_is_kept_and_never_sent_by_itself(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """A mail that was held back (state `kept`) because there was no mail server is sent only when an admin asks for it.

    This holds even after a server was configured. Without a mail server, no link for a password reset is created.
    """
    silent = replace(settings, smtp_url=None, mail_from=None)
    await deliver(silent)
    await mail.deliver(mail.Delivery(2, "mail_password_reset", {"credential": ADA.credential_id}, NOW, NOW), silent)
    async with transaction(None, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from invitation where kind = 'reset'") == 0
    (kept,) = await records()
    assert (kept.state, kept.email) == (MailState.KEPT, ADA.email)
    await deliver(settings)
    assert sink[0].messages == []
    async with transaction(SYSTEM) as tx:
        for _ in range(2):  # The second call changes nothing.
            await outgoing.send_again(kept.id, NOW)
        assert (await jobs.state()).waiting == 1
        job = await tx.fetchval("select id from pgqueuer")
    await deliver(settings, job=job)
    assert len(sink[0].messages) == 1
    (sent,) = await records()
    assert (sent.id, sent.state) == (kept.id, MailState.SENT)


async def test_records_are_deleted_after_their_time(settings: Settings, sink: tuple[Sink, Server]) -> None:
    """The record of a mail is deleted after 30 days, unless the mail still waits; a refusal is deleted after a year."""
    sink[0].receivers += ["550 5.1.1 No", "451 Later"]
    await deliver(settings)
    async with transaction(SYSTEM):
        await refusals.forget(ADA.email)
    with pytest.raises(mail.NotSent):
        await deliver(settings, job=2)
    async with transaction(SYSTEM):
        await refusals.record(GIL.email, "mail_notices", "550 No", NOW)
        for later in (timedelta(days=29), timedelta(days=31)):
            await outgoing.delete_old(NOW + later)
            await refusals.delete_old(NOW + later)
        assert [record.state for record in (await outgoing.listed(Filter()))[0]] == [MailState.WAITING]
        assert await refusals.find(GIL.email)
        await refusals.delete_old(NOW + timedelta(days=366))
        assert await refusals.find(GIL.email) is None


async def test_contacts_see_and_lift_only_the_refusals_that_concern_them(settings: Settings) -> None:
    """R24: a contact sees which mail addresses of the customer are recorded as refused by the mail server.

    The contact can delete only the record of their own address; an administrator of the customer can delete them all.
    """
    async with transaction(SYSTEM):
        for email in (ADA.email, ALAN.email, GIL.email):
            await refusals.record(email, "mail_notices", "550 No", NOW)
    async with transaction(ALAN):
        assert set(await refusals.of_addresses([ADA.email, ALAN.email, GIL.email])) == {ADA.email, ALAN.email}
        for email in (ADA.email, GIL.email, ALAN.email):
            await refusals.forget(email)
        assert set(await refusals.of_addresses([ADA.email, ALAN.email])) == {ADA.email}
    async with transaction(SYSTEM):
        await refusals.record(ALAN.email, "mail_notices", "550 No", NOW)
    async with transaction(ADA.as_administrator()):
        for email in (ALAN.email, GIL.email):
            await refusals.forget(email)
    async with transaction(SYSTEM):
        assert set(await refusals.of_addresses([ADA.email, ALAN.email, GIL.email])) == {ADA.email, GIL.email}


async def test_a_server_whose_answer_has_no_end_is_not_waited_for_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R76: sending to a server that sends a line every 20 ms without end is stopped by the timeout for a whole mail."""
    monkeypatch.setattr(sending, "SECONDS_IN_ALL", 0.3)
    hung_up = asyncio.Event()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"220-Wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        hung_up.set()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        began = monotonic()
        with pytest.raises(mail.NotSent):
            await mail.send(await changed(settings), f"smtp://127.0.0.1:{port}")
        assert monotonic() - began < 3
        await asyncio.wait_for(hung_up.wait(), 5)


@pytest.mark.parametrize("moment", ["at the greeting", "in the middle of the mail"])
async def test_a_server_that_hangs_is_not_waited_for_for_ever(
    settings: Settings, sink: tuple[Sink, Server], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """R76: sending to a server that stops answering is aborted by the timeout for one answer, and tried again later."""
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    sink[0].hangs = moment
    with pytest.raises(mail.NotSent):
        await deliver(settings)
    assert [record.state for record in await records()] == [MailState.WAITING]
    assert sink[0].messages == []
    sink[0].hangs = ""
    await deliver(settings)
    assert len(sink[0].messages) == 1


async def test_a_server_that_goes_away_after_it_had_the_mail_gets_it_again_under_the_same_id(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """R76: if the connection breaks after the server has accepted a mail, the mail is sent again with the same Message-ID."""
    sink[0].drops = True
    with pytest.raises(mail.NotSent):
        await deliver(settings)
    sink[0].drops = False
    await deliver(settings)
    first, second = sink[0].messages
    assert first["message-id"] == second["message-id"]
    assert [record.state for record in await records()] == [MailState.SENT]


async def test_a_server_elsewhere_that_speaks_in_the_clear_gets_nothing(
    settings: Settings, sink: tuple[Sink, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on another machine that offers no STARTTLS receives neither the mail nor the password."""
    monkeypatch.setattr(sending, "LOOPBACK", frozenset())
    with pytest.raises(mail.NotSent):
        await mail.send(await changed(settings), str(settings.smtp_url).replace("://", "://user:secret@"))
    assert sink[0].messages == []
    assert sink[0].commands <= {"EHLO", "HELO", "QUIT"}


async def test_a_server_that_takes_no_such_letters_refuses_the_address_with_a_sentence(settings: Settings) -> None:
    """A server without SMTPUTF8 gets no mail to "müller@". The mail counts as refused, and the address too."""
    server = Controller(Sink(), hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=False)
    server.start()
    try:
        async with transaction(SYSTEM) as tx:
            await tx.execute("update credential set email = 'müller@acme.example' where id = $1", ADA.credential_id)
        await deliver(replace(settings, smtp_url=f"smtp://127.0.0.1:{server.port}"))
    finally:
        server.stop()
    (refused,) = await records()
    assert (refused.state, refused.reason) == (MailState.REFUSED, sending.NO_UTF8)
    async with transaction(SYSTEM, readonly=True):
        assert await refusals.find("müller@acme.example")
