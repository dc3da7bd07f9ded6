"""Test the page with the state of the system: health checks, failed jobs, and what an admin does about them."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from portal import jobs
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.storage import open_storage
from portal.web.gate import Gate
from portal.web.monitoring.health import checks
from tests.browser import Browser
from tests.places import failed_job
from tests.world import NOOR, NOW


async def held() -> int:
    async with transaction(SYSTEM):
        return await failed_job()


async def status_of(job: int) -> str | None:
    async with transaction(SYSTEM) as tx:
        found: str | None = await tx.fetchval("select status::text from pgqueuer where id = $1", job)
        return found


async def found(storage_url: str, at: datetime) -> dict[str, bool]:
    async with transaction(SYSTEM, readonly=True):
        return {check.name: check.well for check in await checks(open_storage(storage_url), await jobs.state(), at)}


async def now() -> datetime:
    async with transaction(SYSTEM) as tx:
        at: datetime = await tx.fetchval("select clock_timestamp()")
        return at


async def test_a_failed_job_is_shown_with_its_kind_of_error_and_run_again_once(app: Gate) -> None:
    """R93: Noor sees a failed job with its kind of error. Retrying the job twice enqueues it once.

    Once the job is enqueued, a request to discard it changes nothing.
    """
    job = await held()
    async with await Browser.of(app, NOOR) as noor:
        page = (await noor.get("/agent/setup/system")).text
        assert "Mail that a password was changed" in page
        assert "NotSent" in page
        for _ in range(2):
            answer = await noor.send_form(f"/agent/setup/failed-jobs/{job}/retry")
            assert (answer.status_code, answer.headers["location"]) == (303, "/agent/setup/system")
            assert await status_of(job) == "queued"
        await noor.send_form(f"/agent/setup/failed-jobs/{job}/removal")
        assert await status_of(job) == "queued"  # an enqueued job is not discarded


async def test_a_failed_job_is_discarded_and_its_end_is_kept(app: Gate) -> None:
    """R93: Noor discards a failed job: its row is deleted, and the log of jobs keeps its entries.

    Discarding the job again is harmless. Retrying a job that does not exist gets 404.
    """
    job = await held()
    async with await Browser.of(app, NOOR) as noor:
        for _ in range(2):
            assert (await noor.send_form(f"/agent/setup/failed-jobs/{job}/removal")).status_code == 303
            assert await status_of(job) is None
        assert "None has failed." in (await noor.get("/agent/setup/system")).text
        assert (await noor.send_form("/agent/setup/failed-jobs/999999/retry")).status_code == 404
    async with transaction(SYSTEM) as tx:
        log = await tx.fetchval("select array_agg(status::text order by id) from pgqueuer_log where job_id = $1", job)
    assert log == ["queued", "failed", "deleted"]


async def test_what_is_not_well_is_said(dsn: str, tmp_path: Path) -> None:
    at = await now()
    assert await found(f"file://{tmp_path}", at) == {
        "Database": True, "Schema": True, "Files": True, "Worker": False, "Clock": True, "Mail": True,
    }  # fmt: skip
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into pgqueuer_schedules (expression, entrypoint, last_run) values ('* * * * *', $1, now() - interval '1 minute')",
            jobs.EACH_MINUTE,
        )
    well = await found(f"file://{tmp_path}", at + timedelta(seconds=30))
    assert (well["Worker"], well["Clock"]) == (True, False)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update pgqueuer_schedules set last_run = now() - interval '4 minutes'")
    assert not (await found(f"file://{tmp_path}", at))["Worker"]


@pytest.mark.parametrize("missing", [True, False])
async def test_a_schema_that_is_older_or_newer_than_the_code_is_said(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    from portal.database.schema import migration_names

    known = migration_names()
    other = known | {"2099-01-01T0000"} if missing else known - {max(known)}
    monkeypatch.setattr("portal.web.monitoring.health.migration_names", lambda: other)
    assert not (await found(f"file://{tmp_path}", NOW))["Schema"]
