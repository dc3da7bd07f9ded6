"""Attach stored files to messages, and limit how much one person and one customer may store.

A file is recorded as a row in the table `upload` before its first byte is stored. When its message is sent, an
attachment replaces the row. A file that is not part of any message is deleted after a day.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from piccolo.columns import UUID, BigInt, Bytea, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.batches import all_or_report
from portal.database.rows import insert_all
from portal.desk.files.filetypes import check_file
from portal.errors import Invalid, NotFound, TooMany
from portal.people.readers import Reader
from portal.storage import Storage

MAX_FILES = 10
MAX_SIZE = 25 * 1024 * 1024
"""The maximum size of one file, in bytes (R58)."""


class StoredFile(Protocol):
    """A file that is stored and recorded as an `Upload`, but not attached to a message yet."""

    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> bytes: ...
    @property
    def key(self) -> str: ...


class Upload(Table, tablename="upload"):
    """A file that is not part of a message yet. `credential_id` is the credential of the person who uploads it.

    The row is written before the first byte is stored. The columns from `form_key` on are None until the file is stored
    and belongs to a form. `key` identifies the file in the storage, `id` on pages. `kept_at` is when the form got the
    file.
    """

    key = Text(primary_key=True, default=None)
    credential_id = BigInt(default=None)
    started_at = Timestamptz(default=None)
    id = UUID()
    form_key = UUID(null=True, default=None)
    name = Text(null=True, default=None)
    media_type = Text(null=True, default=None)
    size = BigInt(null=True, default=None)
    sha256 = Bytea(null=True, default=None)
    kept_at = Timestamptz(null=True, default=None)


class Attachment(Table, tablename="attachment"):
    """A file of a message.

    `id` identifies it in URLs, `key` in the storage; `position` is its place among the message's files.
    """

    id = UUID(primary_key=True, null=False, default=None)
    customer_id = BigInt(null=False, default=None)
    message_id = BigInt(null=False, default=None)
    position = SmallInt(null=False, default=None)
    name = Text(null=False, default=None)
    media_type = Text(null=False, default=None)
    size = BigInt(null=False, default=None)
    sha256 = Bytea(null=False, default=None)
    key = Text(null=False, default=None)

    @classmethod
    async def find(cls, attachment_id: uuid.UUID, case_id: int) -> "Attachment":
        """Return the file with this id if it belongs to a message of the case `case_id`.

        Raise `NotFound` if it does not (R28). Row-level security hides the files of notes if the transaction runs for a
        contact.
        """
        row = await current().fetchrow(
            "select a.* from attachment a join message m on m.id = a.message_id where a.id = $1 and m.case_id = $2",
            attachment_id,
            case_id,
        )
        if row is None:
            raise NotFound
        return cls(**dict(row), _exists_in_db=True)


QUOTA = 20 * 1024**3
"""The maximum total size of the files of one customer, in bytes (R58)."""
NO_ROOM = "The files of this customer fill the 20 GB that there are for them. Remove your files and send the text without them."


MAX_PENDING = 40
"""The maximum number of files that one person may upload within `PENDING_FOR` without sending them (R58)."""
PENDING_FOR = timedelta(hours=1)
MAX_WAITING = 1024**3
"""The maximum total size of one person's unsent files, in bytes. An unfinished upload counts as `MAX_SIZE`."""
KEPT_FOR = timedelta(days=1)
"""How long an uploaded file is kept without being sent in a message."""


async def announce(key: str, credential_id: int, at: datetime) -> None:
    """Record in the table `upload` that a file is about to be stored under `key`.

    Call this in its own transaction before the first byte is stored, so that a file never exists without a row (R60).
    An advisory lock makes simultaneous uploads of one person wait for each other. Raise `TooMany` if the person with
    this credential has `MAX_PENDING` files from the last hour that are not part of a message. Raise `TooMany` also if
    the person's unsent files could exceed `MAX_WAITING` bytes with the new one (R58).
    """
    tx = current()
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('upload', $1))", credential_id)
    pending = await tx.fetchrow(
        "select count(*) as count, min(started_at) as first from upload where credential_id = $1 and started_at > $2",
        credential_id,
        at - PENDING_FOR,
    )
    if pending["count"] >= MAX_PENDING:
        seconds = ceil((pending["first"] + PENDING_FOR - at).total_seconds())
        raise TooMany("Too many files were sent and not used. Send your text without files.", retry_after=seconds)
    waiting = await tx.fetchval(
        "select coalesce(sum(coalesce(size, $2)), 0) from upload where credential_id = $1", credential_id, MAX_SIZE
    )
    if waiting + MAX_SIZE > MAX_WAITING:
        sentence = "Your unsent drafts hold 1 GB of files. Send them or remove files from them."
        raise TooMany(sentence, retry_after=int(KEPT_FOR.total_seconds()))
    # Piccolo's insert would return the key, which the sign-in role may not read.
    await insert_all(Upload, [{"key": key, "credential_id": credential_id, "started_at": at}])


async def attach(files: Sequence[StoredFile], *, customer_id: int, message_id: int, by: Reader) -> None:
    """Attach stored files to the message `message_id`, and delete their rows in the table `upload`.

    Raise `NotFound` if a file was not uploaded by `by` or is attached already (R29). Raise `Invalid` at the field
    `files` if there are more than `MAX_FILES` files, or if the customer's files would exceed `QUOTA` (R58).
    """
    if len(files) > MAX_FILES:
        raise Invalid({"files": f"Attach at most {MAX_FILES} files at once."})
    if not files:
        return
    own = Upload.key.is_in([file.key for file in files]) & (Upload.credential_id == by.credential_id)
    if len(await Upload.delete().where(own).returning(Upload.key)) != len(files):
        raise NotFound
    if await used_by(customer_id) + sum(file.size for file in files) > QUOTA:
        raise Invalid({"files": NO_ROOM})
    attachments = [
        Attachment(
            id=uuid.uuid4(), customer_id=customer_id, message_id=message_id, position=place,
            name=file.name, media_type=file.media_type, size=file.size, sha256=file.sha256, key=file.key,
        )
        for place, file in enumerate(files)
    ]  # fmt: skip
    await Attachment.insert(*attachments)


async def used_by(customer_id: int) -> int:
    """Return the total size of the files in messages on a customer's cases, in bytes. Unsent files are not included."""
    used: int = await current().fetchval(
        "select coalesce(sum(size), 0)::bigint from attachment where customer_id = $1", customer_id
    )
    return used


async def sweep_uploads(storage: Storage, before: datetime) -> int:
    """Delete files whose upload began before `before` and that are not part of a message, and return their number.

    One call deletes at most 500 files, with their rows in `upload`. Each file is deleted before its row, so that a
    failed deletion is repeated next time. A file that cannot be deleted does not stop the deletion of the others.
    """
    tx = current()
    # Skip locked rows, because a message is attaching these files at the moment. Choose rows at random, so that files
    # which cannot be deleted never fill the whole batch.
    rows = await tx.fetch(
        "select key from upload where started_at < $1 order by random() limit 500 for update skip locked", before
    )

    async def remove(key: str) -> None:
        await storage.delete(key)
        await Upload.delete().where(Upload.key == key)

    return len((await all_or_report([row["key"] for row in rows], remove, reader=tx.reader)).done)


__all__ = [
    "MAX_FILES",
    "MAX_SIZE",
    "Attachment",
    "StoredFile",
    "Upload",
    "announce",
    "attach",
    "check_file",
    "sweep_uploads",
    "used_by",
]
