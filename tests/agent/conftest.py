"""Fixtures for the tests of the agents' pages: signed-in browsers and one case."""

from collections.abc import AsyncIterator

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.people.readers import Reader
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import Browser
from tests.world import ADA, INCIDENT, INES, MAX, NOOR


@pytest.fixture
async def case(dsn: str) -> Case:
    """Return a new case of the type Incident that Ada of Acme opened, with the service Helpdesk."""
    async with transaction(ADA):
        return await Case.open(
            by=ADA,
            subject="VPN drops every 20 minutes",
            text="Since **Tuesday**.",
            case_type_id=INCIDENT,
            priority=3,
            at=now(),
        )


async def _signed_in(app: Gate, reader: Reader) -> AsyncIterator[Browser]:
    """Yield a browser in which `reader` is signed in; the session begins at the present instant of the app's clock."""
    async with await Browser.of(app, reader, at=app.clock()) as browser:
        yield browser


@pytest.fixture
async def ines(app: Gate) -> AsyncIterator[Browser]:
    async for browser in _signed_in(app, INES):
        yield browser


@pytest.fixture
async def max_(app: Gate) -> AsyncIterator[Browser]:
    async for browser in _signed_in(app, MAX):
        yield browser


@pytest.fixture
async def noor(app: Gate) -> AsyncIterator[Browser]:
    async for browser in _signed_in(app, NOOR):
        yield browser


@pytest.fixture
async def ada(app: Gate) -> AsyncIterator[Browser]:
    async for browser in _signed_in(app, ADA):
        yield browser
