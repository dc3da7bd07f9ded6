"""Test the search: what it finds, that nobody finds what they may not see, and that its index follows changes."""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.database import current, transaction
from portal.desk import Case
from portal.desk.search import LONGEST, Asked, Found, FoundCase, FoundFile, Piece, found_cases, found_files, marked
from portal.desk.search import hits as searched_hits
from portal.desk.search.asked import Part
from portal.people.contacts import Contact
from portal.people.readers import Reader
from portal.storage import Storage, open_storage
from portal.timekeeping.moving.merging import merge
from tests.corpus import CORPUS
from tests.desk.files import upload
from tests.world import ACME, ADA, ALAN, GIL, INCIDENT, INES, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def opened(by: Any, subject: str, text: str = "It drops.", **more: Any) -> Case:
    async with transaction(by):
        return await Case.open(by=by, subject=subject, text=text, case_type_id=INCIDENT, at=NOW, **more)


async def page_of(typed: str, reader: Reader = INES, after: str = "") -> Found[FoundCase]:
    async with transaction(reader, readonly=True):
        return await found_cases(await Asked.read(typed, reader), reader, after)


async def numbers(typed: str, reader: Reader = INES) -> list[int]:
    return [case.number for case in (await page_of(typed, reader)).rows]


async def file_hits(typed: str, reader: Reader = INES) -> list[FoundFile]:
    async with transaction(reader, readonly=True):
        return list((await found_files(await Asked.read(typed, reader), reader, limit=5)).rows)


@pytest.fixture
def storage(files: Path) -> Storage:
    return open_storage(f"file://{files}")


@pytest.fixture
async def desk(storage: Storage) -> list[Case]:
    """Create three cases: 1001 of Ada, with a note and files, 1002 of Alan, which is closed, and 1003 of Gil."""
    log, secret = await upload(storage, ADA, "vpn-client.log"), await upload(storage, INES, "Überblick.pdf")
    vpn = await opened(ADA, "VPN drops", "Since Monday, Müller's tunnel fails in Straße 7.", files=[log])
    printer = await opened(ALAN, "Printer jams", "The tray is empty.")
    other = await opened(GIL, "VPN is slow", "Call +49 30 1234-567.")
    async with transaction(INES):
        await vpn.note(by=INES, text="We raised the limit to <b>nine</b>.", files=[secret], at=NOW)
        await vpn.reply(by=INES, text="The raised tunnel has no limit.", at=NOW + timedelta(minutes=1))
        await printer.close(by=INES, at=NOW)
    return [vpn, printer, other]


TYPED = {
    "vpn": [1003, 1001],  # the newest first
    "acme vpn": [1001],  # the customer and a word
    "vpn ada": [1001],  # the contact
    "#1002": [1002], "1002": [1002], "＃１００２": [1002],
    "tray": [1002],  # a closed case, by its message
    '"raised the limit"': [1001], "“raised limit”": [], "raised limit": [1001],
    "printer tray": [1002],  # words of the subject and of the message
    "limit nine monday": [1001],  # of a reply and a note
    "vpn-client.log": [1001], "uberblick": [1001], "ÜBERBLICK.PDF": [1001],
    "muller strasse": [1001], "STRASSE": [1001],
    "tun": [1001], "tun fails": [], "tunnels": [],  # only the last word may be unfinished
    "ada@acme.example": [1001], "@acme.example printer": [1002],
    "+49 40 5550148": [1001], "040 555 01 48": [1001], "＋４９（４０）５５５－０１４８": [1001],  # the telephone of Ada
    "+49 30 1234-567": [1003], "49 (30) 1234 567": [1003],  # in a message
    "nothing-like-it": [], "vpn nothing": [],
}  # fmt: skip
"""For each search text, the numbers of those cases of the fixture `desk` that agents find with it."""


async def test_cases_are_found_as_people_type(desk: list[Case]) -> None:
    """One search finds cases by number, subject, message, note, customer, contact, telephone number and file name."""
    assert {typed: await numbers(typed) for typed in TYPED} == TYPED


async def test_the_place_is_shown_with_its_words_marked(desk: list[Case]) -> None:
    """A result shows the message that has most of the searched words, with these words marked and its HTML escaped.

    If only the subject matches, the words are marked there, and no message is shown.
    """
    [case] = (await page_of("limit nine")).rows
    assert (case.is_note, case.author) == (True, "Ines Okafor")
    assert [piece.text for piece in case.excerpt if piece.is_marked] == ["limit", "nine"]
    assert "".join(piece.text for piece in case.excerpt) == "We raised the limit to <b>nine</b>."
    [case] = (await page_of("printer")).rows
    assert case.subject == [Piece("Printer", True), Piece(" jams", False)]
    assert case.excerpt == ()


async def test_a_case_with_the_words_in_its_subject_is_better_than_a_newer_one(desk: list[Case]) -> None:
    newer = await opened(GIL, "Other things", "The printer and the VPN.")
    assert await numbers("vpn") == [1003, 1001, newer.number]


async def test_nobody_finds_what_they_may_not_see(desk: list[Case]) -> None:
    """R23, R26, D51: contacts find only cases that they may see.

    Contacts find no case by a word of a note, or by the name of a file that is attached to a note.
    """
    marker = await opened(GIL, "Zebrafish", "Quagga", files=[])
    for typed in ("vpn", "acme", "tunnel", "raised tunnel", "#1001", "ada", "monday"):
        assert 1001 not in await numbers(typed, GIL), typed
        assert await numbers(typed, ALAN) in ([], [1002]), typed
    assert await numbers("vpn", ADA) == [1001]
    assert await numbers("printer", ADA) == await numbers("printer", ALAN) == [1002]
    for typed in (
        "nine",
        "Nnine",
        "n:nine",
        "raised the limit",
        "uberblick",
        "Guberblick",
        "C1",
        "P1",
        "X0",
        "zebrafish",
    ):
        assert await numbers(f'"{typed}"', ADA) == [], typed
    assert [found.name for found in await file_hits("log", ADA)] == ["vpn-client.log"]
    assert await file_hits("pdf", ADA) == await file_hits("log", GIL) == await file_hits("log", ALAN) == []
    assert (await page_of("vpn", ADA)).total == 1
    assert await numbers("040 555 0148", ADA) == await numbers("ada@acme.example", GIL) == []
    assert await numbers("quagga", GIL) == [marker.number]
    async with transaction(ADA, readonly=True):  # The database itself hides notes and other customers' cases.
        for query in ("'Nnine'", "'tunnel' | 'Nnine'", "'C2'", "'quagga'"):
            assert await current().fetch("select * from customer_case_hits($1::text::tsquery, null)", query) == []


async def test_contacts_cannot_read_the_words_themselves(desk: list[Case]) -> None:
    """R23: contacts can neither read the table of the search index nor call the search function of the agents."""
    for sql in ("select * from case_words", "select * from agent_case_hits('vpn', null)"):
        with pytest.raises(Exception, match="permission denied"):
            async with transaction(ADA, readonly=True) as tx:
                await tx.fetch(sql)


async def test_files_are_found_by_their_names(desk: list[Case]) -> None:
    [found] = await file_hits("client vpn")
    assert (found.name, found.number, found.is_note) == ("vpn-client.log", 1001, False)
    assert [(one.name, one.is_note) for one in await file_hits("überblick")] == [("Überblick.pdf", True)]
    assert await file_hits("tunnel") == []


async def test_the_words_follow_every_change(desk: list[Case]) -> None:
    """If the subject or the contact of a case changes, the former words leave the index.

    D53: a merge moves the words of the messages to the case that remains.
    """
    vpn, printer, _ = desk
    async with transaction(INES) as tx:
        await tx.execute("update cases set subject = 'Gateway', contact_id = $2 where id = $1", vpn.id, ALAN.id)
    assert await numbers("gateway alan") == await numbers("gateway tunnel") == [1001]
    assert await numbers("drops") == await numbers("vpn ada") == []
    async with transaction(INES):
        await merge([vpn.number, printer.number], printer.number, by=INES, at=NOW)
    assert await numbers("tunnel") == await numbers("nine") == await numbers("tray") == [1002]
    assert [found.number for found in await file_hits("log")] == [1002]
    assert await numbers("gateway") == []


async def test_a_renamed_customer_and_contact_are_found_by_their_new_names(desk: list[Case]) -> None:
    async with transaction(INES) as tx:
        await tx.execute("update customer set name = 'Umbrella', legal_name = 'Umbrella SE' where id = $1", ACME)
        contact = await Contact.find(ADA.id, INES)
        await tx.execute("update contact set name = 'Grace Hopper' where id = $1", contact.id)
    assert await numbers("umbrella vpn") == await numbers("hopper") == [1001]
    assert await numbers("acme vpn") == []


async def test_a_long_case_is_found_by_its_first_and_its_last_message(desk: list[Case]) -> None:
    """The index splits the words of a long case into several rows and repeats the words of the subject in each row."""
    vpn = desk[0]
    for turn in range(3):
        async with transaction(INES):
            text = f"begin{turn} " + "word " * 3000 + f" end{turn}"
            await vpn.reply(by=INES, text=text, at=NOW + timedelta(hours=turn))
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from case_words where case_id = $1", vpn.id) > 1
        written = await tx.fetch("select part, words::text from case_words where case_id = $1", vpn.id)
        assert all("'drop" in row["words"] for row in written)
    for word in ("begin0", "end2"):
        assert await numbers(f"drops {word}") == [1001]


async def test_common_words_find_the_newest_and_pages_lead_to_all(
    desk: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages of results show the newest first and follow each other without a gap."""
    for turn in range(27):
        await opened(GIL, f"Fax {turn}", "Beep.")
    first = await page_of("beep")
    assert (first.total, first.total_words, len(first.rows)) == (27, "27", 25)
    second = await page_of("beep", after=first.after or "")
    assert [case.number for case in (*first.rows, *second.rows)] == list(range(1030, 1003, -1))
    assert second.after is None
    assert len((await page_of("beep", after="x.y")).rows) == 25


async def test_ranges_of_ids_find_the_same_as_one_query(desk: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """If there are many cases, the search goes through ranges of ids, newest first, and finds what one query would.

    With `_ENOUGH` set to 0, it does so with few cases too.
    """
    expected = {typed: await numbers(typed) for typed in ("vpn", "tun", "drops", "acme", "1001", "print")}
    async with transaction(INES) as tx:
        late = await tx.fetchval(
            "insert into cases (id, customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
            " select 300001, customer_id, contact_id, 'Tunnels and drops', case_type_id, 1, 'new', $1, $1 from cases where id = 1"
            " returning number",
            NOW,
        )
    monkeypatch.setattr(searched_hits, "_ENOUGH", 0)
    for typed, found in expected.items():
        assert set(await numbers(typed)) - {late} == set(found), typed
    assert await numbers("tun") == [late, 1001]
    assert await numbers("drops", ADA) == [late, 1001]


async def test_a_case_that_two_queries_find_is_listed_once(desk: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """If two index rows of a long case match, one of them by a longer word, the case is listed and counted once."""
    async with transaction(INES):
        await desk[0].reply(by=INES, text="Log: " + "word " * 5000, at=NOW + timedelta(hours=1))
        await desk[0].reply(by=INES, text="Three tunnels.", files=[], at=NOW + timedelta(hours=2))
    monkeypatch.setattr(searched_hits, "_ENOUGH", 0)
    found = await page_of("tunnel")
    assert ([case.number for case in found.rows], found.total) == ([1001], 1)


async def test_no_phrase_goes_on_into_the_next_message(desk: list[Case]) -> None:
    """R27: a phrase does not match across messages, because that would reveal whether a note is between two replies."""
    case = await opened(ADA, "Router", "The lamp is amber")
    async with transaction(ADA):
        await case.reply(by=ADA, text="Since noon it blinks.", at=NOW + timedelta(minutes=1))
    assert await numbers('"amber since"', ADA) == []
    assert await numbers('"since noon"', ADA) == await numbers('"is amber"', ADA) == [case.number]


async def test_a_text_that_grows_when_it_is_folded_stops_neither_message_nor_merge(desk: list[Case]) -> None:
    """R52: a message is stored even if Unicode folding makes its words too long for one row of the index.

    The case of the message can be merged too.
    """
    vpn, printer, _ = desk
    async with transaction(INES):
        for turn, length in enumerate((30_000, 9_000), 1):
            await vpn.reply(by=INES, text="\ufdfa" * length, at=NOW + timedelta(hours=turn))
        await merge([vpn.number, printer.number], vpn.number, by=INES, at=NOW + timedelta(hours=3))
    assert await numbers("tray") == await numbers("\ufdfa") == [vpn.number]


async def test_text_of_any_kind_is_searched_or_refused_with_a_sentence(desk: list[Case]) -> None:
    """R52: quotation marks, operators, wildcards and any Unicode in a searched text never cause a server error.

    A text that is too long, or has neither letters nor digits, gets an error message.
    """
    texts = [*CORPUS.values(), "' | '", "a & b", "!!", ":*", "vpn:*", "\\", "'", '"', '""', "<->", "%", "_", "#", "# 1", "()", "'N'",
             "a" * LONGEST, "1" * LONGEST, " ".join("abcdefghij"[n % 10] for n in range(100)), "\0", "東京", "%00", '"a', "#１"]  # fmt: skip
    for text, reader in itertools.product(texts, (INES, ADA)):
        await numbers(text[:LONGEST], reader)
        await file_hits(text[:LONGEST], reader)
    async with transaction(INES, readonly=True):
        assert "at most 200" in (await Asked.read("a " * 200, INES)).problem
        assert "no letter and no digit" in (await Asked.read("!?", INES)).problem
        assert (await Asked.read("  ", INES)) == Asked()
    assert await numbers("vpn:*", ADA) == [1001]
    assert await numbers("v:*") == await numbers("vp%") == await numbers("v*") == []


async def test_chinese_and_japanese_are_found_by_a_part_of_a_text(desk: list[Case]) -> None:
    made = await opened(ADA, "東京タワーの件", "京都の話")
    assert await numbers("東京") == await numbers("京都") == [made.number]
    assert await numbers("都京") == []


async def test_marked_pieces_are_the_text() -> None:
    parts = [Part(("mull",), is_beginning=True), Part(("京",))]
    pieces = marked("Müller 東京", parts)
    assert pieces == [Piece("Müller", True), Piece(" 東", False), Piece("京", True)]
