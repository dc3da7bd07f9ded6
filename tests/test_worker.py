"""The worker: jobs are enqueued with the caller's transaction, and what nobody needs any more goes."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from portal import jobs
from portal.database import transaction
from portal.people import sessions
from portal.people.readers import SYSTEM
from portal.storage import open_storage
from portal.worker import tidy
from tests.world import ADA, INES, NOW


@pytest.mark.usefixtures("dsn")
@pytest.mark.parametrize("reader", [INES, SYSTEM])
async def test_a_job_comes_with_the_commit_and_goes_with_the_rollback(reader: object) -> None:
    with pytest.raises(KeyError):
        async with transaction(reader):  # type: ignore[arg-type]
            await jobs.enqueue("tidy", case_id=1)
            raise KeyError
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from pgqueuer") == 0
    async with transaction(reader):  # type: ignore[arg-type]
        await jobs.enqueue("tidy", case_id=1)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select array_agg(entrypoint) from pgqueuer") == ["tidy"]


@pytest.mark.usefixtures("dsn")
async def test_a_contact_cannot_enqueue_a_job() -> None:
    """R24: the worker runs jobs as the system."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA):
            await jobs.enqueue("tidy", case_id=1)


@pytest.mark.usefixtures("dsn")
async def test_what_nobody_needs_any_more_goes_and_the_rest_stays(files: Path) -> None:
    storage = open_storage(f"file://{files}")
    async with transaction(None):
        await sessions.begin(ADA.credential_id, address="-", browser="-", at=NOW - timedelta(days=9))
        fresh = await sessions.begin(ADA.credential_id, address="-", browser="-", at=NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into outbox (kind, contact_may_know, subject_id, at) values ('case.opened', true, 1, $1)", NOW
        )
        await tx.execute(
            "insert into outbox (kind, contact_may_know, subject_id, at) values ('case.opened', true, 1, $1)",
            NOW - timedelta(days=8),
        )
    for _ in range(2):  # doing it again finds nothing
        await tidy(storage, NOW)
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select count(*) from outbox") == 1
        async with transaction(None) as tx:
            assert [row["token_hash"] for row in await tx.fetch("select token_hash from session")] == [
                sessions.hash_of(fresh)
            ]
