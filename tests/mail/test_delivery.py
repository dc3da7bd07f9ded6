"""Test delivery to a mail server that refuses, is absent, hangs, disconnects or offers no encryption."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from time import monotonic

import pytest
from pgqueuer import RetryRequested

from portal import mail
from portal.mail import sending
from portal.settings import Settings
from portal.worker import MAIL_KEPT, deliver
from tests.mail.sink import Server, Sink
from tests.world import ADA


def now() -> datetime:
    return datetime.now(UTC)


class Job:
    """A job of the queue that was enqueued `age` ago, with only the attributes that `deliver` reads."""

    def __init__(self, age: timedelta, attempts: int = 0) -> None:
        self.id, self.entrypoint, self.created, self.attempts = 1, "mail_password_changed", now() - age, attempts


async def test_a_mail_that_is_not_taken_is_tried_again_ever_more_rarely_and_given_up(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """A mail that no server accepts is tried again after growing pauses, and given up in the end (R76).

    The logged error contains no mail address.
    """
    message = await mail.password_changed(ADA.credential_id, now(), settings, now())
    assert message is not None
    sink[0].answers += ["451 Later", f"550 No {ADA.email}", "451 Later"]
    delays = []
    for attempts in (0, 1):
        with pytest.raises(RetryRequested) as again:
            await deliver(message, str(settings.smtp_url), Job(timedelta(0), attempts), until=MAIL_KEPT, at=now())  # type: ignore[arg-type]
        delays.append(again.value.delay)
        assert ADA.email not in str(again.value.reason)
    assert delays[0] < delays[1]
    with pytest.raises(mail.NotSent):
        await deliver(message, str(settings.smtp_url), Job(MAIL_KEPT + timedelta(seconds=1)), until=MAIL_KEPT, at=now())  # type: ignore[arg-type]
    sink[1].stop()
    sink[0].stopped = True
    with pytest.raises(RetryRequested):
        await deliver(message, str(settings.smtp_url), Job(timedelta(0)), until=MAIL_KEPT, at=now())  # type: ignore[arg-type]
    assert sink[0].messages == []


async def test_a_server_whose_answer_has_no_end_is_not_waited_for_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending to a server that sends a line every 20 ms without end is stopped by the timeout for the mail (R76)."""
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
    """Sending to a server that stops answering is aborted by the timeout for one answer (R76)."""
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    sink[0].hangs = moment
    with pytest.raises(mail.NotSent):
        await mail.send(await changed(settings), str(settings.smtp_url))
    assert sink[0].messages == []


async def test_a_server_that_goes_away_after_it_had_the_mail_gets_it_again_under_the_same_id(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """A mail whose connection broke after the server had taken it is sent again with the same Message-ID (R76)."""
    sink[0].drops = True
    with pytest.raises(mail.NotSent):
        await mail.send(await changed(settings), str(settings.smtp_url))
    sink[0].drops = False
    await mail.send(await changed(settings), str(settings.smtp_url))
    first, second = sink[0].messages
    assert first["message-id"] == second["message-id"]


async def test_a_server_elsewhere_that_speaks_in_the_clear_gets_nothing(
    settings: Settings, sink: tuple[Sink, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on another machine that offers no STARTTLS receives neither the mail nor the password."""
    monkeypatch.setattr(sending, "LOOPBACK", frozenset())
    with pytest.raises(mail.NotSent):
        await mail.send(await changed(settings), str(settings.smtp_url).replace("://", "://user:secret@"))
    assert sink[0].messages == []
    assert sink[0].commands <= {"EHLO", "HELO", "QUIT"}


async def changed(settings: Settings) -> EmailMessage:
    message = await mail.password_changed(ADA.credential_id, datetime(2026, 11, 20, 12, tzinfo=UTC), settings, now())
    assert message is not None
    return message
