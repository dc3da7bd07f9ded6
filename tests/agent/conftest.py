"""Fixtures for the tests of the agents' pages: signed-in browsers and one case."""

from collections.abc import AsyncIterator

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import Browser
from tests.world import ADA, INCIDENT, INES, MAX


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


@pytest.fixture
async def ines(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, INES) as browser:
        yield browser


@pytest.fixture
async def max_(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, MAX) as browser:
        yield browser


@pytest.fixture
async def ada(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, ADA) as browser:
        yield browser
