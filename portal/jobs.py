"""Work to do later: enqueued by name in the caller's transaction, so that a rollback leaves no job and a commit exactly one."""

import msgspec
from pgqueuer import AsyncpgDriver, Queries

from portal.database import current


async def enqueue(name: str, **ids: int | str) -> None:
    """Have the worker run the job `name` (`portal/worker.py`) with these ids once the transaction has committed. Jobs are idempotent."""
    queries = Queries(AsyncpgDriver(current().connection))
    await queries.enqueue(name, msgspec.json.encode(ids))
