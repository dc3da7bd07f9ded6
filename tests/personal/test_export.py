"""Test the ZIP file with all data about a person: what it contains, who may download it, and what it never contains."""

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.people.factors import recovery
from portal.people.readers import SYSTEM, Reader
from portal.personal import export
from portal.web import drafts
from portal.web.gate import Gate
from tests.browser import Browser
from tests.places import PNG, SECRET, furnished
from tests.world import ACME, ADA, ALAN, GIL, INES, NOOR


async def file_of(app: Gate, reader: Reader, path: str = "/account/data.zip") -> zipfile.ZipFile:
    async with await Browser.of(app, reader) as browser:
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"].startswith("attachment")
    return zipfile.ZipFile(io.BytesIO(answer.content))


def read(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(f"{name}.json"))


async def test_a_contact_gets_what_they_wrote_and_nothing_of_others(app: Gate) -> None:
    """D58, R27: the file that Ada downloads about herself has her personal data, messages, files, unsent text and sign-ins.

    It contains nothing internal and nothing of other people.
    """
    await furnished(app.storage)
    await drafts.keep(ADA.credential_id, "/cases/new", {"subject": ["Half a thought"]}, datetime.now(UTC))
    async with transaction(None):
        codes = await recovery.begin(ADA.credential_id)
    archive = await file_of(app, ADA)
    assert archive.testzip() is None
    (person,) = read(archive, "person")
    assert (person["name"], person["customer"], person["phone"]) == ("Ada Lindqvist", "Acme", "+49 40 555 0148")
    assert any("Tuesday" in message["text"] for message in read(archive, "messages"))
    assert "Half a thought" in str(read(archive, "drafts"))
    assert len(read(archive, "sessions")) >= 2
    (picture,) = [name for name in archive.namelist() if name.endswith("/screen.png")]
    assert archive.read(picture) == PNG
    whole = "".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    for secret in (SECRET, "argon2", "token_hash", codes[0], "We look into it.", "Second monitor"):
        assert secret not in whole, secret


async def test_a_file_whose_content_is_gone_is_empty_in_the_download(app: Gate) -> None:
    """D58: files whose content is no longer in the storage are empty in the ZIP file; everything else is there."""
    await furnished(app.storage)
    async with transaction(SYSTEM) as tx:
        keys = [row["key"] for row in await tx.fetch("select key from attachment")]
    for key in keys:
        await app.storage.delete(key)
    archive = await file_of(app, ADA)
    assert archive.testzip() is None
    (picture,) = [name for name in archive.namelist() if name.endswith("/screen.png")]
    assert (archive.read(picture), len(read(archive, "person"))) == (b"", 1)


async def test_an_agent_gets_their_time_and_messages(app: Gate) -> None:
    """D58: the ZIP file that Ines, an agent, downloads about herself has her time, replies, notes and appointments.

    It has no cost rates.
    """
    await furnished(app.storage)
    archive = await file_of(app, INES)
    assert len(read(archive, "time")) == 10
    assert {message["kind"] for message in read(archive, "messages")} == {"reply", "note"}
    assert read(archive, "appointments")
    assert "hourly_cost" not in str([archive.read(name) for name in archive.namelist()])


@pytest.mark.parametrize(
    ("path", "credential"),
    [
        (f"/agent/customers/{ACME}/contacts/{ALAN.id}/data.zip", ALAN.credential_id),
        ("/agent/setup/agents/1/data.zip", 1),
    ],
)
async def test_an_admin_gets_it_for_anybody_and_the_audit_says_so(app: Gate, path: str, credential: int) -> None:
    """D58, R89: an admin downloads the data of a contact or an agent; the audit log names the admin and that person."""
    archive = await file_of(app, NOOR, path)
    assert read(archive, "person")
    async with transaction(SYSTEM) as tx:
        row = await tx.fetchrow("select credential_id, subject_id from audit where what = 'person.export'")
    assert tuple(row) == (NOOR.credential_id, credential)


async def test_the_database_records_no_download_of_somebody_else(app: Gate) -> None:
    """R88: the database refuses to record a download of another person's data by an agent or a contact."""
    for reader in (INES, GIL):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(reader):
                await export.record(ADA.credential_id)


async def test_many_rows_are_read_page_by_page(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """D58: if rows are read in pages of three, the file has each of ten entries once."""
    monkeypatch.setattr(export, "PAGE", 3)
    await furnished(app.storage)
    ids = [entry["id"] for entry in read(await file_of(app, INES), "time")]
    assert len(ids) == len(set(ids)) == 10
