"""Read the feed of a case: its messages with their files, and its events, in order of time.

A page shows one window of the feed, of at most `WINDOW` items. `portal.timekeeping` adds the time entries that belong
in the window with `Feed.with_items`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Protocol

from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.desk.files.showing import Shape, shape_of
from portal.numbers import number_in
from portal.people.readers import ContactReader, Reader
from portal.render.formats import reading

WINDOW = 50
"""The maximum number of messages and events in one window of a feed."""

FOLDED_FROM = 3
"""The minimum number of consecutive events that are folded into one line for contacts."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Item(Protocol):
    """What every item of a feed has: `at`, its instant, and `shape`, the name of its template fragment."""

    @property
    def at(self) -> datetime: ...
    @property
    def shape(self) -> str: ...


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message: its name, its size in bytes, its URL, and the kind of its preview, None without one."""

    name: str
    size: int
    address: str
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A message in a feed: a reply, or a note if `is_note`.

    `author` is the author's name. `side` says beside the message who wrote it: the customer's name, the company's name
    (for agents followed by ", reply"), or "You" for a message of the contact who reads. `ours` is True if an agent
    wrote the message. `taken_by` is the name of the agent who wrote down what the author said on the phone, or "".
    `redacted` has a sentence for each file of the message that an admin has destroyed: who destroyed it, and why.
    """

    id: int
    at: datetime
    author: str
    ours: bool
    side: str
    html: str
    is_note: bool
    files: list[File]
    taken_by: str = ""
    redacted: Sequence[str] = ()
    shape: str = "message"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in a feed, such as a change of status. `sign` is the name of its icon, `words` its sentence.

    `number` is the number of the merged case in whose log the event is; None for the case that is shown. `address` is
    the URL of the help article that the event names; "" if there is none or the reader may not read it.
    """

    id: int
    at: datetime
    sign: str
    words: str
    number: int | None = None
    address: str = ""
    shape: str = "event"


@dataclass(frozen=True, slots=True)
class Folded:
    """Several events in a row, which a feed shows as one line that can be opened.

    `at` is the instant of the first event.
    """

    at: datetime
    events: list[Happened]
    shape: str = "folded"


@dataclass(frozen=True, slots=True)
class Feed:
    """One window of a case's feed, oldest item first.

    `earlier` is the cursor of the previous window, or "" if this window begins with the first item of the case. A time
    entry belongs in this window if it was created at or after `since` (None: no lower bound) and before `until` (None:
    no upper bound).
    """

    items: list[Any]
    earlier: str
    since: datetime | None
    until: datetime | None

    def folded(self) -> "Feed":
        """Return the window with each run of at least `FOLDED_FROM` events as one item."""
        items: list[Any] = []
        for is_event, run in groupby(self.items, key=lambda item: isinstance(item, Happened)):
            found = list(run)
            items += [Folded(found[0].at, found)] if is_event and len(found) >= FOLDED_FROM else found
        return replace(self, items=items)

    def with_items(self, items: Iterable[Item]) -> "Feed":
        """Return the window with `items` added, sorted by instant; at the same instant the added items come last."""
        return replace(self, items=sorted([*self.items, *items], key=lambda item: item.at))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a feed: an instant, and a rank and an id that order the items of the same instant.

    Its text in a URL is `<microseconds>.<rank>.<id>`.
    """

    at: datetime
    rank: int
    id: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}.{self.rank}.{self.id}"

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """Return the cursor in a URL; None, for the newest window, if the text is not a cursor."""
        numbers = [number for part in text.split(".") if (number := number_in(part, digits=16)) is not None]
        if len(numbers) != 3 or text.count(".") != 2:
            return None
        microseconds, rank, id = numbers
        return cls(_EPOCH + timedelta(microseconds=microseconds), min(rank, 9), id)


# Rank items of the same instant: first the opening (0), then messages (1), then the events that followed (2). The events of merged cases
# stay in the logs of those cases, and are read from each case by its index. For contacts, a status that was set by a reply is left out,
# because the reply shows it, unless the status is resolved or closed.
_FEED = """
select * from (
  (select m.at, 1 as rank, m.id, m.kind, m.author_name as name, m.contact_id, m.agent_id, m.html, null as details, null::bigint as number,
     (select json_agg(json_build_array(f.id, f.name, f.size, f.media_type) order by f.position)
      from attachment f where f.message_id = m.id)::text as files, null as article,
     (select a.name from agent a where a.id = m.taken_by_id) as taken_by,
     array(select r.note from redaction r where r.message_id = m.id and r.what = 'file' order by r.id) as redacted
   from message m where m.case_id = $1 and ($2 or m.kind = 'reply')
   and ($3::timestamptz is null or (m.at <= $3 and (m.at, 1, m.id) < ($3, $4::int, $5::bigint)))
   order by m.at desc, m.id desc limit $6)
  union all
  (select e.* from cases k cross join lateral (
     select e.at, case e.kind when 'opened' then 0 else 2 end as rank, e.id, e.kind, e.actor_name, e.contact_id, e.agent_id, null, e.details::text,
       case when k.id <> $1 then k.number end as number, null,
       case e.kind when 'read_article' then
         (select a.slug from help_article a where a.slug = e.details ->> 'slug' and a.published_at is not null) end, null, '{}'::text[]
     from case_event e where e.case_id = k.id and ($2 or e.contact_may_know) and e.kind <> all ($7)
     and ($2 or e.kind <> 'status' or e.details ->> 'to' in ('resolved', 'closed')
       or not exists (select from message m where m.case_id = e.case_id and m.at = e.at and m.kind = 'reply'
         and (m.contact_id, m.agent_id) is not distinct from (e.contact_id, e.agent_id)))
     and ($3::timestamptz is null or (e.at <= $3 and (e.at, case e.kind when 'opened' then 0 else 2 end, e.id) < ($3, $4::int, $5::bigint)))
     order by e.at desc, rank desc, e.id desc limit $6) e
   where k.id = $1 or k.merged_into_id = $1 order by e.at desc, e.rank desc, e.id desc limit $6)
) as feed order by at desc, rank desc, id desc limit $6
"""


async def feed_of(case: Case, reader: Reader, *, files_at: str, company: str, customer: str, before: str = "") -> Feed:
    """Return the window of the feed that ends before the cursor `before`, read with one query.

    If `before` is not a cursor, the window is the newest one. `files_at` is the URL prefix of the case's files, with a
    slash at the end. `company` and `customer` are the names that are shown beside messages. A contact gets neither
    notes nor the events that only agents may see.
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
    with reading(reader, None, None):
        items = [
            _said(row, _files(row, files_at), reader, company, customer)
            if row["rank"] == 1
            else _happened(row, reader, company)
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
    listed = json.loads(row["files"] or "[]")
    return [File(name, size, f"{files_at}{id}", shape_of(name, media_type)) for id, name, size, media_type in listed]


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
        taken_by=row["taken_by"] or "",
        redacted=row["redacted"],
    )


def _happened(row: Any, reader: Reader, company: str) -> Happened:
    details = json.loads(row["details"])
    # What the portal did by itself is shown to contacts as done by the company.
    is_automatic = row["contact_id"] is None and row["agent_id"] is None
    actor = company if is_automatic and reader.is_contact else row["name"]
    return Happened(
        id=row["id"],
        at=row["at"],
        sign=events.sign_of(row["kind"], details),
        words=events.words_of(row["kind"], actor, details, for_contact=reader.is_contact, zone=reader.zone),
        number=row["number"],
        address=f"/help/{row['article']}" if row["article"] else "",
    )


async def files_of(case: Case, *, files_at: str, most: int = 30) -> list[tuple[File, datetime]]:
    """Return the `most` newest files of a case, in order of time, each with the instant of its message.

    Row-level security leaves out the files of notes if the transaction runs for a contact. `files_at` is the URL prefix
    of the files, with a slash at the end.
    """
    rows = await current().fetch(
        "select a.id, a.name, a.size, a.media_type, m.at from message m join attachment a on a.message_id = m.id where m.case_id = $1"
        " order by m.at desc, m.id desc, a.position desc limit $2",
        case.id, most,
    )  # fmt: skip
    return [
        (File(row["name"], row["size"], f"{files_at}{row['id']}", shape_of(row["name"], row["media_type"])), row["at"])
        for row in reversed(rows)
    ]
