"""Test how contacts share a case: watchers, confidential cases, and handing a case to a colleague (S3.15)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal import notices
from portal.database import transaction
from portal.desk import Case, Details, Question, agents_list, customers_list, overview
from portal.desk.search.asked import Asked
from portal.desk.search.cases import found_cases
from portal.errors import Conflict, Invalid, NotFound
from portal.notices.inbox import inbox, unread
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, ContactReader
from portal.timekeeping.moving.merging import merge
from portal.web.gate import Gate
from portal.web.live import names
from tests.browser import Browser
from tests.places import furnished
from tests.world import ACME, ADA, ALAN, GIL, INCIDENT, INES, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")
LATER = NOW + timedelta(minutes=5)


async def opened(by: ContactReader = ALAN, subject: str = "Severance of the lead", **more: Any) -> Case:
    async with transaction(by):
        return await Case.open(
            by=by, subject=subject, text="Not for everybody.", case_type_id=INCIDENT, priority=2, at=NOW, **more
        )


async def bea() -> ContactReader:
    """Create a contact of Acme who sees only her own cases, and return her as a reader."""
    async with transaction(SYSTEM):
        facts = ContactFacts(name="Bea Roth", email="bea@acme.example", time_zone="Europe/Berlin")
        found = await Contact.create(await Customer.find(ACME, SYSTEM), facts, NOW)
        credential = await found.credential()
    return replace(ALAN, id=found.id, credential_id=credential["id"], name=found.name, email=credential["email"])


async def do(verb: str, case: Case, *values: Any, by: Any, **more: Any) -> None:
    async with transaction(by):
        found = await Case.find(case.number, by)
        await getattr(found, verb)(*values, by=by, at=LATER, **more)


async def sees(reader: ContactReader, case: Case) -> bool:
    """Return whether the contact finds the case, after checking that the list, the home page and the search agree.

    If the case is confidential and not found, check that the database shows no row of it either.
    """
    async with transaction(reader, readonly=True) as tx:
        listed = case.number in {row.number for row in (await customers_list(reader, everything=True)).rows}
        home = await overview(reader, LATER)
        brief = case.number in {one.number for one in [*home.waiting, *home.in_work]}
        found = await found_cases(await Asked.read("severance", reader), reader)
        hit = case.number in {one.number for one in found.rows}
        assert listed == brief == hit, (listed, brief, hit)
        try:
            details = await Details.find(case.number, reader)
        except NotFound:
            assert not listed
            if case.confidential:
                for table in ("cases where id", "message where case_id", "case_event where case_id", "case_watcher where case_id",
                              "outbox where kind like 'case.%' and subject_id"):  # fmt: skip
                    assert await tx.fetchval(f"select count(*) from {table} = $1", case.id) == 0, table
            return False
        assert listed
        assert details.case.id == case.id
        return True


async def told(reader: ContactReader) -> list[str]:
    async with transaction(SYSTEM):
        while await notices.pass_on(LATER):
            pass
    async with transaction(reader, readonly=True):
        return [f"{one.kind.name} {one.kind.words(one)}" for one in (await inbox(reader)).notices]


async def test_a_watcher_sees_the_case_and_is_notified_of_it() -> None:
    """S3.15: while Alan, who sees only his own cases, watches Ada's case, he finds it and gets notices about it.

    Adding him twice is harmless. Once he no longer watches, he neither finds the case nor reads notices about it.
    """
    case = await opened(ADA)
    assert not await sees(ALAN, case)
    await do("watch", case, ALAN.id, by=ADA)
    await do("watch", case, ALAN.id, by=ADA)
    assert await sees(ALAN, case)
    await do("reply", case, by=INES, text="We look.")
    assert sorted(await told(ALAN)) == [
        "case.replied Ines Okafor replied",
        "case.shared Ada Lindqvist shares the case with you",
    ]
    async with transaction(ALAN, readonly=True) as tx:
        assert (await Details.find(case.number, ALAN)).watchers == [ALAN.name]
        assert await tx.fetchval("select count(*) from case_event where kind = 'watched'") == 1
    await do("unwatch", case, ALAN.id, by=ALAN)
    await do("unwatch", case, ALAN.id, by=ADA)
    assert not await sees(ALAN, case)
    assert await told(ALAN) == []


async def test_a_contact_who_may_not_share_a_case_changes_nothing() -> None:
    """A watcher who sees only their own cases can neither add a watcher nor make the case confidential nor hand it over.

    Another customer's contact cannot add a watcher either. Neither another customer's contact nor the contact of the
    case can be added as a watcher.
    """
    case, third = await opened(ADA), await bea()
    await do("watch", case, ALAN.id, by=ADA)
    with pytest.raises(NotFound):
        await do("watch", case, third.id, by=ALAN)
    with pytest.raises(NotFound):
        await do("watch", case, third.id, by=GIL)
    for stranger in (GIL.id, ADA.id, None, 999):
        with pytest.raises(Invalid):
            await do("watch", case, stranger, by=ADA)
    with pytest.raises(NotFound):
        await do("set_confidential", case, True, by=ALAN)
    with pytest.raises(NotFound):
        await do("hand_over", case, third.id, stays=True, by=ALAN)
    for sql in (
        "insert into case_watcher (case_id, customer_id, contact_id, added_at) values ($1, 1, $2, now())",
        "update cases set contact_id = $2 where id = $1",
        "update cases set confidential = $2::bigint > 0 where id = $1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ALAN) as tx:
                await tx.execute(sql, case.id, third.id)
    async with transaction(ALAN) as tx:
        assert [row["contact_id"] for row in await tx.fetch("select contact_id from case_watcher")] == [ALAN.id]


async def test_a_confidential_case_is_seen_by_its_participants_alone() -> None:
    """S3.15: Ada, who sees all cases and administers Acme, does not see Alan's confidential case until she watches it."""
    case = await opened(ALAN)
    assert await sees(ADA, case)
    await do("set_confidential", case, True, by=ALAN)
    case.confidential = True
    assert await sees(ALAN, case)
    assert not await sees(ADA, case)
    assert not await sees(GIL, case)
    await do("watch", case, ADA.id, by=INES)
    assert await sees(ADA, case)
    with pytest.raises(NotFound):  # Only the contact of the case and agents choose who takes part.
        await do("watch", case, (await bea()).id, by=ADA)
    await do("unwatch", case, ADA.id, by=ADA)
    assert not await sees(ADA, case)
    await do("set_confidential", case, False, by=INES)
    assert await sees(ADA, case)
    async with transaction(ALAN, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind = 'confidential'") == 2


async def test_the_live_stream_and_notices_of_a_confidential_case_reach_participants_only() -> None:
    """R12: after Alan makes Ada's former case confidential and removes her as a watcher, her inbox no longer names it.

    Her open pages get the event `case.hidden`, but not the event of a later reply.
    """
    case = await opened(ADA)
    await do("hand_over", case, ALAN.id, stays=True, by=ADA)
    await do("set_confidential", case, True, by=ALAN)
    await do("unwatch", case, ADA.id, by=ALAN)
    await do("reply", case, by=INES, text="We look.")
    assert not [line for line in await told(ADA) if line.startswith("case.")]
    async with transaction(ADA, readonly=True):
        assert await unread(ADA) == 0
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select * from outbox where subject_id = $1 and kind like 'case.%' order by id", case.id)
    seen = {}
    for row in rows:
        notice = {"kind": row["kind"], "customer": row["customer_id"], "contact": row["contact_id"], "participants": row["participant_ids"],
                  "confidential": row["confidential"], "contact_may_know": row["contact_may_know"], "subject": row["subject_id"]}  # fmt: skip
        seen[row["kind"]] = (bool(names(ADA, notice)), bool(names(ALAN, notice)))
    assert seen["case.hidden"] == (True, True)
    assert seen["case.replied"] == (False, True)


async def test_a_contact_gives_the_case_to_a_colleague() -> None:
    """S3.15: Alan hands a case to Bea and stays a watcher; Bea is notified.

    If the contact of a case sends two handovers at once, one is refused.
    """
    case, third = await opened(ALAN), await bea()
    await do("set_confidential", case, True, by=ALAN)
    case.confidential = True
    for wrong in (ALAN.id, GIL.id, None):
        with pytest.raises(Invalid) as refusal:
            await do("hand_over", case, wrong, stays=True, by=ALAN)
        assert "successor" in refusal.value.fields
    await do("hand_over", case, third.id, stays=True, by=ALAN)
    assert await sees(ALAN, case)
    assert await sees(third, case)
    assert not await sees(ADA, case)
    assert "case.shared Alan Weber gave you the case" in await told(third)
    async with transaction(third):
        found = await Case.find(case.number, third)
        assert found.contact_id == third.id
        await found.hand_over(ALAN.id, stays=False, by=third, at=LATER)
    assert not await sees(third, case)
    assert await sees(ALAN, case)

    async def gives(to: int) -> Any:
        try:
            await do("hand_over", case, to, stays=True, by=ALAN)
        except (Conflict, NotFound) as refusal:
            return refusal
        return None

    outcomes = await asyncio.gather(gives(third.id), gives(ADA.id))
    assert sum(one is None for one in outcomes) == 1


async def test_a_case_that_a_confidential_one_is_merged_into_is_confidential() -> None:
    """D53: if a confidential case is merged into another case, this other case becomes confidential too.

    It also gets the watchers of the merged case. If the other case is later made not confidential, the merged case is
    not confidential either.
    """
    hidden, plain = await opened(ALAN), await opened(ADA, "Severance of the cable")
    await do("set_confidential", hidden, True, by=ALAN)
    await do("watch", hidden, ADA.id, by=ALAN)
    third = await bea()
    await do("watch", hidden, third.id, by=ALAN)
    async with transaction(INES) as tx:
        await merge([hidden.number], plain.number, by=INES, at=LATER)
        assert await tx.fetchval("select bool_and(confidential) from cases")
        assert {row["contact_id"] for row in await tx.fetch("select contact_id from case_watcher")} == {
            ADA.id,
            third.id,
        }
    plain.confidential = True
    assert await sees(ALAN, plain)
    assert await sees(third, plain)
    await do("set_confidential", plain, False, by=INES)
    async with transaction(SYSTEM) as tx:
        assert not await tx.fetchval("select bool_or(confidential) from cases")


async def test_the_pages_work_by_forms_alone(app: Gate) -> None:
    """S3.15: without JavaScript, Alan opens a confidential case, adds Ada as a watcher, and later hands the case over to her."""
    async with await Browser.of(app, ALAN, at=NOW) as alan:
        new = {"subject": "Severance", "body": "Quietly.", "case_type": "1", "priority": "2", "confidential": "yes"}
        answer = await alan.send_form("/cases/new", new)
        here = answer.headers["location"]
        first = await alan.get(here)
        assert "Confidential" in first.text, first.text[-3000:]
        async with await Browser.of(app, ADA, at=NOW) as ada:
            for path in (here, f"{here}/sharing"):
                assert (await ada.get(path)).status_code == 404
            assert (await ada.send_form(f"{here}/watchers", {"contact": str(ADA.id)})).status_code == 404
            assert (await alan.send_form(f"{here}/watchers", {"contact": "999"})).status_code == 422
            await alan.send_form(f"{here}/watchers", {"contact": str(ADA.id)})
            assert "Ada Lindqvist" in (await alan.get(f"{here}/sharing")).text
            page = await ada.get(f"{here}/sharing")
            assert "Stop watching" in page.text
            assert "Make it confidential" not in page.text
            assert (await ada.send_form(f"{here}/watchers/{ADA.id}/removal", {})).headers["location"] == "/cases"
        await alan.send_form(f"{here}/confidentiality", {})
        assert "Make it confidential" in (await alan.get(f"{here}/sharing")).text
        answer = await alan.send_form(f"{here}/handover", {"successor": str(ADA.id)})
        assert answer.headers["location"] == "/cases"
    async with await Browser.of(app, INES, at=NOW) as ines:
        number = here.rpartition("/")[2]
        assert "Nobody watches" in (await ines.get(f"/agent/cases/{number}/sharing")).text
        await ines.send_form(f"/agent/cases/{number}/confidentiality", {"confidential": "yes"})
        await ines.send_form(f"/agent/cases/{number}/watchers", {"contact": str(ALAN.id)})
        text = (await ines.get(f"/agent/cases/{number}")).text
        assert "watched by Alan Weber" in text
        assert "made the case confidential" in text
        warns = "whoever sees the invoices and hours"
        assert warns in (await ines.get(f"/agent/time/new?on=case-{number}")).text
        await ines.send_form(f"/agent/cases/{number}/confidentiality", {})
        assert warns not in (await ines.get(f"/agent/time/new?on=case-{number}")).text


async def test_a_colleague_watches_a_case_by_the_button_on_its_page(app: Gate) -> None:
    """S3.15: Ada watches Alan's case by a button on its page, and the button is gone then.

    Alan, the contact of the case, has no such button.
    """
    case = await opened()
    here, button = f"/cases/{case.number}", "Watch this case"
    async with await Browser.of(app, ADA) as browser:
        assert button in (await browser.get(here)).text
        for _ in range(2):
            sent = await browser.send_form(f"{here}/watchers", {"contact": str(ADA.id), "on_case": "yes"})
            assert sent.headers["location"] == here
        page = (await browser.get(here)).text
        assert (button in page, "you watch it" in page) == (False, True)
    async with await Browser.of(app, ALAN) as browser:
        assert button not in (await browser.get(here)).text


async def test_agents_still_find_a_confidential_case() -> None:
    """Confidentiality limits contacts only: agents list and search a confidential case like any other."""
    case = await opened(ALAN, confidential=True)
    async with transaction(INES, readonly=True):
        (row,) = (await agents_list(INES, Question(text="severance"))).rows
        assert (row.number, row.confidential) == (case.number, True)


async def test_documents_name_a_confidential_case_by_its_number_without_a_link(app: Gate) -> None:
    """S3.15: once Ada no longer sees a confidential case, her documents name it by its number only.

    The search does not find the case, and Ada gets 404 for the files and the ZIP file of the case.
    """
    places = await furnished(app.storage)
    number = places.case.number
    invoice = places.values["/invoices/"]["number"]
    link = f'href="/cases/{number}"'
    async with await Browser.of(app, ADA) as ada:
        assert link in (await ada.get(f"/invoices/{invoice}")).text
        await do("hand_over", places.case, ALAN.id, stays=False, by=ADA)
        await do("set_confidential", places.case, True, by=ALAN)
        page = (await ada.get(f"/invoices/{invoice}")).text
        assert f"#{number}" in page
        assert link not in page
        assert places.case.subject not in page
        for path in (f"/cases/{number}/case.zip", f"/cases/{number}/files/{places.values['/cases/']['file_id']}"):
            assert (await ada.get(path)).status_code == 404
        assert places.case.subject not in (await ada.get("/search?q=VPN")).text
        assert places.case.subject not in (await ada.get("/")).text
        assert places.case.subject not in (await ada.get("/notices")).text


async def test_handing_over_twice_is_harmless() -> None:
    """If Alan sends his handover a second time, nothing changes.

    Ada, who has never been the contact of the case, cannot hand it over.
    """
    case, third = await opened(ALAN), await bea()
    for _ in range(2):
        async with transaction(ALAN):
            await (await Case.find(case.number, ALAN)).hand_over(third.id, stays=True, by=ALAN, at=LATER)
    with pytest.raises(NotFound):
        async with transaction(ADA):
            await (await Case.find(case.number, ADA)).hand_over(third.id, stays=True, by=ADA, at=LATER)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind = 'handed'") == 1
