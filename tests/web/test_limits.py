"""Test that searches and downloads are limited per person over all processes, and that downloads are audited."""

import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal.app import create_app
from portal.web import limits
from portal.web.gate import Gate
from tests.browser import Browser
from tests.places import Places, furnished
from tests.world import ADA, GIL, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")

LISTS = ["/agent/cases?view=all&text=vpn", "/agent/customers?q=acme"]


@pytest.fixture
async def places(app: Gate) -> Places:
    return await furnished(app.storage)


@pytest.mark.parametrize("path", LISTS)
async def test_the_61st_search_of_a_minute_waits_in_every_process(app: Gate, path: str) -> None:
    """R83: a person's 61st search within a minute is refused by every process.

    Lists without a search and other people's searches still work.
    """
    async with await Browser.of(app, INES, at=NOW) as ines, await Browser.of(app, MAX, at=NOW) as max_:
        other = create_app(app.settings)
        other.clock = app.clock
        elsewhere = Browser(other, cookies=dict(ines.cookies))
        for turn in range(limits.SEARCHES.free):
            assert (await (ines if turn % 2 else elsewhere).get(path)).status_code == 200
        for browser in (ines, elsewhere):
            refused = await browser.get(path)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "60"
            assert "Too many searches. Wait 1 minute, then try again." in refused.text
        assert (await ines.get(path.partition("?")[0])).status_code == 200
        assert (await max_.get(path)).status_code == 200
        app.clock = lambda: NOW + timedelta(minutes=1)
        assert (await ines.get(path)).status_code == 200


async def test_a_contacts_searches_are_counted_too(app: Gate) -> None:
    """R83: the searches of contacts are limited like those of agents."""
    async with await Browser.of(app, ADA, at=NOW) as ada:
        for _ in range(limits.SEARCHES.free):
            assert (await ada.get("/cases?show=all&text=vpn")).status_code == 200
        assert (await ada.get("/cases?show=all&text=vpn")).status_code == 429
        assert (await ada.get("/cases?show=all")).status_code == 200


async def test_a_list_that_fetches_itself_stays_as_it_is_when_it_is_refused(app: Gate) -> None:
    """R83: if a list's own refresh gets 429, htmx leaves the rows as they are (`HX-Reswap: none`).

    tests/e2e/test_reconnecting.py shows that in a browser.
    """
    async with await Browser.of(app, INES, at=NOW) as ines:
        for _ in range(limits.SEARCHES.free):
            await ines.get(LISTS[0])
        refused = await ines.get(LISTS[0], headers={"hx-request": "true"})
        assert (refused.status_code, refused.headers["hx-reswap"]) == (429, "none")


async def test_the_61st_file_of_ten_minutes_waits(app: Gate, places: Places) -> None:
    """R83: a person's 61st download within ten minutes is refused; PDF, CSV and statements count together."""
    files = [
        places.address(path)
        for path in (
            "/invoices/{number}/invoice.pdf",
            "/invoices/{number}/detail.csv",
            "/statements/{statement_id}/detail.csv",
        )
    ]
    async with await Browser.of(app, ADA, at=NOW) as ada, await Browser.of(app, MAX, at=NOW) as max_:
        for turn in range(limits.EXPORTS.free):
            assert (await ada.get(files[turn % 3])).status_code == 200
        for file in files:
            refused = await ada.get(file)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "60"
        assert "Too many downloads" in refused.text
        assert (await ada.get(files[0].rpartition("/")[0])).status_code == 200
        assert (await max_.get(f"/agent{files[0]}")).status_code == 200
        app.clock = lambda: NOW + timedelta(minutes=1)
        assert (await ada.get(files[0])).status_code == 200


@pytest.mark.parametrize(("reader", "prefix"), [(ADA, ""), (MAX, "/agent")], ids=["a contact", "a manager"])
@pytest.mark.parametrize(
    ("path", "what", "kind"),
    [
        ("/invoices/{number}/invoice.pdf", "invoice.export", "pdf"),
        ("/invoices/{number}/detail.csv", "invoice.export", "csv"),
        ("/statements/{statement_id}/detail.csv", "statement.export", "csv"),
        ("/statements/{statement_id}/statement.pdf", "statement.export", "pdf"),
    ],
)
async def test_the_download_of_a_document_is_recorded_with_the_person(
    app: Gate, dsn: str, places: Places, reader: Any, prefix: str, path: str, what: str, kind: str
) -> None:
    """R89: the audit log records that Ada or Max downloaded a document, and in which format.

    Gil, who may not see the document, gets 404 for its download, and no audit line is written.
    """
    async with await Browser.of(app, reader, at=NOW) as browser, await Browser.of(app, GIL, at=NOW) as gil:
        assert (await gil.get(places.address(path))).status_code == 404
        assert await exports(dsn) == []
        assert (await browser.get(prefix + places.address(path))).status_code == 200
    (row,) = await exports(dsn)
    assert (row["credential_id"], row["what"], row["address"]) == (reader.credential_id, what, "127.0.0.1")
    assert json.loads(row["changes"]) == {"file": [None, kind]}


async def test_a_file_that_cannot_be_recorded_is_not_handed_out(app: Gate, dsn: str, places: Places) -> None:
    """R89: if the audit line of a download cannot be written, the file is not sent."""
    owner = await asyncpg.connect(dsn)
    await owner.execute("alter table audit add constraint full_up check (what <> 'invoice.export') not valid")
    try:
        async with await Browser.of(app, ADA, at=NOW) as ada:
            answer = await ada.get(places.address("/invoices/{number}/invoice.pdf"))
        assert answer.status_code == 409
        assert b"%PDF" not in answer.content
    finally:
        await owner.execute("alter table audit drop constraint full_up")
        await owner.close()


@pytest.mark.parametrize(("subject", "kind"), [("rate", "pdf"), ("invoice", "sql"), (None, "pdf")])
async def test_nothing_else_can_be_recorded_by_the_app(dsn: str, subject: str | None, kind: str) -> None:
    """R90: the function `record_export`, which writes audit lines, refuses everything that is not a download.

    The role `portal_app` may not call it.
    """
    owner = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute("select record_export($1, 1, $2)", subject, kind)
        await owner.execute("set role portal_app")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("select record_export('invoice', 1, 'pdf')")
    finally:
        await owner.close()


async def exports(dsn: str) -> list[asyncpg.Record]:
    """Return the audit lines of downloads."""
    owner = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await owner.fetch("select * from audit where what like '%.export' order by id")
    finally:
        await owner.close()
    return rows
