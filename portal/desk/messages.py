"""`Message`: one entry of a case's dialogue. A reply is read by both sides, a note by agents only: row-level security holds it back too (D51)."""

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
from portal.desk.files.attachments import Upload, attach
from portal.errors import Invalid, NotFound
from portal.people.readers import Reader
from portal.render import markdown
from portal.visible import visible

LONGEST = 30_000
"""Characters of one message. Marks that are opened and never closed cost most to read: 0.3 s for so many, 1.5 s for three times that."""
SHORT = 2_000
"""Characters of a message that is rendered at once; a longer one in a thread, so that nobody else waits for it."""


class Message(Table, tablename="message"):
    """What somebody wrote, as typed (`text`, Markdown) and as cleaned HTML. Never changed once written."""

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


class SentBefore(Invalid):
    """This very form was sent before and says something else now; the page that says so is another form, with another key."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What somebody sends: Markdown and stored files. `form_key` marks the form, so that one sent twice makes one message."""

    text: str
    files: Sequence[Upload] = field(default=())
    form_key: uuid.UUID | None = None

    def __post_init__(self) -> None:
        """Take out what nobody sees: the text is checked here, once, and compared, stored and rendered as it is then."""
        object.__setattr__(self, "text", visible(self.text))

    def problems(self) -> dict[str, str]:
        """What is wrong with it, under the field `body`."""
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
        """Raise `Invalid` if there is anything wrong with it."""
        if problems := self.problems():
            raise Invalid(problems)


def problems_of(subject: str, text: str) -> dict[str, str]:
    """What is wrong with what somebody typed for a new case, for a form that is refused for other reasons already."""
    return checked_subject(subject)[1] | Writing(text).problems()


async def written_before(writing: Writing, by: Reader, kind: str = "reply", case_id: int | None = None) -> int | None:
    """The id of the case on which this very form has been sent already. A second sender waits here until the first has committed.

    Raises `SentBefore` at `body` where it was sent with other words (who goes back in the browser changes them in the same form) or elsewhere:
    they are not there yet, and must not be dropped. The page that says so is another form.
    """
    if writing.form_key is None:
        return None
    tx, (contact_id, agent_id) = current(), author_of(by)
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", str(writing.form_key))
    sent = await tx.fetchrow(
        "select case_id, kind, text from message"
        " where form_key = $1 and contact_id is not distinct from $2 and agent_id is not distinct from $3",
        writing.form_key, contact_id, agent_id,
    )  # fmt: skip
    if sent is None:
        return None
    if (sent["kind"], sent["text"]) != (kind, writing.text) or case_id not in (None, sent["case_id"]):
        raise SentBefore({"body": "You sent this form before, with other words. Send it once more to add these too."})
    return int(sent["case_id"])


async def html_of(writing: Writing) -> str:
    """The text as cleaned HTML; before a case is locked, for it may take its time."""
    writing.check()
    if len(writing.text) <= SHORT:
        return markdown(writing.text)
    return await asyncio.to_thread(markdown, writing.text)


async def write(
    case_id: int, customer_id: int, kind: str, writing: Writing, html: str, *, by: Reader, at: datetime
) -> int:
    """Add a `reply` or `note` to a case that the caller has locked, with its `html_of`; gives the message's id."""
    if kind == "note" and by.is_contact:
        raise NotFound
    message_id: int = await current().fetchval(
        "insert into message (customer_id, case_id, kind, contact_id, agent_id, author_name, text, html, at, form_key)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id",
        customer_id, case_id, kind, *author_of(by), by.name, writing.text, html, at, writing.form_key,
    )  # fmt: skip
    await attach(writing.files, customer_id=customer_id, message_id=message_id, by=by)
    return message_id
