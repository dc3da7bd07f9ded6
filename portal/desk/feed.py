"""Read the feed of a case: its messages with their files, and its events, in order of time.

A page shows one window of the feed, of at most `WINDOW` items. `portal.timekeeping` adds the time entries that belong in
the window with `Feed.with_items`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.numbers import number_in
from portal.people.readers import ContactReader, Reader

WINDOW = 50
"""The maximum number of messages and events in one window of a feed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Item(Protocol):
    """The attributes that every item of a feed has: `at`, its instant, and `shape`, which names its template fragment."""

    @property
    def at(self) -> datetime: ...
    @property
    def shape(self) -> str: ...


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message: its name, its size in bytes, and its URL."""

    name: str
    size: int
    address: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message in a feed: a reply, or a note if `is_note`.

    `author` is the author's name. `side` is what is shown beside it: the name of the company or the customer, or "You"
    for the message of the contact who reads. `ours` is True if an agent wrote the message.
    """

    id: int
    at: datetime
    author: str
    ours: bool
    side: str
    html: str
    is_note: bool
    files: list[File]
    shape: str = "message"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in a feed, such as a change of status. `sign` is the name of its icon, `words` the sentence that is shown."""

    id: int
    at: datetime
    sign: str
    words: str
    shape: str = "event"


@dataclass(frozen=True, slots=True)
class Feed:
    """One window of a case's feed, oldest item first.

    `earlier` is the cursor of the window before this one, or "" if this window begins with the first item of the case.
    A time entry belongs in this window if it was created at or after `since` (None: no lower bound) and before `until`
    (None: no upper bound).
    """

    items: list[Any]
    earlier: str
    since: datetime | None
    until: datetime | None

    def with_items(self, items: Iterable[Item]) -> "Feed":
        """Return the window with `items` added, sorted by instant; at the same instant the added items come last."""
        return replace(self, items=sorted([*self.items, *items], key=lambda item: item.at))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a feed: an instant, then a rank and an id that order the items of that instant.

    Its text in a URL is `<microseconds>.<rank>.<id>`.
    """

    at: datetime
    rank: int
    id: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}.{self.rank}.{self.id}"

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """Return the cursor that a URL contains; None, for the newest window, if the text is not a cursor."""
        numbers = [number for part in text.split(".") if (number := number_in(part, digits=16)) is not None]
        if len(numbers) != 3 or text.count(".") != 2:
            return None
        microseconds, rank, id = numbers
        return cls(_EPOCH + timedelta(microseconds=microseconds), min(rank, 9), id)


# Rank items of the same instant: first the opening (0), then messages (1), then the events that followed (2).
_FEED = """
select * from (
  (select m.at, 1 as rank, m.id, m.kind, m.author_name as name, m.contact_id, m.agent_id, m.html, null as details,
     (select json_agg(json_build_array(f.id, f.name, f.size) order by f.position) from attachment f where f.message_id = m.id)::text as files
   from message m where m.case_id = $1 and ($2 or m.kind = 'reply')
   and ($3::timestamptz is null or (m.at <= $3 and (m.at, 1, m.id) < ($3, $4::int, $5::bigint)))
   order by m.at desc, m.id desc limit $6)
  union all
  (select e.at, case e.kind when 'opened' then 0 else 2 end as rank, e.id, e.kind, e.actor_name, e.contact_id, e.agent_id, null, e.details::text, null
   from case_event e where e.case_id = $1 and ($2 or e.contact_may_know) and e.kind <> all ($7)
   and ($3::timestamptz is null or (e.at <= $3 and (e.at, case e.kind when 'opened' then 0 else 2 end, e.id) < ($3, $4::int, $5::bigint)))
   order by e.at desc, rank desc, e.id desc limit $6)
) as feed order by at desc, rank desc, id desc limit $6
"""


async def feed_of(case: Case, reader: Reader, *, files_at: str, company: str, customer: str, before: str = "") -> Feed:
    """Return the window of the feed that ends before the cursor `before`, read by one query.

    If `before` is not a cursor, return the newest window. `files_at` is the URL below which the case's files are found,
    with a slash at the end. `company` and `customer` are the names of the company and the customer, which are shown
    beside messages. A contact gets neither notes nor the events that only agents may know of.
    """
    place = Cursor.read(before)
    rows = await current().fetch(
        _FEED,
        case.id,
        reader.is_agent,
        place and place.at,
        place and place.rank,
        place and place.id,
        WINDOW + 1,
        list(_not_shown(reader)),
    )
    more, shown = len(rows) > WINDOW, rows[:WINDOW][::-1]
    items = [
        _said(row, _files(row, files_at), reader, company, customer) if row["rank"] == 1 else _happened(row, reader)
        for row in shown
    ]
    first = shown[0] if more else None
    return Feed(
        items=items,
        earlier=str(Cursor(first["at"], first["rank"], first["id"])) if first else "",
        since=first["at"] if first else None,
        until=place.at if place else None,
    )


def _not_shown(reader: Reader) -> tuple[str, ...]:
    # The event "opened" is left out for contacts, because the first message already shows that the case was opened.
    return events.NOT_SHOWN if reader.is_agent else (*events.NOT_SHOWN, "opened")


def _files(row: Any, files_at: str) -> list[File]:
    return [File(name, size, f"{files_at}{id}") for id, name, size in json.loads(row["files"] or "[]")]


def _said(row: Any, files: list[File], reader: Reader, company: str, customer: str) -> Said:
    ours = row["agent_id"] is not None
    if isinstance(reader, ContactReader):
        side = company if ours else "You" if row["contact_id"] == reader.id else reader.customer_name
    else:
        side = f"{company}, reply" if ours else customer
    return Said(
        id=row["id"],
        at=row["at"],
        author=row["name"],
        ours=ours,
        side=side,
        html=row["html"],
        is_note=row["kind"] == "note",
        files=files,
    )


def _happened(row: Any, reader: Reader) -> Happened:
    details = json.loads(row["details"])
    return Happened(
        id=row["id"],
        at=row["at"],
        sign=events.sign_of(row["kind"], details),
        words=events.words_of(row["kind"], row["name"], details, for_contact=reader.is_contact, zone=reader.zone),
    )


async def files_of(case: Case, *, files_at: str, most: int = 30) -> list[tuple[File, datetime]]:
    """Return the newest `most` files of a case, the oldest first, each with the instant of its message.

    Row-level security leaves out the files of notes if the transaction runs for a contact. `files_at` is the URL below
    which the files are found, with a slash at the end.
    """
    rows = await current().fetch(
        "select a.id, a.name, a.size, m.at from message m join attachment a on a.message_id = m.id where m.case_id = $1"
        " order by m.at desc, m.id desc, a.position desc limit $2",
        case.id, most,
    )  # fmt: skip
    return [(File(row["name"], row["size"], f"{files_at}{row['id']}"), row["at"]) for row in reversed(rows)]
