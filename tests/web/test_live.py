"""Test live updates: people get only the events that they may know of, and no change is missed by an open page."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from portal import outbox
from portal.database import transaction
from portal.errors import TooMany
from portal.people.access import sessions
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from portal.web.live import MOST_STREAMS, UNREAD, Listener
from portal.web.visit import CompanyBrief, Visit
from tests.browser import Browser
from tests.world import ACME, ADA, ALAN, GIL, INES, MAX

pytestmark = pytest.mark.slow


class Stream:
    """Collects the names of the server-sent events of one page's stream in `heard`, in a background task."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        self.events = events
        self.heard: list[str] = []
        self.task = asyncio.create_task(self.listen())

    async def listen(self) -> None:
        async for chunk in self.events:
            self.heard += [line[7:] for line in chunk.decode().splitlines() if line.startswith("event: ")]

    async def hears(self, *names: str) -> None:
        """Wait until the names of all events sent so far are exactly these; fail after five seconds."""
        for _ in range(100):
            if self.heard == list(names):
                return
            await asyncio.sleep(0.05)
        assert self.heard == list(names)


@contextlib.contextmanager
def probe(listener: Listener) -> Iterator[asyncio.Queue[Any]]:
    """Yield a queue that receives every notification that this process gets from the database."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    listener.streams[queue] = 0
    try:
        yield queue
    finally:
        del listener.streams[queue]


async def caught_up(listener: Listener) -> None:
    """Wait until this process has received every notification sent so far, however busy the machine is."""
    with probe(listener) as heard:
        for _ in range(15):  # Send again, because notifications are lost while the listener reconnects.
            async with transaction(SYSTEM) as tx:
                await tx.execute("select pg_notify('portal', '{\"kind\": \"probe\"}')")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while await heard.get() != {"kind": "probe"}:
                        pass
                    return
    raise AssertionError("the process hears nothing")


@pytest.fixture
async def listener(dsn: str) -> AsyncIterator[Listener]:
    listener = Listener()
    with probe(listener) as heard:
        listener.start()
        await asyncio.wait_for(heard.get(), 30)
    yield listener
    await listener.stop()


async def visit_of(reader: Reader, settings: Settings) -> Visit:
    async with transaction(None):
        token = await sessions.begin(reader.credential_id, address="-", browser="-", at=datetime.now(UTC))
        found = await sessions.find(token, datetime.now(UTC))
    assert found is not None
    return Visit(
        settings,
        open_storage(settings.storage_url),
        datetime.now(UTC),
        "-",
        CompanyBrief("-", "EUR", "UTC"),
        reader,
        found[0],
    )


async def tell(kind: str, subject_id: int, *, contact_may_know: bool, contact: Reader = ADA) -> None:
    """Write a change to the outbox. For a kind such as `case.replied`, the case belongs to `contact`."""
    async with transaction(SYSTEM):
        await outbox.tell(
            kind=kind,
            subject_id=subject_id,
            customer_id=ACME,
            contact_id=contact.id if kind.startswith("case.") else None,
            contact_may_know=contact_may_know,
            actor=None,
            at=datetime.now(UTC),
        )


async def snapshot() -> str:
    """Return the database snapshot that a page would contain if it were rendered now."""
    async with transaction(SYSTEM, readonly=True) as tx:
        text: str = await tx.fetchval("select pg_current_snapshot()::text")
    return text


async def open_case(contact: Reader) -> int:
    async with transaction(contact) as tx:
        case: int = await tx.fetchval(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
            " values ($1, $2, 'x', 1, 2, 'new', now(), now()) returning id",
            contact.customer_id,
            contact.id,
        )
    return case


async def test_each_hears_only_what_they_may_know(listener: Listener, settings: Settings) -> None:
    """R26, R27: Ada, Alan and Gil get no events about internal notes, other customers or what they may not see.

    Events about a timer or a finished export go only to the agent to whom it belongs.
    """
    case, his = await open_case(ADA), await open_case(ALAN)
    streams = {
        reader.name: Stream(listener.events(await visit_of(reader, settings), snapshot=await snapshot()))
        for reader in (INES, ADA, ALAN, GIL)
    }
    await asyncio.sleep(0.2)
    await tell("case.noted", case, contact_may_know=False)
    await tell("case.replied", case, contact_may_know=True)
    await tell("invoice.issued", 7, contact_may_know=True)
    await tell("timer.changed", INES.id, contact_may_know=False)
    await tell("timer.changed", MAX.id, contact_may_know=False)
    for owner in (INES, MAX):
        await tell("export.ready", owner.id, contact_may_know=False)
    await tell("case.replied", his, contact_may_know=True, contact=ALAN)
    of_his = (f"case-{his}", "cases")
    await streams[INES.name].hears(
        f"case-{case}", "cases", f"case-{case}", "cases", "invoices", "timer", "files", *of_his
    )
    await streams[ADA.name].hears(f"case-{case}", "cases", "invoices", *of_his)
    await streams[ALAN.name].hears(*of_his)
    await streams[GIL.name].hears()


async def test_after_the_database_was_away_every_page_gets_the_event_to_fetch_again(
    listener: Listener, settings: Settings, dsn: str
) -> None:
    stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=await snapshot()))
    await asyncio.sleep(0.2)
    async with transaction(None) as tx:
        name = await tx.fetchval("select current_database()")
    owner = await asyncpg.connect(dsn)
    gone = await owner.fetchval(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'portal live' and datname = $1",
        name,
    )
    await owner.close()
    assert gone
    await stream.hears("refetch")


async def test_a_page_that_comes_back_fetches_again(listener: Listener, settings: Settings) -> None:
    stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=None))
    await stream.hears("refetch")


class TestBetweenThePageAndItsStream:
    """Test that no change is lost between a page's rendering and the opening of its stream."""

    async def test_the_stream_begins_with_what_happened_meanwhile(self, listener: Listener, settings: Settings) -> None:
        """R26, R27: a stream begins with the changes since the page's snapshot of which its reader may know."""
        case, then = await open_case(ADA), await snapshot()
        for _ in range(2):
            await tell("case.replied", case, contact_may_know=True)
        await tell("case.noted", await open_case(ADA), contact_may_know=False)
        await caught_up(listener)
        streams = {
            reader.name: Stream(listener.events(await visit_of(reader, settings), snapshot=then))
            for reader in (INES, ADA, ALAN, GIL)
        }
        await streams[INES.name].hears(f"case-{case}", "cases", f"case-{case + 1}")
        await streams[ADA.name].hears(f"case-{case}", "cases")
        await asyncio.sleep(0.2)
        await streams[ALAN.name].hears()
        await streams[GIL.name].hears()

    async def test_what_was_shown_already_is_not_told_again(self, listener: Listener, settings: Settings) -> None:
        await tell("case.replied", await open_case(ADA), contact_may_know=True)
        await caught_up(listener)
        stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=await snapshot()))
        await asyncio.sleep(0.3)
        await stream.hears()

    async def test_a_change_that_began_before_the_page_and_was_saved_after_it_is_sent(
        self, listener: Listener, settings: Settings, dsn: str
    ) -> None:
        """A change that began before the page was rendered and was committed after it is sent on the stream.

        Times and ids cannot reveal such a change, because both are taken before the commit; the snapshot can.
        """
        case = await open_case(ADA)
        slow = await asyncpg.connect(dsn)
        running = slow.transaction()
        await running.start()
        await slow.execute(
            "insert into outbox (kind, customer_id, contact_id, contact_may_know, subject_id, at)"
            " values ('case.replied', $1, $2, true, $3, now())",
            ACME,
            ADA.id,
            case,
        )
        await tell("invoice.issued", 7, contact_may_know=True)
        then = await snapshot()
        await running.commit()
        await slow.close()
        await caught_up(listener)
        stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=then))
        await stream.hears(f"case-{case}", "cases")

    @pytest.mark.parametrize("far", ["1:1:", "999999999:999999999:"], ids=["long ago", "of before a restore"])
    async def test_a_snapshot_from_far_away_has_everything_fetched_again(
        self, listener: Listener, settings: Settings, far: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stream that is opened with a very old or impossible snapshot tells the page to fetch everything again.

        Thus no change is missed, and the database does not scan the whole outbox.
        """
        monkeypatch.setattr(outbox, "MOST_TRANSACTIONS", 10)
        stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=far))
        await stream.hears("refetch")

    async def test_where_too_much_happened_everything_is_fetched_again(
        self, listener: Listener, settings: Settings
    ) -> None:
        then = await snapshot()
        async with transaction(SYSTEM) as tx:
            await tx.execute(
                "insert into outbox (kind, customer_id, contact_may_know, subject_id, at)"
                " select 'invoice.issued', $1, true, n, now() from generate_series(1, $2::int) n",
                ACME,
                outbox.MOST_TOLD + 1,
            )
        await caught_up(listener)
        stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=then))
        await stream.hears("refetch")

    async def test_what_somebody_may_not_know_is_not_counted_either(
        self, listener: Listener, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """R26, R27: of many missed changes, only those that the reader may know of count towards `MOST_TOLD`.

        Beyond that number, a page is told to fetch everything again. If hidden changes counted, that event would reveal
        them.
        """
        monkeypatch.setattr(outbox, "MOST_TOLD", 3)
        case, then = await open_case(ALAN), await snapshot()
        for _ in range(5):
            await tell("case.replied", await open_case(ADA), contact_may_know=True)
        await tell("invoice.issued", 7, contact_may_know=True)
        await tell("case.replied", case, contact_may_know=True, contact=ALAN)
        await caught_up(listener)
        stream = Stream(listener.events(await visit_of(ALAN, settings), snapshot=then))
        await stream.hears(f"case-{case}", "cases")

    @pytest.mark.parametrize("nonsense", ["", "x", "9:1:", "1:1:1,", "99999999999999999999:1:", "1:٢:"])
    async def test_a_snapshot_that_cannot_be_read_has_everything_fetched_again(
        self, listener: Listener, settings: Settings, nonsense: str
    ) -> None:
        stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=nonsense))
        await stream.hears("refetch")

    async def test_a_process_that_begins_to_listen_tells_the_pages_that_wait_for_it(
        self, dsn: str, settings: Settings
    ) -> None:
        """A process that begins to listen tells the streams that were opened before to fetch everything again."""
        late = Listener()
        stream = Stream(late.events(await visit_of(ADA, settings), snapshot=await snapshot()))
        await asyncio.sleep(0.2)
        await stream.hears()
        late.start()
        await stream.hears("refetch")
        await late.stop()


async def test_a_stream_ends_with_its_session_and_does_not_prolong_it(
    listener: Listener, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.web.live.HEARTBEAT", 0.1)
    visit = await visit_of(ADA, settings)
    stream = Stream(listener.events(visit, snapshot=await snapshot()))
    await asyncio.sleep(0.4)
    assert not stream.task.done()
    async with transaction(None) as tx:
        used = await tx.fetchval("select last_used_at from session")
        assert used <= visit.at
        await tx.execute("update session set ended_at = now()")
    await asyncio.wait_for(stream.task, 5)
    assert stream.heard == ["ended"]


async def begun(stream: Stream) -> None:
    """Write a reply on case 1 to the outbox, and wait until the stream has sent its event; fail after five seconds.

    The stream may send the event twice: once as missed before its start, and once as it happens.
    """
    await tell("case.replied", 1, contact_may_know=True)
    for _ in range(100):
        if "cases" in stream.heard:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the stream does not begin")


async def test_a_stream_that_is_never_silent_ends_with_its_session_all_the_same(
    listener: Listener, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12, R17: a stream that always has events to send still ends when its session ends."""
    monkeypatch.setattr("portal.web.live.LOOK_AGAIN", 0.0)
    stream = Stream(listener.events(await visit_of(INES, settings), snapshot=await snapshot()))
    await begun(stream)
    async with transaction(None):
        await sessions.end_all(INES.credential_id, datetime.now(UTC))
    await tell("case.replied", 7, contact_may_know=True)
    await asyncio.wait_for(stream.task, 5)
    assert (stream.heard[-1], "case-7" in stream.heard) == ("ended", False)


async def test_a_stream_follows_what_its_reader_may_know(
    listener: Listener, settings: Settings, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12, R33: when Ada loses the right to see invoices, her open stream sends no more events about invoices."""
    monkeypatch.setattr("portal.web.live.LOOK_AGAIN", 0.0)
    stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=await snapshot()))
    await begun(stream)
    connection = await asyncpg.connect(dsn)
    await connection.execute("update contact set sees_invoices = false where id = $1", ADA.id)
    await connection.close()
    await tell("invoice.issued", 2, contact_may_know=True)
    await tell("case.replied", 7, contact_may_know=True)
    for _ in range(100):
        if "case-7" in stream.heard:
            break
        await asyncio.sleep(0.05)
    assert ("case-7" in stream.heard, "invoices" in stream.heard) == (True, False)
    stream.task.cancel()


async def test_only_a_page_that_does_not_read_its_stream_fetches_everything_again(listener: Listener) -> None:
    """R26: if one page does not read its stream, only that page is told to fetch everything again.

    The other pages have missed nothing, and their readers might not even be allowed to know of the missed changes.
    """
    slow, quick = asyncio.Queue[Any](), asyncio.Queue[Any]()
    for _ in range(UNREAD + 1):
        slow.put_nowait({"kind": "case.replied"})
    listener.streams |= {slow: ADA.credential_id, quick: GIL.credential_id}
    listener._tell({"kind": "case.noted"})
    assert (slow.qsize(), slow.get_nowait(), quick.get_nowait()) == (1, {"kind": "refetch"}, {"kind": "case.noted"})


async def test_a_page_whose_session_is_over_gets_an_event_and_no_redirect(app: Gate) -> None:
    """A stream that is requested with an ended session gets the event `ended` and no redirect.

    The page then stops reconnecting, and what is being typed is not lost.
    """
    async with Browser(app) as browser:
        for path in ("/live?snapshot=1:1:", "/agent/live?snapshot=1:1:"):
            answer = await browser.get(path, headers={"HX-Request": "true"})
            assert (answer.status_code, answer.text) == (200, "event: ended\ndata:\n\n")
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert "hx-redirect" not in answer.headers


async def test_a_page_of_somebody_who_signed_in_before_gets_the_event_that_its_session_is_over(app: Gate) -> None:
    """If another person has signed in since a page was loaded, the page's event stream gets only the event `ended`.

    So an agent's page stops reconnecting after a contact has signed in with the same browser, and vice versa.
    """
    for reader, path in ((ADA, "/agent/live?snapshot=1:1:"), (INES, "/live?snapshot=1:1:")):
        async with await Browser.of(app, reader) as browser:
            answer = await browser.get(path, headers={"HX-Request": "true"})
            assert (answer.status_code, answer.text) == (200, "event: ended\ndata:\n\n")
            assert (await browser.get(path)).status_code == 404


async def test_asking_for_a_stream_in_vain_does_not_keep_a_session_alive(app: Gate) -> None:
    """R16: a refused request for an event stream does not prolong the session; open pages repeat such requests."""
    at = datetime.now(UTC) - timedelta(minutes=20)
    async with await Browser.of(app, ADA, at=at) as browser:
        await browser.get("/agent/live?snapshot=1:1:", headers={"HX-Request": "true"})
        async with transaction(None) as tx:
            assert await tx.fetchval("select last_used_at from session") == at
        await browser.get("/cases")
        async with transaction(None) as tx:
            assert await tx.fetchval("select last_used_at from session") > at


async def test_streams_end_when_the_portal_stops(listener: Listener, settings: Settings) -> None:
    stream = Stream(listener.events(await visit_of(ADA, settings), snapshot=await snapshot()))
    await asyncio.sleep(0.1)
    with contextlib.suppress(asyncio.CancelledError):
        await listener.stop()
    await asyncio.wait_for(stream.task, 2)


async def test_nobody_takes_the_connections_of_all(listener: Listener, settings: Settings) -> None:
    """The number of event streams that one person can have open is limited; closing one makes room for another."""
    visit = await visit_of(ADA, settings)
    open_ones = [listener.events(visit, snapshot=await snapshot()) for _ in range(MOST_STREAMS)]
    for stream in open_ones:
        await anext(stream)
    with pytest.raises(TooMany):
        listener.refuse_more(ADA)
    listener.refuse_more(GIL)
    await open_ones[0].aclose()
    listener.refuse_more(ADA)
    for stream in open_ones[1:]:
        await stream.aclose()
