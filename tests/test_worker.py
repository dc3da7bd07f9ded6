"""Test the worker: jobs are enqueued in the caller's transaction, and outdated rows are deleted."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from pgqueuer import RetryRequested

from portal import jobs, mail
from portal.database import transaction
from portal.errors import Unavailable
from portal.jobs import EACH_MINUTE
from portal.people.access import sessions
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.storage import open_storage
from portal.worker import FIRST_PAUSE, LONGEST_PAUSE, queue, tidy
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
    """R24: a contact cannot enqueue a job, because the worker runs jobs as the system reader."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA):
            await jobs.enqueue("tidy", case_id=1)


@pytest.mark.usefixtures("dsn")
async def test_what_nobody_needs_any_more_goes_and_the_rest_stays(files: Path) -> None:
    """The job `tidy` deletes a session that is 9 days old, a notice of 91 days, and a processed outbox row of 8 days.

    R76: an outbox row of 8 days from which no notices were made yet is kept. A second run deletes nothing more.
    """
    storage = open_storage(f"file://{files}")
    async with transaction(None):
        await sessions.begin(ADA.credential_id, address="-", browser="-", at=NOW - timedelta(days=9))
        fresh = await sessions.begin(ADA.credential_id, address="-", browser="-", at=NOW)
    async with transaction(SYSTEM) as tx:
        for at, passed_on in [(NOW, True), (NOW - timedelta(days=8), True), (NOW - timedelta(days=8), False)]:
            await tx.execute(
                "insert into outbox (kind, contact_may_know, subject_id, at, passed_on) values ('case.opened', true, 1, $1, $2)",
                at, passed_on,
            )  # fmt: skip
        for days in (89, 91):
            await tx.execute(
                "insert into notice (credential_id, kind, record_id, subject_id, at, in_app) values (1, 'case.opened', $1, 1, $2, true)",
                days, NOW - timedelta(days=days),
            )  # fmt: skip
    for _ in range(2):  # The second time there is nothing to delete.
        await tidy(storage, NOW)
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select count(*) from outbox") == 2
            assert await tx.fetchval("select array_agg(record_id) from notice") == [89]
        async with transaction(None) as tx:
            assert [row["token_hash"] for row in await tx.fetch("select token_hash from session")] == [
                sessions.hash_of(fresh)
            ]


async def test_every_job_has_words_for_who_reads_that_it_failed(dsn: str, settings: Settings, tmp_path: Path) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        known = queue(connection, settings, open_storage(f"file:{tmp_path}"))
    finally:
        await connection.close()
    assert set(known.qm.entrypoint_registry) | {EACH_MINUTE} == jobs.WORDS.keys()


@pytest.mark.parametrize("failure", [Unavailable("The database is busy."), mail.NotSent("SMTPConnectError", "No.")])
async def test_a_mail_waits_while_the_mail_server_or_the_database_is_away(
    dsn: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """R76: a job that cannot send its mail yet, because the mail server or the database is away, is run again.

    Each pause is twice as long as the one before, up to `LONGEST_PAUSE`.
    """

    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(mail, "deliver", fail)
    connection = await asyncpg.connect(dsn)
    try:
        run = (
            queue(connection, settings, open_storage(f"file:{tmp_path}"))
            .qm.entrypoint_registry["mail_notices"]
            .parameters.func
        )
        pauses = []
        for attempts in (0, 1, 100):
            job = SimpleNamespace(
                id=1, entrypoint="mail_notices", payload=b'{"batch": 1}', created=NOW, attempts=attempts
            )
            with pytest.raises(RetryRequested) as again:
                await run(job)
            pauses.append(again.value.delay)
    finally:
        await connection.close()
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, LONGEST_PAUSE]


WORKER = """
import asyncio, sys
from pathlib import Path
from portal import worker
from portal.settings import Settings

queue = worker.queue
def with_more(*given):
    jobs = queue(*given)
    @jobs.entrypoint("endless", on_failure="hold")
    async def endless(job):
        seen = Path(sys.argv[1])
        seen.write_text(seen.read_text() + "x" if seen.exists() else "x")
        await asyncio.sleep(0 if seen.read_text() == "xx" else 600)
    @jobs.entrypoint("broken", on_failure="hold")
    async def broken(job):
        raise ValueError("a marker that is nobody's business")
    return jobs
worker.queue = with_more
worker.run(Settings.from_environment())
"""


async def worker(dsn: str, tmp_path: Path) -> asyncio.subprocess.Process:
    """Start a worker that knows two more jobs: one does not end in its first run, and one always fails."""
    environment = {"PORTAL_ENVIRONMENT": "test", "DATABASE_URL": dsn, "PORTAL_DATA": str(tmp_path / "data")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, str(tmp_path / "seen")), env=os.environ | environment, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip


async def until(sql: str, *, seconds: int = 60) -> None:
    """Wait until the SQL query returns true; fail after `seconds`."""
    for _ in range(seconds * 10):
        async with transaction(SYSTEM) as tx:
            if await tx.fetchval(sql):
                return
        await asyncio.sleep(0.1)
    raise AssertionError(sql)


@pytest.mark.slow
@pytest.mark.long
async def test_a_job_whose_worker_was_killed_runs_again_and_one_that_fails_is_held(dsn: str, tmp_path: Path) -> None:
    """R91, R93: a job whose worker was killed runs again; a job that fails is kept with the name of its error.

    The log has that name too, but not the message of the error.
    """
    async with transaction(SYSTEM):
        await jobs.enqueue("endless")
        await jobs.enqueue("broken", credential=7)
    first = await worker(dsn, tmp_path)
    await until(
        "select count(*) filter (where status = 'picked') = 1 and count(*) filter (where status = 'failed') = 1 from pgqueuer"
    )
    first.kill()
    assert first.stderr is not None
    said = (await first.stderr.read()).decode()
    await first.wait()
    second = await worker(dsn, tmp_path)
    await until("select exists (select from pgqueuer_log where entrypoint = 'endless' and status = 'successful')")
    second.terminate()
    await second.communicate()
    assert (tmp_path / "seen").read_text() == "xx"
    async with transaction(SYSTEM):
        (failed,) = await jobs.failed(10)
    assert (failed.name, failed.error) == ("broken", "ValueError")
    assert '"error":"builtins.ValueError"' in said
    assert "nobody's business" not in said
