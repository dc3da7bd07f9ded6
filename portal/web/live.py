"""Send live updates: the database notifies the portal of each change, and open pages fetch the affected regions again.

One connection per process listens to the database, and reconnects after the database was down. Whenever it starts to
listen, every open page is told to fetch everything again. The event stream of a page begins with the changes since the
page was rendered (`snapshot`), so that no change between rendering and opening the stream is lost.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg
import structlog
from litestar import get
from litestar.response import Stream

from portal import database, outbox
from portal.errors import TooMany, Unavailable
from portal.numbers import number_in
from portal.people.access import sessions
from portal.people.access.sessions import Session
from portal.people.readers import AgentReader, ContactReader, Reader
from portal.web import presence
from portal.web.guards import agent_only, contact_only
from portal.web.monitoring.metrics import OPEN_STREAMS
from portal.web.presence import Present
from portal.web.visit import Visit, Web, now, visit_of

log = structlog.get_logger("portal.live")

HEARTBEAT = 20.0
"""After this many seconds without an event, a stream sends a heartbeat and checks that its session is still valid."""
LOOK_AGAIN = 5.0
"""The number of seconds after which a stream checks session and rights again before it sends an event (R12)."""
UNREAD = 100
"""The maximum number of notifications that are queued for a client that does not read its stream.

If there are more, one `REFRESH` replaces them all.
"""
MOST_STREAMS = 30
"""The maximum number of streams of one person in one process, so that nobody uses up the connections that all share."""
OWN = {"timer": "timer", "export": "files", "notice": "notices"}
"""The names of the events that are sent to one person only, by the first part of the notification's kind.

The `subject` of a `timer` or `export` notification is the person's agent id. The `subject` of a `notice` is the
person's credential id.
"""
PAGE = re.compile(r"[a-zA-Z0-9_-]{8,40}", re.ASCII)
REFRESH = "refetch"
"""The event that tells a page to fetch all its live regions again, because it may have missed changes."""


@dataclass(frozen=True, slots=True)
class Looking:
    """An open page on which an agent looks at a case. `page` is the random id that the page gave itself."""

    case_id: int
    page: str
    reader: AgentReader


class Listener:
    """Listens to the database, and puts each notification into the queue of every open stream of this process.

    `streams` maps the queue of each stream to the credential id of its reader. None in a queue ends the stream.
    """

    def __init__(self) -> None:
        self.streams: dict[asyncio.Queue[dict[str, Any] | None], int] = {}
        self.present = Present()
        self.leaving: set[asyncio.Task[None]] = set()
        self.closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start listening to the database in a background task."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening and end all streams."""
        self.closing = True
        self._tell(None)
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        delay = 0.2
        while True:
            try:
                await self._listen_until_lost()
                delay = 0.2
            except (*database.AWAY, asyncpg.PostgresError) as error:
                log.warning("the live updates lost the database", error=type(error).__name__)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)

    async def _listen_until_lost(self) -> None:
        lost = asyncio.Event()
        connection = await database.listener_connection()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener("portal", lambda *received: self._tell(json.loads(received[3])))
            self._tell({"kind": REFRESH})
            await lost.wait()
        finally:
            await connection.close(timeout=1)

    def _tell(self, notice: dict[str, Any] | None) -> None:
        """Put a notification, or None to end the streams, into the queue of each stream.

        Ignore a presence notification that changes nothing. A queue that is too long is emptied, and gets one
        `REFRESH` instead of the notification.
        """
        if notice and notice["kind"] == presence.KIND and not self.present.hear(notice):
            return  # a heartbeat that changes nothing
        for queue in self.streams:
            told = notice
            if queue.qsize() > UNREAD:
                while not queue.empty():
                    queue.get_nowait()
                told = notice and {"kind": REFRESH}
            queue.put_nowait(told)

    def refuse_more(self, reader: Reader | None) -> None:
        """Raise `TooMany` if this person already has `MOST_STREAMS` streams in this process."""
        if reader and list(self.streams.values()).count(reader.credential_id) >= MOST_STREAMS:
            raise TooMany("You have too many pages open. Close some of them.", retry_after=60)

    async def events(
        self, visit: Visit, *, snapshot: str | None, looks: Looking | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the server-sent events that the reader of this visit may know of, until the session ends.

        `snapshot` is the database snapshot from which the page was rendered. It is None if the page reconnects and may
        have missed any number of changes: then the first event makes the page fetch everything. `looks` says which case
        an agent's page shows, and is reported to all other open pages of this case.
        """
        reader, session = visit.reader, visit.session
        if reader is None or session is None:
            return
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.streams[queue] = reader.credential_id
        OPEN_STREAMS.inc()
        looked = monotonic()
        try:
            await _say(looks, "looks")
            yield b"id: 1\nretry: 1000\n\n"
            for name in [REFRESH] if snapshot is None else await _missed(reader, snapshot):
                yield _event(name)
            while not self.closing:
                notice: dict[str, Any] | None = {}
                with contextlib.suppress(TimeoutError):
                    notice = await asyncio.wait_for(queue.get(), HEARTBEAT)
                if notice is None:
                    break
                if not notice or monotonic() - looked > LOOK_AGAIN:
                    session, looked = await _current_session(session), monotonic()
                    if session is None or session.reader is None:
                        yield _event("ended")
                        break
                    reader = session.reader
                if not notice:
                    await _say(looks, "still")
                    yield b": still here\n\n"
                    continue
                for name in names(reader, notice):
                    yield _event(name)
        finally:
            del self.streams[queue]
            OPEN_STREAMS.dec()
            if looks and not self.closing:
                self.leaving.add(task := asyncio.create_task(_say(looks, "left")))
                task.add_done_callback(self.leaving.discard)


async def _say(looks: Looking | None, state: str) -> None:
    """Report to the other pages of a case what the page of `looks` does. `presence.say` lists the values of `state`.

    Do nothing if `looks` is None, because the page shows no case.
    """
    if looks:
        await presence.say(looks.case_id, looks.page, state, looks.reader)


async def _current_session(session: Session) -> Session | None:
    """Return the session with its current state and rights, without prolonging it; None if its row no longer exists.

    If the database does not respond, `session` is returned unchanged; the stream checks again soon.
    """
    try:
        async with database.transaction(None, readonly=True):
            return await sessions.find_again(session, now())
    except Unavailable:
        return session


def _event(name: str) -> bytes:
    return f"event: {name}\ndata:\n\n".encode()


async def _missed(reader: Reader, snapshot: str) -> list[str]:
    """Return the names of the events since `snapshot` that the reader may know of, each once.

    Return only `REFRESH` if the events are no longer stored, or if the database does not respond.
    """
    try:
        async with database.transaction(reader, readonly=True):
            if isinstance(reader, ContactReader):
                own = None if reader.sees_all_cases else reader.id
                notices = await outbox.told_since(snapshot, only_cases_of=own, invoices=reader.sees_invoices)
            else:
                notices = await outbox.told_since(snapshot)
        if notices is None:
            return [REFRESH]
        shown = [notice for notice in notices if _about(notice) not in OWN or names(reader, notice)]
        return list(dict.fromkeys([name for notice in shown for name in _events_of(notice)]))
    except Unavailable:
        return [REFRESH]


def names(reader: Reader, notice: dict[str, Any]) -> list[str]:
    """Return the names of the events to send to this reader for a notification; none if the reader may not know of it.

    The names are `case-` and `presence-` with an id, "cases", "time", "invoices", "timer", "files", "notices" and
    `REFRESH`. Each region of a page lists the events after which it fetches itself again.
    """
    kind = notice["kind"]
    if kind == REFRESH:
        return [REFRESH]
    about = _about(notice)
    if about in OWN:
        own = reader.credential_id if about == "notice" else reader.id if reader.is_agent else None
        return _events_of(notice) if notice["subject"] == own else []
    if isinstance(reader, ContactReader):
        if not notice["contact_may_know"] or notice["customer"] != reader.customer_id:
            return []
        if about in ("invoice", "statement"):
            return ["invoices"] if reader.sees_invoices else []
        everybody = reader.sees_all_cases and not notice["confidential"]
        if not everybody and reader.id not in (notice["contact"], *notice["participants"]):
            return []
    return _events_of(notice)


_EVENTS = dict.fromkeys(("invoice", "statement", "contract", "voucher"), "invoices") | OWN


def _events_of(notice: dict[str, Any]) -> list[str]:
    """Return the names of the events that a notification causes, without asking who may know of them."""
    about, subject = _about(notice), notice["subject"]
    if about in _EVENTS:
        return [_EVENTS[about]]
    if about == presence.KIND:
        return [f"presence-{subject}"]
    return [f"case-{subject}", "time" if about == "time" else "cases"]


def _about(notice: dict[str, Any]) -> str:
    """Return the type of a notification's subject, such as `case` or `timer`: the first part of its kind."""
    return str(notice["kind"]).split(".")[0]


def _looking(request: Web) -> Looking | None:
    """Return the `Looking` of the agent's page that opened this stream, or None if that page does not show a case.

    In the URL of the stream, `?looks=` is the id of the case, and `?page=` is the id of the page.
    """
    reader, case = visit_of(request).reader, number_in(request.query_params.get("looks"))
    page = request.query_params.get("page", "")
    return Looking(case, page, reader) if case and isinstance(reader, AgentReader) and PAGE.fullmatch(page) else None


def _stream(request: Web) -> Stream:
    listener: Listener = request.app.state.listener
    listener.refuse_more(visit_of(request).reader)
    snapshot = None if "last-event-id" in request.headers else request.query_params.get("snapshot", "")
    return Stream(
        listener.events(visit_of(request), snapshot=snapshot, looks=_looking(request)),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


@get("/live", guards=[contact_only])
async def contact_stream(request: Web) -> Stream:
    """Serve the server-sent event stream of a contact's page."""
    return _stream(request)


@get("/agent/live", guards=[agent_only])
async def agent_stream(request: Web) -> Stream:
    """Serve the server-sent event stream of an agent's page."""
    return _stream(request)
