"""Write replies and notes on a case."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from portal.desk import mentions, messages
from portal.desk.files.attachments import StoredFile
from portal.desk.messages import Writing
from portal.desk.verbs.changing import change, finish, lock
from portal.desk.verbs.moving import moved, wanted
from portal.desk.workflow import Status, after_reply
from portal.desk.workflow.moves import Standing
from portal.people.readers import AgentReader, Reader

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def reply(
    case: "Case",
    *,
    by: Reader,
    text: str,
    files: Sequence[StoredFile] = (),
    at: datetime,
    then: Status | int | None = None,
    form_key: uuid.UUID | None = None,
) -> None:
    """Write a reply, which customer and agents read, and set the status that follows (see `workflow.after_reply`).

    `then` is the status that an agent has chosen to be set by the reply: its id, or its category. Sending the same
    `form_key` again does nothing. Raise `Invalid` at the field `body`, `files` or `status` if the text, a file or the
    chosen status is not allowed. Raise `NotFound` if `by` may not see the case or did not upload one of the files.
    """
    message_id = await _write(case, "reply", Writing(text, files, form_key), by, at)
    if message_id is None:
        return
    first = {"first_replied_at": at} if by.is_agent and not case.first_replied_at else {}
    columns, lines = await moved(case, await _after(case, by, then), at)
    # The time to answer begins again with the new reply.
    if case.stands is Status.WAITING_FOR_CUSTOMER and not columns:
        columns = {"waits_since": at, "reminded_at": None, "closes_at": None} if by.is_agent else {}
    await change(case, first | columns, lines, by, at, told_as="case.replied", record_id=message_id)


async def _after(case: "Case", by: Reader, then: Status | int | None) -> Status | Standing:
    """Return what a case becomes with a reply: a `Standing`, which is one status, or a `Status`, which is a category.

    `then` is the status or category that was chosen together with the reply, or None. If an agent has chosen the
    present status or its category, the case keeps its status. The choice of a contact is ignored. Raise `Invalid` if
    the status that an agent has chosen may not follow the present one.
    """
    if by.is_agent and then is not None and then not in (case.stands, case.status_id):
        return await wanted(case, then)
    return after_reply(case.stands, by_agent=by.is_agent, then=None if then is None else case.stands)


async def note(
    case: "Case",
    *,
    by: AgentReader,
    text: str,
    files: Sequence[StoredFile] = (),
    at: datetime,
    form_key: uuid.UUID | None = None,
) -> None:
    """Write a note, which only agents read, and record whom it mentions (`mentions.named_in`).

    Raise `Invalid` and `NotFound` as `reply` does.
    """
    message_id = await _write(case, "note", Writing(text, files, form_key), by, at)
    if message_id is not None:
        await mentions.record(message_id, case.customer_id, text)
        await finish(case, [], by, at, told_as="case.noted", record_id=message_id)


async def _write(case: "Case", kind: str, writing: Writing, by: Reader, at: datetime) -> int | None:
    """Lock the case, write a message of this kind (`reply` or `note`), and return its id.

    If the case was merged since it was loaded, write on the case into which it was merged. If this form was sent
    before, write nothing and return None.
    """
    writing.check()
    if await messages.written_before(writing, by, kind, case.id):
        return None
    html = await messages.html_of(writing)
    await lock(case, by, follows=True)
    return await messages.write(case.id, case.customer_id, kind, writing, html, by=by, at=at)
