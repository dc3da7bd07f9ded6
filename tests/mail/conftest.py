"""Provide a portal whose mail goes to a test server."""

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
    """Return settings with which the portal sends its mail through the sink."""
    return replace(settings, smtp_url=f"smtp://127.0.0.1:{sink[1].port}")
