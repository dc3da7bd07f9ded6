"""Write the messages of a case: replies, which customer and agents read, and notes, which only agents read.

Row-level security also hides notes from contacts (D51).
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from piccolo.columns import UUID, BigInt, BigSerial, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk.events import author_of
from portal.desk.facts import checked_subject
from portal.desk.files.attachments import StoredFile, attach
from portal.errors import Invalid, NotFound
from portal.people.readers import Reader
from portal.render import markdown
from portal.visible import visible

LONGEST = 30_000
"""The maximum number of characters of a message.

Markdown with many unclosed marks takes longest to render: 0.3 s for this many characters, and 1.5 s for three times as
many.
"""
SHORT = 2_000
"""The maximum number of characters of a message that is rendered in the event loop.

A longer message would block the event loop, so it is rendered in a worker thread.
"""


class Message(Table, tablename="message"):
    """A reply or a note on a case (`kind` is `reply` or `note`). Its text changes only if an admin redacts it.

    `contact_id` or `agent_id` is its author, and `author_name` the author's name at that time. `text` is its Markdown
    as typed, and `html` the sanitized HTML made from the Markdown. `taken_by_id` is the agent who wrote down what the
    contact `contact_id` said on the phone.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    case_id = BigInt(default=None)
    kind = Text(default=None)
    contact_id = BigInt(null=True, default=None)
    agent_id = BigInt(null=True, default=None)
    author_name = Text(default=None)
    text = Text(default=None)
    html = Text(default=None)
    at = Timestamptz(default=None)
    form_key = UUID(null=True, default=None)
    taken_by_id = BigInt(null=True, default=None)


class SentBefore(Invalid):
    """Raised if the same form was sent before with other content.

    The page that shows the error message gives the form a new key, so that the form can be sent again.
    """


@dataclass(frozen=True, slots=True)
class Writing:
    """A message that somebody sends: its Markdown text and its stored files.

    A form with the same `form_key` that is sent again writes no second message.
    """

    text: str
    files: Sequence[StoredFile] = field(default=())
    form_key: uuid.UUID | None = None

    def __post_init__(self) -> None:
        """Remove invisible characters from the text before it is checked, compared, stored and rendered."""
        object.__setattr__(self, "text", visible(self.text))

    def problems(self) -> dict[str, str]:
        """Return an error message for the text under the field name `body`, or an empty dict if the text is valid."""
        if not self.text.strip():
            return {
                "body": "Write something: a file alone does not say what to do with it."
                if self.files
                else "Write something first."
            }
        if len(self.text) > LONGEST:
            return {"body": f"Use at most {LONGEST:,} characters; attach the rest as a file."}
        return {}

    def check(self) -> None:
        """Raise `Invalid` at the field `body` if the text is not valid."""
        if problems := self.problems():
            raise Invalid(problems)


def problems_of(subject: str, text: str) -> dict[str, str]:
    """Return an error message for each field of the form for a new case (`subject`, `body`) that is not valid.

    A form that is refused for another reason shows these error messages as well.
    """
    return checked_subject(subject)[1] | Writing(text).problems()


async def written_before(writing: Writing, by: Reader, kind: str = "reply", case_id: int | None = None) -> int | None:
    """Return the id of the case on which `by` has already sent the form `writing.form_key`, or None if it was not sent.

    Without a `form_key`, return None. An advisory lock on the form, held until the transaction ends, makes simultaneous
    requests with this form wait for each other. Raise `SentBefore` if the form was sent with another text or as another
    `kind` of message; for a note, also if the form was sent as a reply that has not gone out. With `case_id`, raise
    `SentBefore` also if the form was sent on another case. This happens if somebody uses the browser's Back button,
    changes the text and sends the form again: the sender has to know that the new text is not stored.
    """
    if writing.form_key is None:
        return None
    tx, (contact_id, agent_id) = current(), author_of(by)
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", str(writing.form_key))
    sent = await tx.fetchrow(
        "select case_id, kind, text from message"
        " where form_key = $1 and (taken_by_id is null and contact_id is not distinct from $2 and agent_id is not distinct from $3"
        " or taken_by_id = $3)",
        writing.form_key, contact_id, agent_id,
    )  # fmt: skip
    if sent is None:
        if kind == "note" and await tx.fetchval(_HELD, writing.form_key, agent_id):
            raise SentBefore({"body": _OTHER_WORDS})
        return None
    if (sent["kind"], sent["text"]) != (kind, writing.text) or case_id not in (None, sent["case_id"]):
        raise SentBefore({"body": _OTHER_WORDS})
    return int(sent["case_id"])


_OTHER_WORDS = "You sent this form before, with other words. Send it once more to add these too."
_HELD = "select true from outgoing_reply where form_key = $1 and agent_id = $2"


async def html_of(writing: Writing) -> str:
    """Return the text as sanitized HTML. Raise `Invalid` at the field `body` if the text is not valid.

    Call this before locking the case, because rendering may be slow.
    """
    writing.check()
    if len(writing.text) <= SHORT:
        return markdown(writing.text)
    return await asyncio.to_thread(markdown, writing.text)


async def write(
    case_id: int,
    customer_id: int,
    kind: str,
    writing: Writing,
    html: str,
    *,
    by: Reader,
    at: datetime,
    caller: tuple[int, str] | None = None,
) -> int:
    """Insert a `reply` or a `note` on a case that the caller has locked, attach its files, and return the message's id.

    `html` is the result of `html_of`. `caller` is the id and the name of a contact who said on the phone what the agent
    `by` writes down; the contact is then the author. Raise `NotFound` if a contact tries to write a note, and
    `NotFound` or `Invalid` for the files as `attach` does.
    """
    if kind == "note" and by.is_contact:
        raise NotFound
    contact_id, agent_id = author_of(by) if caller is None else (caller[0], None)
    message = Message(
        customer_id=customer_id, case_id=case_id, kind=kind, contact_id=contact_id, agent_id=agent_id, author_name=caller[1] if caller else by.name,
        taken_by_id=by.id if caller else None, text=writing.text, html=html, at=at, form_key=writing.form_key,
    )  # fmt: skip
    await message.save()
    message_id: int = message.id
    await attach(writing.files, customer_id=customer_id, message_id=message_id, by=by)
    return message_id
