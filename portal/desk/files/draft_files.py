"""Keep the files that a person has uploaded for a form that is not submitted yet.

The files are stored already. They are found by the form's key, so that they are still there after the form is refused
or the page is reloaded. When the form is submitted, `attach` adds them to its message; files that are not part of a
message are deleted after a day.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from portal.database import current, transaction
from portal.desk.files import attachments
from portal.desk.files.attachments import Upload
from portal.errors import Full, Invalid
from portal.people.readers import AgentReader, ContactReader, Reader
from portal.storage import Storage, Stored


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file that was uploaded for a form that is not submitted yet. It is in the storage already, under `key`.

    `id` identifies it on pages.
    """

    id: uuid.UUID
    name: str
    media_type: str
    size: int
    sha256: bytes
    key: str


def left_out(name: str) -> str:
    """Return the error message for a file that was not added because the form has `MAX_FILES` files already."""
    return f"“{name}” is left out: a message has at most {attachments.MAX_FILES} files."


async def of_form(form_key: uuid.UUID, by: Reader) -> list[DraftFile]:
    """Return the files that `by` has uploaded for the form `form_key`, in the order in which they were uploaded."""
    # Each page of a case runs this query; raw SQL takes a quarter of the time that Piccolo takes.
    rows = await current().fetch(
        "select id, name, media_type, size, sha256, key from upload where credential_id = $1 and form_key = $2 order by kept_at, id",
        by.credential_id, form_key,
    )  # fmt: skip
    return [DraftFile(**row) for row in rows]


async def keep(stored: Stored, name: str, media_type: str, *, form_key: uuid.UUID, by: Reader, at: datetime) -> None:
    """Add a stored file, which `announce` has recorded, to the form `form_key`.

    Do nothing if the form has a file with the same name and content already, for example because the form was sent
    twice at the same time; `sweep_uploads` deletes the second copy later. Raise `Invalid` at the field `files` if the
    form has `MAX_FILES` files already. Raise `Full` for a contact if the customer's files and the contact's unsent
    files would together exceed the quota.
    """
    tx = current()
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", str(form_key))
    known = await of_form(form_key, by)
    if any((file.name, file.sha256) == (name, stored.sha256) for file in known):
        return
    if len(known) >= attachments.MAX_FILES:
        raise Invalid({"files": left_out(name)})
    if isinstance(by, ContactReader):
        kept = await tx.fetchval("select coalesce(sum(size), 0) from upload where credential_id = $1", by.credential_id)
        if await attachments.used_by(by.customer_id) + kept + stored.size > attachments.QUOTA:
            raise Full(attachments.NO_ROOM)
    await Upload.update(
        form_key=form_key, name=name, media_type=media_type, size=stored.size, sha256=stored.sha256, kept_at=at
    ).where(Upload.key == stored.key, Upload.credential_id == by.credential_id)


async def move(form_key: uuid.UUID, to: uuid.UUID, by: Reader) -> None:
    """Move the files of `by` from the form `form_key` to the form `to`, which replaces the form `form_key`."""
    own = (Upload.credential_id == by.credential_id) & (Upload.form_key == form_key)
    await Upload.update({Upload.form_key: to}).where(own)


async def take_over(form_key: uuid.UUID, to: uuid.UUID, by: AgentReader) -> None:
    """Move all files of the form `form_key`, which belonged to an agent who has left, to the form `to` of `by`."""
    await Upload.update({Upload.form_key: to, Upload.credential_id: by.credential_id}).where(
        Upload.form_key == form_key
    )


async def take_off(file_id: uuid.UUID, storage: Storage, *, by: Reader) -> None:
    """Remove the file with this id, which `by` has uploaded, from its form, and delete it from the storage.

    Do nothing if there is no such file. Call this function outside a transaction, because it opens transactions of its
    own. The first one removes the file from the form. If the file cannot be deleted from the storage after that,
    `sweep_uploads` deletes it later.
    """
    own = (Upload.id == file_id) & (Upload.credential_id == by.credential_id)
    async with transaction(by):
        taken = await Upload.update({Upload.form_key: None}).where(own).returning(Upload.key)
    if not taken:
        return
    await storage.delete(taken[0]["key"])
    async with transaction(by):
        await Upload.delete().where(own)
