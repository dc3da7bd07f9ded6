"""Test the files of timesheets over HTTP: short ones are served at once, long ones are made by a job with progress."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from portal.agent.timesheets import exporting
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.reports import files
from portal.settings import Settings
from portal.storage import Storage, open_storage
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.places import furnished
from tests.world import INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/timesheets"
TODAY = NOW.date()


@pytest.mark.parametrize(
    ("format", "media_type", "begins"),
    [
        ("csv", "text/csv", b"\xef\xbb\xbfAgent,Department,Day"),
        ("xlsx", exporting.TYPES["xlsx"], b"PK"),
        ("xml", "application/xml", b"<?xml"),
    ],
)
async def test_a_timesheet_is_served_as_a_file(max_: Browser, format: str, media_type: str, begins: bytes) -> None:
    """S2.36, S2.37, D55: Max gets the filtered timesheet as a file in each format; the audit log records the format."""
    async with transaction(SYSTEM):
        await log(50, on=TODAY)
    page = (await max_.get(f"{PATH}?state=submitted")).text
    link = re.search(rf'href="(/agent/timesheets\.{format}\?[^"]+layout=payroll)"', page)
    assert link
    assert "state=submitted" in link[1]
    answer = await max_.get(link[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert f"timesheet-payroll-2026-11-01-2026-11-20.{format}" in answer.headers["content-disposition"]
    assert answer.content.startswith(begins)
    assert len(answer.content) == int(answer.headers["content-length"])
    async with transaction(SYSTEM) as tx:
        assert (
            await tx.fetchval("select changes ->> 'file' from audit where what = 'timesheet.export'")
            == f'[null, "{format}"]'
        )
    assert (await max_.get(f"{PATH}.{format}?layout=nonsense")).status_code == 404


async def test_what_is_filtered_is_what_is_exported(max_: Browser) -> None:
    """Max's file has the filtered entries only; an unknown agent in the URL exports nothing rather than everything."""
    async with transaction(SYSTEM):
        await log(50, on=TODAY)
        await log(20, on=TODAY, who=NOOR)
    for asked, agents in (
        (f"agent={NOOR.id}", ["Noor Haddad"]),
        ("agent=99", []),
        ("", ["Ines Okafor", "Noor Haddad"]),
    ):
        root = etree.fromstring((await max_.get(f"{PATH}.xml?layout=payroll&{asked}")).content)
        assert [row.findtext("agent") for row in root] == agents


async def test_an_agent_gets_no_file(app: Gate) -> None:
    """S2.28: Ines, who is not a manager, gets 403 for files of timesheets, whether served at once or made by a job."""
    async with await Browser.of(app, INES, at=NOW) as ines:
        for format in exporting.TYPES:
            assert (await ines.get(f"{PATH}.{format}?layout=payroll")).status_code == 403
        assert (await ines.send_form(f"{PATH}/files?layout=payroll&format=csv")).status_code == 403


async def test_a_long_timesheet_is_made_by_a_job_with_progress(
    app: Gate, max_: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2.36: the file of a long timesheet is made by one job, however often Max requests the file.

    Once the file is ready, the outbox has a row for Max, and his navigation counts the file until he downloads it. Only
    he can download the file, and only for a week.
    """
    monkeypatch.setattr(exporting, "MOST_AT_ONCE", 1)
    async with transaction(SYSTEM):
        for minutes in (50, 20):
            await log(minutes, on=TODAY)
    page = (await max_.get(f"{PATH}.csv?layout=payroll")).text
    assert "2\xa0entries take a moment" in page
    offered = re.search(r'action="(/agent/timesheets/files[^"]+)"', page)
    assert offered
    for _ in range(2):
        answer = await max_.send_form(offered[1].replace("&amp;", "&"))
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}/files/1")
    here = answer.headers["location"]
    page = (await max_.get(here)).text
    assert "is being made" in page
    assert "0 of 2\xa0entries" in page
    assert (await max_.get(f"{here}/download")).status_code == 404
    storage = open_storage(settings.storage_url)
    for _ in range(2):  # The job may run twice.
        await files.make(1, settings, storage, NOW)
    assert "is ready" in (await max_.get(here, headers={"HX-Request": "true"})).text
    assert f'<a href="{here}">' in (await max_.get(PATH)).text
    assert f'<a href="{here}">' in (await max_.get(f"{PATH}/files/ready")).text
    assert 'title="1\xa0file is ready">1</span>' in (await max_.get("/agent/cases")).text
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select subject_id from outbox where kind = 'export.ready'") == MAX.id
    assert "Ready" in (await max_.get(f"{PATH}/files")).text
    content = (await max_.get(f"{here}/download")).content
    assert content.splitlines()[1] == b"Ines Okafor,Support,2026-11-20,2,1:10,70,0,70,0"
    assert f'<a href="{here}">' not in (await max_.get(PATH)).text
    assert "file is ready" not in (await max_.get("/agent/cases")).text
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.get(here)).status_code == 404
        assert (await noor.get(f"{here}/download")).status_code == 404
        assert "timesheet-payroll" not in (await noor.get(f"{PATH}/files")).text
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from pgqueuer where entrypoint = 'make_export'") == 1
        assert await files.sweep(storage, NOW + timedelta(days=6)) == 0
        assert await files.sweep(storage, NOW + timedelta(days=8)) == 1
    assert (await max_.get(f"{here}/download")).status_code == 404


async def test_one_manager_has_a_few_files_made_at_a_time(max_: Browser) -> None:
    """R83: while the maximum number of files is being made for Max, a request for another file gets 429.

    If he requests a file again that is being made already, he is redirected to the page of this file. A page lists all
    his files.
    """
    path = f"{PATH}/files?layout=payroll&format=csv"
    for number in range(1, files.MOST_UNDER_WAY + 1):
        assert (await max_.send_form(f"{path}&agent={number}")).headers["location"] == f"{PATH}/files/{number}"
    assert (await max_.send_form(f"{path}&agent=99")).status_code == 429
    assert (await max_.send_form(f"{path}&agent=1")).headers["location"] == f"{PATH}/files/1"
    assert (
        len(set(re.findall(rf'"{PATH}/files/(\d+)"', (await max_.get(f"{PATH}/files")).text))) == files.MOST_UNDER_WAY
    )


async def test_a_file_that_the_storage_has_lost_is_not_found(app: Gate) -> None:
    """R60: a file that the storage no longer has gets 404, and not the beginning of a download."""
    await furnished(app.storage, NOW)
    async with transaction(SYSTEM) as tx:
        key, export = await tx.fetchrow("select file_key, id from export")
    await app.storage.delete(key)
    async with await Browser.of(app, MAX, at=NOW) as max_:
        assert (await max_.get(f"{PATH}/files/{export}/download")).status_code == 404


async def test_a_file_whose_worker_was_stopped_is_made_by_the_next_one(
    max_: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R60: if a job is stopped after storing its file and before recording it, the next run replaces the stored file.

    The storage then has one file, which Max can download.
    """
    async with transaction(SYSTEM):
        await log(50, on=TODAY)
    await max_.send_form(f"{PATH}/files?layout=payroll&format=csv")
    storage, store = open_storage(settings.storage_url), Storage.store

    async def stop(*stored: Any, **how: Any) -> None:
        await store(*stored, **how)
        raise asyncio.CancelledError

    monkeypatch.setattr(Storage, "store", stop)
    with pytest.raises(asyncio.CancelledError):
        await files.make(1, settings, storage, NOW)
    monkeypatch.undo()
    assert "is being made" in (await max_.get(f"{PATH}/files/1")).text
    await files.make(1, settings, storage, NOW)
    assert (await max_.get(f"{PATH}/files/1/download")).status_code == 200
    assert storage.folder
    assert len(list(storage.folder.iterdir())) == 1


async def test_a_file_that_cannot_be_made_says_so(
    max_: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Max is no longer a manager when the job runs, the file is not made, and its page says so.

    Once he is a manager again, he can request the file again. An unknown format gets 404.
    """
    answer = await max_.send_form(f"{PATH}/files?layout=invoicing&format=xlsx")
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set grade = 'agent' where id = $1", MAX.id)
    storage = open_storage(settings.storage_url)
    await files.make(1, settings, storage, NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set grade = 'manager' where id = $1", MAX.id)
    assert "could not be made" in (await max_.get(answer.headers["location"])).text
    assert (await max_.send_form(f"{PATH}/files?layout=invoicing&format=xlsx")).headers["location"] == f"{PATH}/files/2"
    assert (await max_.send_form(f"{PATH}/files?layout=invoicing&format=pdf")).status_code == 404
