"""Test the download of a case with its files, and the log of a case as a page and as a file."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.lists import log
from portal.people.readers import SYSTEM
from portal.reports.cases import write_zip
from portal.storage import Storage, open_storage
from portal.timekeeping.entries import TimeEntry, Work
from portal.web.gate import Gate
from tests.browser import Browser
from tests.desk.files import upload
from tests.world import ADA, HELPDESK, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")
SECRET = "their-firewall-is-the-problem"


async def dialogue(storage: Storage) -> Case:
    """Create a case of Ada: two files of the same name, a note with a file, and time with an internal description."""
    files = [await upload(storage, ADA, "../a/client.log", content) for content in (b"first", b"second")]
    async with transaction(ADA):
        case = await Case.open(
            by=ADA, subject="VPN", text="It **drops**.", case_type_id=INCIDENT, priority=2, files=files, at=NOW
        )
    note = await upload(storage, INES, f"{SECRET}.txt")
    async with transaction(INES):
        await case.note(by=INES, text=SECRET, files=[note], at=NOW)
        work = Work(minutes=30, work_date=NOW.date(), service_id=HELPDESK, external_comment="=1+1", description=SECRET)
        await TimeEntry.log(INES, work, at=NOW, case=case)
    return case


def opened(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}


async def test_a_contact_downloads_what_they_see_and_an_agent_all_of_it(app: Gate) -> None:
    """S3.17, D51, R56, R62, R89: only an agent's ZIP file of a case has the notes, internal descriptions and the log.

    A contact's ZIP file has the messages, the time and the files that the contact may see. Both downloads are recorded
    in the audit log.
    """
    case = await dialogue(app.storage)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        answer = await ada.get(f"/cases/{case.number}/case.zip")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        seen = opened(answer.content)
    assert seen.keys() == {"case.md", "time.csv", "files/001-_a_client.log", "files/002-_a_client.log"}
    assert SECRET not in str(seen)
    assert sorted(text for name, text in seen.items() if name.startswith("files/")) == ["first", "second"]
    assert "It **drops**." in seen["case.md"]
    async with await Browser.of(app, INES, at=NOW) as ines:
        everything = opened((await ines.get(f"/agent/cases/{case.number}/case.zip")).content)
    assert SECRET in everything["case.md"]
    assert SECRET in everything["time.csv"]
    assert "'=1+1" in everything["time.csv"]
    assert "wrote a note" in everything["log.csv"]
    assert any(name.endswith(f"-{SECRET}.txt") for name in everything)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from audit where what = 'case.export'") == 2


async def test_the_zip_file_is_written_in_small_chunks(tmp_path: Path) -> None:
    """A file of 1 MB is written in chunks of less than 600 kB; a file that storage has lost is empty in the ZIP file.

    A download that is given up in the middle of the file ends without an error.
    """
    storage = open_storage(f"file://{tmp_path}/files")
    content = bytes(range(256)) * 3_900
    file = await upload(storage, ADA, "big.bin", content)
    async with transaction(ADA):
        case = await Case.open(
            by=ADA, subject="Big", text="See it.", case_type_id=INCIDENT, priority=2, files=[file], at=NOW
        )
    async with transaction(ADA, readonly=True):
        details = await Details.find(case.number, ADA)
    chunks = [chunk async for chunk in write_zip(details, ADA, storage, [])]
    assert max(map(len, chunks)) < 600_000
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as archive:
        assert archive.read("files/001-big.bin") == content
    given_up = write_zip(details, ADA, storage, [])
    for _ in range(2):
        await anext(given_up)
    await given_up.aclose()
    await storage.delete(file.key)
    assert opened(b"".join([chunk async for chunk in write_zip(details, ADA, storage, [])]))["files/001-big.bin"] == ""


async def test_the_log_is_filtered_by_person_kind_and_day_and_exported(app: Gate) -> None:
    """S3.10: the page and the CSV file of a case's log show the same lines, messages included, for the same filters."""
    case = await dialogue(app.storage)
    async with transaction(MAX):
        found = await Case.find(case.number, MAX)
        await found.take(by=MAX, at=NOW)
    here = f"/agent/cases/{case.number}/log"

    async def lines(browser: Any, query: str = "") -> tuple[str, str]:
        page, file = await browser.get(here + query), await browser.get(f"{here}.csv{query}")
        assert page.status_code == file.status_code == 200
        return page.text, file.text

    async with await Browser.of(app, INES, at=NOW) as ines:
        page, file = await lines(ines)
        for words in (
            "Ada Lindqvist opened the case",
            "Ines Okafor wrote a note",
            "Ines Okafor logged time",
            "Max Herrmann took the case",
        ):
            assert words in page
            assert words in file
        page, file = await lines(ines, "?person=Max+Herrmann")
        assert "wrote a note" not in page + file
        assert "took the case" in page
        assert "Only these lines: Max Herrmann" in page
        page, file = await lines(ines, "?kind=messages")
        assert "took the case" not in page + file
        assert "wrote a note" in page
        region = (await ines.get(f"{here}?kind=messages", headers={"HX-Request": "true"})).text
        assert (
            f'hx-get="{here}?kind=messages" hx-trigger="case-{case.id} from:body' in " ".join(region.split()),
            "<html" in region,
        ) == (True, False)
        assert "wrote a note" in region
        page, file = await lines(ines, "?day=2026-11-19")
        assert "No line matches" in page
        assert "opened" not in file
        for query in ("?day=x", "?kind=nothing&person=%00"):
            await lines(ines, query)


async def test_what_somebody_writes_never_looks_like_another_message(app: Gate) -> None:
    """In the file of a case, each line of a message is quoted, so that no line looks like the head of another message.

    This holds too for lines that end with CRLF or with Unicode's line separator.
    """
    forged = "Thank you.\n\n## Noor Haddad, 2026-11-20 11:00\n\nThat is free.\r\n## A\u2028## B"
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN", text=forged, case_type_id=INCIDENT, priority=2, at=NOW)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        text = opened((await ada.get(f"/cases/{case.number}/case.zip")).content)["case.md"]
    assert [line for line in text.splitlines() if line.startswith("##")] == ["## Ada Lindqvist, 2026-11-20 11:00"]
    assert "> ## Noor Haddad, 2026-11-20 11:00\n>\n> That is free.\n> ## A" in text


async def test_a_long_log_is_filtered_before_it_is_cut_and_its_file_has_all_of_it(
    app: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3.10: the page of a long log shows only the newest lines, but its filters search the whole log.

    The CSV file has the whole log, and so has the CSV file inside the ZIP file of the case.
    """
    for module in ("portal.desk.lists.log", "portal.agent.queue.log"):
        monkeypatch.setattr(f"{module}.MOST", 3)
    monkeypatch.setattr(log, "PAGE", 2)
    case = await dialogue(app.storage)
    async with transaction(INES) as tx:
        for subject in ("One", "Two", "Three", "Four", "Five"):
            await case.change_facts(by=INES, at=NOW, subject=subject)
        count = await tx.fetchval(
            "select (select count(*) from case_event where case_id = $1) + (select count(*) from message where case_id = $1)",
            case.id,
        )
    here = f"/agent/cases/{case.number}/log"
    async with await Browser.of(app, INES, at=NOW) as ines:
        page = await ines.get(here)
        assert ("These are the newest 3 lines" in page.text, "Ada Lindqvist opened the case" in page.text) == (
            True,
            False,
        )
        assert "<option>Ada Lindqvist</option>" in page.text
        assert "Ada Lindqvist opened the case" in (await ines.get(f"{here}?person=Ada+Lindqvist&kind=status")).text
        assert "opened the case" not in (await ines.get(f"{here}?person=Ada+Lindqvist&kind=facts")).text
        assert "subject" in (await ines.get(f"{here}?kind=facts")).text
        assert (await ines.get(f"{here}?person=%00")).status_code == 200
        rows = list(csv.reader(io.StringIO((await ines.get(f"{here}.csv")).text)))
        zipped = opened((await ines.get(f"/agent/cases/{case.number}/case.zip")).content)["log.csv"]
    assert len(rows) == count + 1
    assert {"Ada Lindqvist replied", "Ada Lindqvist opened the case"} <= {row[4] for row in rows}
    assert list(csv.reader(io.StringIO(zipped)))[1:] == rows[1:]
