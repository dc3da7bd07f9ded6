"""Mark notices of one person as read or unread."""

from collections.abc import Collection
from datetime import datetime

from portal import outbox
from portal.database import current
from portal.notices.inbox import SUBJECT, kinds_about
from portal.people.readers import Reader


async def read(
    reader: Reader,
    at: datetime,
    *,
    notice_ids: Collection[int] | None = None,
    about: tuple[str, int] | None = None,
    newest: int | None = None,
) -> int:
    """Mark notices of the reader as read, update the reader's other open pages, and return how many were marked.

    Notices that are read already do not change. Each argument that is given limits the notices further: `notice_ids` to
    notices with these ids, `about` to notices about one case or other thing, such as `("case", 7)`, and `newest` to
    notices whose id is not higher. `newest` is the highest id on the page, so that notices made after the page was
    shown stay unread.
    """
    what, subject_id = about or (None, None)
    marked = await current().fetch(_READ, reader.credential_id, at, notice_ids, kinds_about(what), subject_id, newest)
    await _tell_own_pages(len(marked), reader, at)
    return len(marked)


async def read_no_more(reader: Reader, read_at: datetime, at: datetime) -> None:
    """Mark as unread again all notices that the reader marked as read at the instant `read_at`.

    Notices that are only mailed and that the app does not show stay read. Calling it again has no further effect.
    """
    marked = await current().fetch(
        "update notice set read_at = null where credential_id = $1 and read_at = $2 and in_app returning id",
        reader.credential_id, read_at,
    )  # fmt: skip
    await _tell_own_pages(len(marked), reader, at)


async def _tell_own_pages(count: int, reader: Reader, at: datetime) -> None:
    """Update the reader's other open pages if `count`, the number of the reader's notices that changed, is not 0."""
    if count:
        await outbox.tell(
            kind="notice.changed", subject_id=reader.credential_id, customer_id=reader.customer_id,
            contact_id=reader.id if reader.is_contact else None, contact_may_know=reader.is_contact, actor=reader, at=at,
        )  # fmt: skip


# With `notice_ids` or `about`, notices that the app does not show are marked too: the page to which they lead was
# opened, so they need not be mailed any more.
_READ = f"""
update notice n set read_at = $2
where credential_id = $1 and (in_app or $3::bigint[] is not null or $5::bigint is not null) and read_at is null
  and ($3::bigint[] is null or id = any($3)) and kind = any($4)
  and ($5::bigint is null or $5 in (subject_id, case when kind like 'case.%' then {SUBJECT} end)) and ($6::bigint is null or id <= $6)
returning id
"""  # noqa: S608
