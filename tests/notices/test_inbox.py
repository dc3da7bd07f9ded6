"""Test the list of notices, the bell and the notice settings: who sees what, and when a notice counts as read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal import billing, notices
from portal.database import transaction
from portal.desk import Case
from portal.people.contacts import Contact
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.forms import form_of
from tests.world import ADA, ALAN, GIL, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")
SECRET = "internal-marker"


async def opened(by: Reader = ALAN, at: datetime = NOW, **more: Any) -> Case:
    async with transaction(by):
        return await Case.open(by=by, subject="VPN drops", text="It drops.", case_type_id=INCIDENT, at=at, **more)


async def replied(case: Case, by: Reader = INES, at: datetime = NOW) -> None:
    async with transaction(by):
        await case.reply(by=by, text="We look.", at=at)


async def pass_on() -> None:
    async with transaction(SYSTEM):
        await notices.pass_on(NOW)


async def unread(reader: Reader) -> int:
    async with transaction(reader, readonly=True):
        return await notices.unread(reader)


async def chosen(browser: Browser, **changes: str) -> dict[str, Any]:
    """Return the fields of the form of notice settings as the page shows them, with these changes."""
    return form_of((await browser.get("/account/notices")).text, "/account/notices").fields | changes


@pytest.fixture
async def alan(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, ALAN, at=NOW) as browser:
        yield browser


@pytest.fixture
async def ines(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, INES, at=NOW) as browser:
        yield browser


async def test_a_notice_leads_to_its_place_and_is_marked_as_read(alan: Browser) -> None:
    """S3.4, S3.7: a contact's notice of a reply leads to the reply on the case; following it marks the notice as read."""
    case = await opened()
    await replied(case)
    await pass_on()
    page = await alan.get("/notices")
    assert "Ines Okafor replied" in page.text
    assert "Notices, 1 unread" in page.text
    async with transaction(SYSTEM) as tx:
        notice = await tx.fetchval("select id from notice where credential_id = $1", ALAN.credential_id)
    answer = await alan.get(f"/notices/{notice}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/cases/{case.number}#message-")
    assert await unread(ALAN) == 0
    assert (await alan.get(f"/notices/{notice}")).status_code == 303


async def test_opening_the_case_reads_its_notices_and_no_others(alan: Browser) -> None:
    case, other = await opened(), await opened()
    await replied(case)
    await replied(case, MAX)
    await replied(other)
    await pass_on()
    assert await unread(ALAN) == 3
    await alan.get(f"/cases/{case.number}")
    assert await unread(ALAN) == 1
    assert "Notices, 1 unread" in (await alan.get("/notices/bell")).text


async def test_all_are_marked_read_that_the_list_showed_and_a_repeat_is_harmless(ines: Browser) -> None:
    """*Mark all as read* marks the notices that the list showed; a notice that came later stays unread."""
    await opened()
    await pass_on()
    fields = form_of((await ines.get("/agent/notices")).text, "/agent/notices/reading").fields
    await opened()
    await pass_on()
    for _ in range(2):
        assert (await ines.post("/agent/notices/reading", data=fields)).status_code == 303
    assert await unread(INES) == 1
    assert await unread(MAX) == 2


async def test_marking_all_as_read_can_be_taken_back(ines: Browser, app: Gate) -> None:
    """Undoing *Mark all as read* marks as unread again exactly the notices that the button had marked for this person.

    Repeating the undo changes nothing.
    """
    await opened()
    await pass_on()
    app.clock = lambda: NOW - timedelta(minutes=5)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        await browser.get("/agent/notices")
        await browser.send_form("/agent/notices/reading", {"newest": "99"})
    assert await unread(MAX) == 0
    done = await ines.send_form("/agent/notices/reading", {"newest": "99"})
    page = await ines.get(done.headers["location"])
    assert "1\N{NO-BREAK SPACE}notice marked as read." in page.text
    assert await unread(INES) == 0
    fields = form_of(page.text, "/agent/notices/reading/removal").fields
    for _ in range(2):
        assert (await ines.post("/agent/notices/reading/removal", data=fields)).status_code == 303
    assert await unread(INES) == 1
    assert await unread(MAX) == 0


@pytest.mark.parametrize("at", ["", "now", "0001-01-01T00:00:00+14:00", "2026-11-20"])
async def test_a_reading_that_never_was_is_taken_back_without_an_error(ines: Browser, at: str) -> None:
    answer = await ines.send_form("/agent/notices/reading/removal", {"at": at})
    assert answer.status_code in {303, 422}


async def test_the_bell_of_a_page_does_not_count_what_the_page_reads(alan: Browser) -> None:
    """The bell on a case's page does not count the notices that opening the page marks as read."""
    case, other = await opened(), await opened()
    await replied(case)
    await replied(other)
    await pass_on()
    assert "Notices, 1 unread" in (await alan.get(f"/cases/{case.number}")).text
    assert 'aria-label="Notices"' in (await alan.get(f"/cases/{other.number}")).text


async def test_a_rejection_that_is_undone_in_part_is_still_told(ines: Browser) -> None:
    """The notice of a rejection counts the entries that are still rejected, and disappears when none is.

    The same holds if the rejection is undone before the notice is made.
    """
    for passed_on_first in (True, False):
        async with transaction(MAX) as tx:
            entries = [await log(minutes) for minutes in (60, 30)]
            await billing.reject([entry.choice for entry in entries], reason="Which case?", by=MAX, at=NOW)
        if passed_on_first:
            await pass_on()
        async with transaction(SYSTEM) as tx:
            await tx.execute("delete from rejection where entry_id = $1", entries[0].id)
        await pass_on()
        page = (await ines.get("/agent/notices")).text.replace("\N{NO-BREAK SPACE}", " ")
        assert "Max Herrmann rejected your 30 min of" in page
        async with transaction(SYSTEM) as tx:
            notice = await tx.fetchval("select max(id) from notice where kind = 'time.rejected'")
            await tx.execute("delete from rejection where entry_id = $1", entries[1].id)
        assert (await ines.get(f"/agent/notices/{notice}")).status_code == 404


async def test_the_list_goes_on_and_never_ends_silently(ines: Browser) -> None:
    for number in range(45):
        await opened(MAX, at=NOW - timedelta(hours=number), contact_id=ALAN.id)
    await pass_on()
    first = await ines.get("/agent/notices?show=unread")
    assert first.text.count("opened a case") == 40
    older = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert (await ines.get(older)).text.count("opened a case") == 5


async def test_an_empty_list_says_so(ines: Browser, alan: Browser) -> None:
    assert "Nothing has happened yet" in (await ines.get("/agent/notices")).text
    assert "Nothing is unread" in (await alan.get("/notices?show=unread")).text


async def test_a_person_who_lost_the_right_meanwhile_sees_and_opens_nothing(alan: Browser, app: Gate) -> None:
    """R12, R26: rights are checked again whenever notices are counted, listed and opened."""
    case = await opened()
    await replied(case)
    await pass_on()
    async with transaction(SYSTEM) as tx:
        notice = await tx.fetchval("select id from notice where credential_id = $1", ALAN.credential_id)
    async with transaction(NOOR):
        await (await Case.find(case.number, NOOR)).change_facts(by=NOOR, at=NOW, contact_id=ADA.id)
    assert await unread(ALAN) == 0
    assert "Ines Okafor replied" not in (await alan.get("/notices")).text
    assert (await alan.get(f"/notices/{notice}")).status_code == 404
    async with await Browser.of(app, GIL, at=NOW) as gil:
        assert (await gil.get(f"/notices/{notice}")).status_code == 404
    async with await Browser.of(app, ADA, at=NOW) as ada:
        assert (await ada.get(f"/notices/{notice}")).status_code == 404


async def test_a_contact_without_the_right_to_invoices_any_more_sees_none_of_their_notices() -> None:
    """R26: a contact who loses the right to see invoices no longer sees the notices of invoices."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into notice (credential_id, kind, record_id, subject_id, at, in_app) values ($1, 'invoice.issued', 1, 1, $2, true)",
            ADA.credential_id, NOW,
        )  # fmt: skip
        assert await notices.pass_on(NOW) == 0
    assert await unread(ADA) == 1
    async with transaction(NOOR):
        contact = await Contact.find(ADA.id, NOOR)
        facts = await contact.facts()
        facts.sees_invoices = False
        await contact.change(facts, NOW)
    assert await unread(replace(ADA, sees_invoices=False)) == 0


async def test_no_word_of_a_note_and_no_actual_minutes_are_in_what_contacts_see(alan: Browser) -> None:
    """R27, D57, R77: no notice of a contact contains a note, actual time or a question about time."""
    case = await opened()
    async with transaction(INES):
        await case.note(by=INES, text=f"@Max {SECRET}", at=NOW)
        await case.reply(by=INES, text="We look.", at=NOW)
    async with transaction(MAX):
        entry = await log(37, case_id=case.id, comment=SECRET, description=SECRET)
        await billing.flag([entry.choice], question=SECRET, by=MAX, at=NOW)
    await pass_on()
    for address in ("/notices", "/notices?show=unread", "/notices/bell"):
        page = (await alan.get(address)).text
        assert SECRET not in page
        assert not [spelled for spelled in ("37 min", "37\N{NO-BREAK SPACE}min", "0:37") if spelled in page]


async def test_the_agents_list_says_what_happened_to_their_time(ines: Browser) -> None:
    """S2.35: a notice of a rejection says how many entries are rejected and why; a notice of a flag names the entry."""
    async with transaction(MAX):
        entries = [await log(60), await log(30)]
        await billing.reject([entry.choice for entry in entries], reason="Which case?", by=MAX, at=NOW)
        asked = await log(45)
        await billing.flag([asked.choice], question="Which switch?", by=MAX, at=NOW)
    await pass_on()
    page = (await ines.get("/agent/notices")).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Max Herrmann rejected 2 of your time entries" in page
    assert "Max Herrmann has a question about your 45 min of Tue 6 Oct" in page
    assert "“Which case?”" in page
    async with transaction(SYSTEM) as tx:
        notice = await tx.fetchval("select id from notice where kind = 'time.flagged'")
    assert (await ines.get(f"/agent/notices/{notice}")).headers["location"] == f"/agent/time/{asked.id}"


async def test_choices_are_kept_and_decide_what_comes_next(ines: Browser) -> None:
    """Ines chooses the digest for the mails of one kind of notice, and switches another kind off in the app.

    The next notices follow her choices.
    """
    fields = await chosen(ines, case_opened_mail="digest", quiet_from="22", quiet_to="7", digest_hour="9")
    del fields["case_replied_app"]
    assert (await ines.post("/account/notices", data=fields)).status_code == 303
    case = await opened()
    await replied(case, ALAN)
    await pass_on()
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch(
            "select kind, in_app, mail, mail_due_at from notice where credential_id = 1 order by kind"
        )
    assert [tuple(row) for row in rows] == [
        ("case.opened", True, "digest", datetime(2026, 11, 21, 8, tzinfo=UTC)), ("case.replied", False, "at_once", NOW),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"quiet_from": "22", "quiet_to": ""}, "Choose both ends"),
        ({"quiet_from": "22", "quiet_to": "22"}, "Choose another hour"),
        ({"quiet_from": "6", "quiet_to": "9", "digest_hour": "8"}, "outside of your quiet hours"),
        ({"digest_hour": "24"}, "Write a whole number from 0 to 23."),
        ({"case_opened_mail": "by pigeon"}, "Choose one from the list."),
    ],
)
async def test_a_choice_that_makes_no_sense_is_refused_and_kept_in_the_form(
    ines: Browser, fields: dict[str, str], sentence: str
) -> None:
    answer = await ines.post("/account/notices", data=await chosen(ines, **fields))
    assert answer.status_code == 422
    assert sentence in answer.text
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice_choice") == 0


async def test_the_choices_say_that_no_mail_goes_out_without_a_server(app: Gate, settings: Settings) -> None:
    """If no mail server is configured, the page of notice settings says that no mail goes out."""
    silent = Gate(app.inner, replace(settings, smtp_url=None), open_storage(settings.storage_url))
    silent.clock = app.clock
    async with await Browser.of(silent, INES, at=NOW) as browser:
        assert "This portal has no mail server yet" in (await browser.get("/account/notices")).text
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert "no mail server" not in (await browser.get("/account/notices")).text


async def test_only_managers_see_settings_of_the_notices_that_only_managers_get(ines: Browser, app: Gate) -> None:
    """Only managers find settings for the kinds of notices that only managers get, and what they choose is stored."""
    assert "time_waiting_app" not in (await ines.get("/account/notices")).text
    async with await Browser.of(app, MAX, at=NOW) as browser:
        fields = await chosen(browser, time_waiting_mail="digest")
        assert (await browser.post("/account/notices", data=fields)).status_code == 303
        assert (await chosen(browser))["time_waiting_mail"] == ["digest"]
