"""Test that only agents read notes, and that files are attached by their sender and read only through their case."""

import uuid
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Attachment, Case, feed_of, files_of, messages
from portal.desk.files.attachments import MAX_FILES, announce, sweep_uploads
from portal.errors import Invalid, NotFound
from portal.people.readers import SYSTEM
from portal.render import markdown
from portal.storage import Storage, new_key, open_storage
from tests.desk.files import upload
from tests.desk.test_cases import LATER, everything, opened
from tests.world import ADA, ALAN, GIL, INES, NOW

pytestmark = pytest.mark.usefixtures("dsn")
SECRET = "zanzibar-between-us"


@pytest.fixture
def storage(files: Path) -> Storage:
    return open_storage(f"file://{files}")


async def test_a_note_and_its_files_do_not_exist_for_contacts(storage: Storage) -> None:
    """R27, D51: neither the feed nor raw SQL shows a contact an agent's note or its file.

    The note does not change `updated_at` of the case, which the contact can read.
    """
    case = await opened()
    file = await upload(storage, INES, f"{SECRET}.log")
    async with transaction(INES):
        await case.note(by=INES, text=SECRET, files=[file], at=LATER)
        feed = await feed_of(case, INES, files_at="/f/", company="Halden IT", customer="Acme")
        assert [
            (item.is_note, [file.name for file in item.files]) for item in feed.items if item.shape == "message"
        ] == [
            (False, []),
            (True, [f"{SECRET}.log"]),
        ]
        attachment_id = feed.items[-1].files[0].address.removeprefix("/f/")
        assert (await Attachment.find(uuid.UUID(attachment_id), case.id)).key == file.key
    async with transaction(ADA) as tx:
        case = await Case.find(case.number, ADA)
        seen = [
            await feed_of(case, ADA, files_at="/f/", company="Halden IT", customer="Acme"),
            await files_of(case, files_at="/f/"),
        ]
        for table in ("message", "attachment", "case_event", "upload", "cases"):
            seen.append(await tx.fetch(f"select * from {table}"))
        with pytest.raises(NotFound):
            await Attachment.find(uuid.UUID(attachment_id), case.id)
    assert SECRET not in repr([*map(repr, seen)])
    assert case.updated_at == NOW


async def test_a_contact_cannot_write_a_note_even_by_raw_sql() -> None:
    """R24: the database refuses a note that a contact inserts by raw SQL."""
    case = await opened()
    with pytest.raises(asyncpg.PostgresError):
        async with transaction(ADA) as tx:
            await tx.execute("insert into message (customer_id, case_id, kind, agent_id, author_name, text, html, at)"
                             " values (1, $1, 'note', 1, 'Ines', 'x', 'x', $2)", case.id, NOW)  # fmt: skip


async def test_files_come_with_their_message_and_are_read_back(storage: Storage) -> None:
    """R60: when uploaded files are sent with a message, their rows leave the table `upload`, and their content can be read."""
    sent = [await upload(storage, ADA, name) for name in ("vpn-error.png", "client.log")]
    case = await opened(files=sent)
    async with transaction(ADA) as tx:
        listed = await files_of(case, files_at=f"/cases/{case.number}/files/")
        assert await tx.fetch("select * from upload") == []
        found = [await Attachment.find(uuid.UUID(file.address.rsplit("/", 1)[1]), case.id) for file, _ in listed]
    assert [(file.name, file.size, bytes(file.sha256), file.key) for file in found] == [
        (file.name, file.size, file.sha256, file.key) for file in sent
    ]
    assert b"".join([chunk async for chunk in storage.read(found[0].key)]) == b"08:12 started"


async def test_each_link_of_the_chain_from_a_file_to_its_case_is_checked(storage: Storage) -> None:
    """R28: a file is not found through another case, nor by a contact of another customer."""
    hers = await opened(ADA, files=[await upload(storage, ADA)])
    his = await opened(GIL, files=[await upload(storage, GIL)])
    other = await opened(ADA)
    async with transaction(INES) as tx:
        (her_file, his_file) = [row["id"] for row in await tx.fetch("select id from attachment order by message_id")]
        for file_id, case in ((her_file, other), (her_file, his), (his_file, hers), (uuid.uuid4(), hers)):
            with pytest.raises(NotFound):
                await Attachment.find(file_id, case.id)
    async with transaction(GIL):
        with pytest.raises(NotFound):
            await Attachment.find(her_file, hers.id)


async def test_a_file_of_somebody_else_or_on_another_message_is_refused_and_changes_nothing(storage: Storage) -> None:
    """R29, R60: a message with another person's upload or an already attached file is refused."""
    foreign, used = await upload(storage, GIL), await upload(storage, ADA)
    case = await opened(files=[used])
    before = await everything()
    for files in ([foreign], [used], [await upload(storage, ADA), foreign]):
        for verb in ("reply", "open"):
            with pytest.raises(NotFound):
                async with transaction(ADA):
                    if verb == "open":
                        await Case.open(by=ADA, subject="x", text="x", case_type_id=1, files=files, at=NOW)
                    else:
                        await case.reply(by=ADA, text="x", files=files, at=NOW)
    assert await everything() == before
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from upload where key = $1", foreign.key) == 1


async def test_ten_files_are_taken_and_eleven_are_refused(storage: Storage) -> None:
    """R58: a message with ten files is stored; a message with eleven files is refused."""
    files = [await upload(storage, ADA, f"{number}.log") for number in range(MAX_FILES + 1)]
    case = await opened()
    with pytest.raises(Invalid, match="at most 10 files"):
        async with transaction(ADA):
            await case.reply(by=ADA, text="x", files=files, at=NOW)
    async with transaction(ADA):
        await case.reply(by=ADA, text="x", files=files[:-1], at=NOW)
        assert [file.name for file, _ in await files_of(case, files_at="/")] == [
            f"{number}.log" for number in range(MAX_FILES)
        ]


async def test_files_whose_message_never_came_are_swept_and_the_others_stay(storage: Storage) -> None:
    """R60: uploads without a message are deleted after a time, even if their bytes never arrived; other files stay."""
    old, young = NOW - timedelta(hours=2), NOW
    kept = await upload(storage, ADA, at=old)
    await opened(files=[kept])
    lost, recent = await upload(storage, ADA, at=old), await upload(storage, ADA, at=young)
    never = new_key()
    async with transaction(None):
        await announce(never, ADA.credential_id, old)
    for removed in (2, 0):
        async with transaction(SYSTEM):
            assert await sweep_uploads(storage, NOW - timedelta(hours=1)) == removed
    assert [await storage.exists(file.key) for file in (kept, lost, recent)] == [True, False, True]


async def test_a_contact_sees_no_upload_of_others(storage: Storage) -> None:
    await upload(storage, ADA)
    async with transaction(ALAN) as tx:
        assert await tx.fetch("select * from upload") == []


async def test_a_message_may_be_long_and_not_longer() -> None:
    """R52: a message of 30,000 characters is stored and rendered; a longer one is refused."""
    case = await opened()
    text = "**word** " * ((messages.LONGEST - 1) // 9)
    async with transaction(ADA):
        await case.reply(by=ADA, text=text, at=NOW)
        with pytest.raises(Invalid, match="30,000 characters"):
            await case.reply(by=ADA, text="x" * (messages.LONGEST + 1), at=NOW)
    async with transaction(INES) as tx:
        assert await tx.fetchval("select html from message order by id desc limit 1") == markdown(text)
