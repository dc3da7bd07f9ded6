"""Test the feed of a case: the order of its items, its wording for agents and contacts, and its windows (pages)."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case, Status, feed_of
from portal.desk.events import record
from portal.desk.feed import Cursor
from portal.people.readers import SYSTEM
from tests.desk.test_cases import LATER, opened
from tests.queries import counted
from tests.world import ADA, ALAN, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def feed(case: Case, reader: Any, before: str = "") -> Any:
    async with transaction(reader):
        return await feed_of(case, reader, files_at="/f/", company="Halden IT", customer="Acme", before=before)


def texts(feed: Any) -> list[str]:
    return [item.html if item.shape == "message" else item.words for item in feed.items]


async def test_both_sides_read_the_same_story_in_their_own_words() -> None:
    case = await opened(ALAN)
    async with transaction(INES):
        await case.take(by=INES, at=NOW + timedelta(minutes=1))
        await case.reply(by=INES, text="On a cable too?", at=LATER, then=Status.WAITING_FOR_CUSTOMER)
        await case.note(by=INES, text="Looks like #7.", at=LATER + timedelta(minutes=1))
    ours, theirs = await feed(case, INES), await feed(case, ADA)
    assert texts(ours) == [
        "Alan Weber opened the case",
        "<p>Every <strong>20</strong> minutes.</p>",
        "Ines Okafor took the case",
        "<p>On a cable too?</p>",
        "Ines Okafor set the status to Waiting for customer",
        "<p>Looks like #7.</p>",
    ]
    assert texts(theirs) == [
        "<p>Every <strong>20</strong> minutes.</p>",
        "Ines Okafor took the case",
        "<p>On a cable too?</p>",
    ]
    assert [item.side for item in ours.items if item.shape == "message"] == [
        "Acme",
        "Halden IT, reply",
        "Halden IT, reply",
    ]
    assert [item.side for item in theirs.items if item.shape == "message"] == ["Acme", "Halden IT"]
    assert [item.side for item in (await feed(case, ALAN)).items if item.shape == "message"] == ["You", "Halden IT"]
    assert [item.sign for item in ours.items if item.shape == "event"] == ["inbox", "user", "paused"]
    assert (ours.earlier, ours.since, ours.until) == ("", None, None)


async def test_contacts_see_a_line_for_a_status_unless_a_reply_sets_it() -> None:
    """S3.13: contacts see no line for a status that a reply sets, unless the reply resolves the case; agents see all lines."""
    case = await opened(ADA)
    async with transaction(INES):
        await case.reply(by=INES, text="Which one?", at=LATER, then=Status.WAITING_FOR_CUSTOMER)
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=LATER + timedelta(minutes=1))
        await case.reply(by=INES, text="Done.", at=LATER + timedelta(minutes=2), then=Status.RESOLVED)
    async with transaction(ADA):
        await case.reply(by=ADA, text="No.", at=LATER + timedelta(minutes=3))
    assert [words for words in texts(await feed(case, ADA)) if not words.startswith("<p>")] == [
        "Ines Okafor set the status to Waiting for others",
        "Ines Okafor resolved the case",
    ]
    assert "Ada Lindqvist opened the case again" in texts(await feed(case, INES))


async def test_three_events_in_a_row_are_folded_to_one_line() -> None:
    """S3.10, S3.13: three or more consecutive events are folded into one item of the feed, which lists them all."""
    case = await opened(ADA)
    async with transaction(MAX):
        await case.assign(INES.id, by=MAX, at=LATER)
        await case.assign(MAX.id, by=MAX, at=LATER)
    found = (await feed(case, ADA)).folded()
    assert [item.shape for item in found.items] == ["message", "event", "event"]
    async with transaction(MAX):
        await case.change_facts(by=MAX, at=LATER, priority=1)
        await case.reply(by=MAX, text="So.", at=LATER + timedelta(minutes=1))
    found = (await feed(case, ADA)).folded()
    assert [item.shape for item in found.items] == ["message", "folded", "message"]
    assert [event.words for event in found.items[1].events][-1] == "Max Herrmann set the priority to Low"


async def test_every_change_has_its_sentence() -> None:
    case = await opened()
    async with transaction(MAX):
        await case.assign(INES.id, by=MAX, at=NOW)
        await case.assign(None, by=MAX, at=NOW)
        await case.change_facts(by=MAX, at=NOW, subject="VPN", case_type_id=2, priority=1, service_id=None)
        await case.change_facts(by=MAX, at=NOW, service_id=1)
        for status in (Status.RESOLVED, Status.OPEN, Status.CLOSED):
            await case.change_status(status, by=MAX, at=NOW)
    assert texts(await feed(case, ADA))[1:] == [
        "Max Herrmann gave the case to Ines Okafor",
        "Max Herrmann gave the case back: nobody has it",
        "Max Herrmann changed the subject, which was “VPN drops”",
        "Max Herrmann set the type to Question",
        "Max Herrmann set the priority to Low",
        "Max Herrmann took the service off",
        "Max Herrmann set the service to Helpdesk",
        "Max Herrmann resolved the case",
        "Max Herrmann opened the case again",
        "Max Herrmann closed the case",
    ]


async def test_what_the_portal_did_is_done_by_the_company_for_contacts() -> None:
    """S3.10: where agents read "Portal", contacts read the company's name. The feed addresses contacts as "you"."""
    case = await opened()
    async with transaction(SYSTEM):
        await record(
            case.id, case.customer_id, "assigned", by=SYSTEM, contact_may_know=True, at=NOW, details={"to": INES.name}
        )
        await record(case.id, case.customer_id, "reminded", by=SYSTEM, contact_may_know=True, at=NOW)
    async with transaction(ADA):
        await case.set_confidential(True, by=ADA, at=NOW)
    only = "side only its contact and its watchers see it"
    assert texts(await feed(case, ADA))[1:] == [
        "Halden IT gave the case to Ines Okafor",
        "Halden IT reminded you of the answer that we wait for",
        f"Ada Lindqvist made the case confidential: on your {only}",
    ]
    assert texts(await feed(case, INES))[-3:] == [
        "Portal gave the case to Ines Okafor",
        "Portal reminded of the answer that we wait for",
        f"Ada Lindqvist made the case confidential: on the customer's {only}",
    ]


async def test_a_long_case_is_read_window_by_window_without_loss_or_repeat() -> None:
    case = await opened()
    async with transaction(INES) as tx:
        await tx.execute(
            "insert into message (customer_id, case_id, kind, contact_id, agent_id, author_name, text, html, at)"
            " select 1, $1, case when n % 3 = 0 then 'note' else 'reply' end, null, 1, 'Ines', n::text, n::text,"
            " $2::timestamptz + make_interval(mins => n / 4) from generate_series(1, 180) n",
            case.id, LATER,
        )  # fmt: skip
    for reader, expected in ((INES, 182), (ADA, 121)):
        seen: list[str] = []
        before, pages = "", 0
        while pages == 0 or before:
            window = await feed(case, reader, before)
            assert len(window.items) <= 50
            assert all(window.since is None or item.at >= window.since for item in window.items)
            assert all(window.until is None or item.at <= window.until for item in window.items)
            seen, before, pages = texts(window) + seen, window.earlier, pages + 1
        assert len(seen) == len(set(seen)) == expected
        assert seen[-1] == ("180" if reader is INES else "179")


async def test_a_window_costs_one_query_however_much_there_is() -> None:
    """Reading one window of a feed, with files, takes one query, however many items the case has."""
    case = await opened()
    async with transaction(ADA):
        for number in range(5):
            await case.reply(by=ADA, text=f"{number}", at=LATER)
        with counted() as statements:
            await feed_of(case, ADA, files_at="/f/", company="Halden IT", customer="Acme")
    assert len(statements) == 1


async def test_time_entries_are_merged_into_the_feed_by_their_instant() -> None:
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="later", at=LATER)
    entry = SimpleNamespace(at=NOW + timedelta(minutes=5), shape="entry")
    assert [item.shape for item in (await feed(case, INES)).with_items([entry]).items] == [
        "event",
        "message",
        "entry",
        "message",
        "event",
    ]


async def test_a_place_that_makes_no_sense_is_the_newest_page() -> None:
    """R48, R51: a cursor in the URL that cannot be read is ignored, and the newest window is returned."""
    case = await opened()
    for text in ("", "x", "1.2", "1.2.3.4", "-1.1.1", "1.1.'", "9" * 30 + ".1.1", "１.1.1"):
        assert Cursor.read(text) is None
        assert len((await feed(case, ADA, text)).items) == 1
