"""A case of the customer Acme on which tests log time."""

from types import SimpleNamespace

import pytest

from portal.database import transaction
from tests.world import ACME, INES, NOW


@pytest.fixture
async def case(dsn: str) -> SimpleNamespace:
    """Insert a case of the type Incident with the contact Ada and the service Helpdesk.

    Return an object with its id, number, customer, type and service.
    """
    async with transaction(INES) as tx:
        row = await tx.fetchrow(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, service_id, opened_at, updated_at)"
            " values ($1, 1, 'VPN drops', 1, 3, 'new', 1, $2, $2) returning id, number, customer_id, case_type_id, service_id",
            ACME, NOW,
        )  # fmt: skip
    return SimpleNamespace(**dict(row))
