"""What a case's page tells: messages with their files and events in one order, a window of it, by two queries however long the case is.

Rooms above the desk put their own items in between by `Feed.with_items` (time entries); an item of theirs has `at` and a `shape`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.desk.files.attachments import Attachment
from portal.numbers import number_in
from portal.people.readers import ContactReader, Reader

WINDOW = 50
"""Items on one page of a feed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Item(Protocol):
    """Anything that a feed shows; `shape` names its fragment."""

    @property
    def at(self) -> datetime: ...
    @property
    def shape(self) -> str: ...


@dataclass(frozen=True, slots=True)
class File:
    """A file as a link."""

    name: str
    size: int
    address: str


@dataclass(frozen=True, slots=True)
class Said:
    """A reply or note. `side` says whom its author belongs to, in words for the reader."""

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
    """An event: an icon's name and a sentence."""

    id: int
    at: datetime
    sign: str
    words: str
    shape: str = "event"


@dataclass(frozen=True, slots=True)
class Feed:
    """A window of the feed, oldest first. `earlier`: the key of the page before this one, "" where this begins with the case's first item.

    Items of others belong into the window if they are at or after `since` (None: from the beginning) and before `until` (None: up to now).
    """

    items: list[Any]
    earlier: str
    since: datetime | None
    until: datetime | None

    def with_items(self, items: Iterable[Item]) -> "Feed":
        """The same window with more items in their place; at the same instant they come last."""
        return replace(self, items=sorted([*self.items, *items], key=lambda item: item.at))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A point between two items: the instant, and among those of one instant their rank and id. Written as `<microseconds>.<rank>.<id>`."""

    at: datetime
    rank: int
    id: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}.{self.rank}.{self.id}"

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """What an address says; None, which is the newest page, where it says nothing that makes sense."""
        numbers = [number for part in text.split(".") if (number := number_in(part, digits=16)) is not None]
        if len(numbers) != 3 or text.count(".") != 2:
            return None
        microseconds, rank, id = numbers
        return cls(_EPOCH + timedelta(microseconds=microseconds), min(rank, 9), id)


# At one instant: the opening, what was said, what followed from it.
_FEED = """
select * from (
  (select m.at, 1 as rank, m.id, m.kind, m.author_name as name, m.contact_id, m.agent_id, m.html, null as details
   from message m where m.case_id = $1 and ($2 or m.kind = 'reply')
   and ($3::timestamptz is null or (m.at <= $3 and (m.at, 1, m.id) < ($3, $4::int, $5::bigint)))
   order by m.at desc, m.id desc limit $6)
  union all
  (select e.at, case e.kind when 'opened' then 0 else 2 end as rank, e.id, e.kind, e.actor_name, e.contact_id, e.agent_id, null, e.details::text
   from case_event e where e.case_id = $1 and ($2 or e.contact_may_know) and e.kind <> all ($7)
   and ($3::timestamptz is null or (e.at <= $3 and (e.at, case e.kind when 'opened' then 0 else 2 end, e.id) < ($3, $4::int, $5::bigint)))
   order by e.at desc, rank desc, e.id desc limit $6)
) as feed order by at desc, rank desc, id desc limit $6
"""


async def feed_of(case: Case, reader: Reader, *, files_at: str, house: str, customer: str, before: str = "") -> Feed:
    """The newest items of a case that the reader may see, or those before the place `before`.

    `files_at`: the address under which its files are, ending in a slash; `house` and `customer`: the two sides' names, beside what they say. A
    contact never gets notes.
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
    attached = await Attachment.of([row["id"] for row in shown if row["rank"] == 1])
    files = {
        key: [File(file.name, file.size, f"{files_at}{file.id}") for file in found] for key, found in attached.items()
    }
    items = [
        _said(row, files.get(row["id"], []), reader, house, customer) if row["rank"] == 1 else _happened(row, reader)
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
    # The first message of a case says by itself that it was opened.
    return events.NOT_SHOWN if reader.is_agent else (*events.NOT_SHOWN, "opened")


def _said(row: Any, files: list[File], reader: Reader, house: str, customer: str) -> Said:
    ours = row["agent_id"] is not None
    if isinstance(reader, ContactReader):
        side = house if ours else "You" if row["contact_id"] == reader.id else reader.customer_name
    else:
        side = f"{house}, reply" if ours else customer
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
        words=events.words_of(row["kind"], row["name"], details, for_contact=reader.is_contact),
    )


async def files_of(case: Case, *, files_at: str, most: int = 30) -> list[tuple[File, datetime]]:
    """The newest files of a case that the reader may see, each with when it came, oldest first."""
    rows = await current().fetch(
        "select a.id, a.name, a.size, m.at from message m join attachment a on a.message_id = m.id where m.case_id = $1"
        " order by m.at desc, m.id desc, a.position desc limit $2",
        case.id, most,
    )  # fmt: skip
    return [(File(row["name"], row["size"], f"{files_at}{row['id']}"), row["at"]) for row in reversed(rows)]
