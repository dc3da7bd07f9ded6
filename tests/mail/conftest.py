"""Fixtures for the tests of mail: a portal that sends its mail to a test SMTP server."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from portal.settings import Settings
from tests.mail.sink import Server, Sink
from tests.served import free_port


@pytest.fixture
def sink() -> Iterator[tuple[Sink, Server]]:
    kept = Sink()
    server = Server(kept, free_port())
    server.start()
    yield kept, server
    if not kept.stopped:
        server.stop()


@pytest.fixture
def settings(settings: Settings, sink: tuple[Sink, Server]) -> Settings:
    """Return settings with the test SMTP server as the mail server."""
    return replace(settings, smtp_url=f"smtp://127.0.0.1:{sink[1].port}")
