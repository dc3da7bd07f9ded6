"""Test that nothing identifies an erased contact, and that the contact's cases and invoices stay (D58)."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Case
from portal.desk.leaving import end_contact
from portal.desk.workflow import Status
from portal.errors import Conflict, NotFound
from portal.people.access import credentials, invitations, sessions
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.factors import recovery
from portal.people.readers import SYSTEM
from portal.web import drafts
from portal.web.gate import Gate
from tests.browser import Browser, text_of
from tests.checksums import checksums
from tests.desk.files import upload
from tests.forms import send
from tests.places import furnished
from tests.world import ACME, ADA, ALAN, GLOBEX, INCIDENT, INES, NOOR, PASSWORD

ERASURE = f"/agent/customers/{ACME}/contacts/{ADA.id}/erasure"


def now() -> datetime:
    return datetime.now(UTC)


async def end(contact: int = ADA.id) -> None:
    async with transaction(NOOR):
        await end_contact(await Contact.find(contact, NOOR), successor_id=None, by=NOOR, at=now())


async def erase(app: Gate, name: str = ADA.name) -> Any:
    async with await Browser.of(app, NOOR) as noor:
        page = await noor.get(ERASURE)
        return await send(noor, page, ERASURE, name=name)


async def everything(dsn: str) -> str:
    """Return all rows of all tables as one text."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        texts = [
            str(await connection.fetchval(f'select jsonb_agg(to_jsonb(t))::text from "{row["tablename"]}" t'))
            for row in tables
        ]
    finally:
        await connection.close()
    return "\n".join(texts)


async def test_nothing_tells_who_an_erased_contact_was_and_cases_stay(app: Gate, dsn: str) -> None:
    """D58: after Ada was erased, no table contains her telephone number, IP address, unsent text or unsent file.

    Her messages are signed "Former contact", the log of cases no longer names her, and the invoice is still there.
    """
    places = await furnished(app.storage)
    async with transaction(None) as tx:
        await sessions.begin(ADA.credential_id, address="192.0.2.77", browser="Firefox", at=now())
        await recovery.begin(ADA.credential_id)
        await tx.execute("insert into authenticator values ($1, 'sealed', 0, now())", ADA.credential_id)
    await drafts.keep(ADA.credential_id, "/cases/new", {"subject": ["A draft of Ada"]}, now())
    waiting = await upload(app.storage, ADA, "waiting.txt", at=now())
    async with transaction(INES):
        case = await Case.find(str(places.case.number), INES, hold=True)
        await case.change_facts(by=INES, at=now(), contact_id=ALAN.id)
        await case.change_facts(by=INES, at=now(), contact_id=ADA.id)
    await end()
    counted = "select count(*) from notice where credential_id = $1"
    async with transaction(SYSTEM) as tx:
        assert (notices := await tx.fetchval(counted, ADA.credential_id)) > 0
    async with transaction(INES) as tx:
        assert await tx.fetchval("select notices_of($1)", ADA.credential_id) == 0
    async with await Browser.of(app, NOOR) as noor:
        page = text_of((await noor.get(ERASURE)).text)
        assert f"{notices} notice" in page
        assert "What stays, signed “Former contact”" in page
        assert "for good" in page
    assert (await erase(app)).headers["location"] == f"/agent/customers/{ACME}"
    found = await everything(dsn)
    # Ada is a contact of another customer too, whose data stay.
    for trace in ("+49 40 555 0148", "192.0.2.77", "A draft of Ada", waiting.key):
        assert trace not in found, trace
    assert not await app.storage.exists(waiting.key)
    async with transaction(SYSTEM) as tx:
        messages = await tx.fetch("select distinct author_name from message where contact_id = $1", ADA.id)
        names = await tx.fetchval(
            "select count(*) from case_event where customer_id = $1 and details::text like '%Lindqvist%'", ACME
        )
        invoices = await tx.fetchval("select count(*) from invoice where state = 'issued'")
        kept = await tx.fetchrow(
            "select name, phone, erased_at is not null as is_erased from contact where id = $1", ADA.id
        )
        what = [row["what"] for row in await tx.fetch("select what from audit where subject_id = $1", ADA.id)]
    assert [row["author_name"] for row in messages] == ["Former contact"]
    assert names == 0
    assert invoices == 1
    assert tuple(kept) == ("Former contact", None, True)
    assert "contact.update" in what
    async with await Browser.of(app, INES) as ines:
        assert "Former contact" in text_of((await ines.get(f"/agent/cases/{places.case.number}")).text)
    async with await Browser.of(app, NOOR) as noor:
        assert (await noor.get(ERASURE)).status_code == 404
        assert (await noor.get(f"/agent/customers/{ACME}")).status_code == 200
        changes = text_of((await noor.get("/agent/setup/changes")).text)
        assert "erased Former contact" in changes


async def test_an_erased_contact_cannot_come_back(app: Gate) -> None:
    """R12, D58: an erased contact cannot sign in or be restored, and their sessions and links are gone."""
    async with transaction(NOOR):
        token = await (await Contact.find(ADA.id, NOOR)).invite(now())
    await end()
    await erase(app)
    with pytest.raises(Exception, match="not right"):
        await credentials.verify(ADA.email, PASSWORD, address="192.0.2.1", at=now())
    with pytest.raises(NotFound):
        await invitations.accept(token, "kettle-mauve-oxbow-17", now())
    async with await Browser.of(app, NOOR) as noor:
        base = f"/agent/customers/{ACME}/contacts/{ADA.id}"
        for verb in ("/resumption", "/invitations", "/sign-out"):
            assert (await noor.send_form(f"{base}{verb}")).status_code == 404
        assert (await noor.send_form(f"{base}/erasure", {"name": ADA.name})).status_code == 404
        assert "Lindqvist" not in (await noor.get(f"/agent/customers/{ACME}")).text
    async with transaction(NOOR):
        facts = ContactFacts(name="Ada again", email=ADA.email, time_zone="Europe/Berlin")
        assert await Contact.create(await Customer.find(ACME, NOOR), facts, now())


@pytest.mark.parametrize("is_kept_at_acme", [True, False])
async def test_the_access_to_another_customer_stays(app: Gate, is_kept_at_acme: bool) -> None:
    """D58: after Ada is erased at one customer, her password and recovery codes still open her access to the other."""
    async with transaction(NOOR):
        facts = ContactFacts(name=ADA.name, email=ADA.email, time_zone="Europe/Berlin")
        contact = await Contact.create(await Customer.find(GLOBEX, NOOR), facts, now())
        token = await contact.invite(now())
    await credentials.join(token, PASSWORD, address="192.0.2.1", at=now())
    async with transaction(None):
        codes = await recovery.begin(ADA.credential_id)
    erased = ADA.id if is_kept_at_acme else contact.id
    await end(erased)
    path = f"/agent/customers/{ACME if is_kept_at_acme else GLOBEX}/contacts/{erased}/erasure"
    async with await Browser.of(app, NOOR) as noor:
        assert (await send(noor, await noor.get(path), path, name=ADA.name)).status_code == 303
    proven = await credentials.verify(ADA.email, PASSWORD, address="192.0.2.1", at=now())
    async with transaction(None):
        (left,) = await credentials.memberships(proven.login_id)
        assert (left == ADA.credential_id) != is_kept_at_acme
        assert await recovery.use(proven.login_id, codes[0].replace("-", ""))


async def test_a_wrong_name_or_an_access_that_goes_on_erases_nothing(app: Gate, dsn: str) -> None:
    """D58: a wrongly typed name, or access that has not ended, is refused and erases nothing."""
    async with await Browser.of(app, NOOR) as noor:
        early = await noor.send_form(ERASURE, {"name": ADA.name})
        assert early.status_code == 409
        assert "End their access first" in early.text
        await end()
        page = await noor.get(ERASURE)
        before = await checksums(dsn, ["attempt", "draft"])
        refused = await send(noor, page, ERASURE, name="Alan Weber")
        assert refused.status_code == 422
        assert "Type the name as it is written here: Ada Lindqvist" in text_of(refused.text)
        assert await checksums(dsn, ["attempt", "draft"]) == before
    assert (await erase(app, "  ada   LINDQVIST ")).status_code == 303


async def test_erasing_asks_for_the_password(app: Gate) -> None:
    """R20: twenty minutes after signing in, an admin must type the password to open or send the form of the erasure."""
    await end()
    async with await Browser.of(app, NOOR, at=now() - timedelta(minutes=20)) as noor:
        assert (await noor.get(ERASURE)).headers["location"].startswith("/account/confirmation")
        answer = await noor.send_form(ERASURE, {"name": ADA.name})
        assert answer.headers["location"].startswith("/account/confirmation")
    async with transaction(NOOR):
        assert (await Contact.find(ADA.id, NOOR)).name == ADA.name


async def test_of_two_admins_who_erase_at_once_one_gets_404(app: Gate) -> None:
    """D58: if two admins erase the same contact at once, one of them gets 404, and the contact is erased once."""
    await end()
    async with await Browser.of(app, NOOR) as one, await Browser.of(app, NOOR) as two:
        pages = [await browser.get(ERASURE) for browser in (one, two)]
        forms = [send(browser, page, ERASURE, name=ADA.name) for browser, page in zip((one, two), pages, strict=True)]
        answers = await asyncio.gather(*forms)
    assert sorted(answer.status_code for answer in answers) == [303, 404]


@pytest.mark.parametrize("reader", [INES, SYSTEM], ids=["an agent", "the system"])
async def test_the_database_lets_only_admins_erase_a_contact(app: Gate, reader: Any) -> None:
    """R88, D58: in the database, an agent and the system can neither erase a contact nor change messages."""
    await end()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(reader) as tx:
            await tx.execute("select erase_contact($1, now())", ADA.id)
    async with transaction(ALAN):
        await Case.open(by=ALAN, subject="VPN", text="Drops.", case_type_id=INCIDENT, at=now())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(reader) as tx:
            await tx.execute("set local app.erasing = 'on'")
            await tx.execute("update message set author_name = 'Nobody'")


async def test_the_name_in_the_log_of_cases_is_found_however_it_is_written(app: Gate) -> None:
    """D58: even a contact's name with quotes and a backslash is removed from the logs of cases, and nothing else is."""
    name = 'Ada "Ace" \\ 100% Lindqvist'
    async with transaction(NOOR) as tx:
        await tx.execute("update contact set name = $1 where id = $2", name, ADA.id)
    ada = replace(ADA, name=name)
    async with transaction(ada):
        case = await Case.open(by=ada, subject="VPN", text="Drops.", case_type_id=INCIDENT, at=now())
    async with transaction(INES):
        case = await Case.find(str(case.number), INES, hold=True)
        await case.change_facts(by=INES, at=now(), contact_id=ALAN.id)
    await end()
    await erase(app, name)
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select actor_name, details from case_event where case_id = $1", case.id)
    texts = [json.loads(row["details"]) for row in rows]
    assert {"from": "Former contact", "to": "Alan Weber"} in texts
    assert name not in str(texts)
    assert name not in {row["actor_name"] for row in rows}


@pytest.mark.parametrize("name", ["to", "from", "new", "Network"])
async def test_a_name_that_is_also_a_word_of_the_log_spoils_no_other_line(app: Gate, name: str) -> None:
    """D58: erasing a contact replaces the contact's present and earlier names in the log of cases, and nothing else.

    If an earlier name is also a word that the log uses otherwise, such as the key "to" of a change or the subject of a
    case, the word stays there.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set name = $1 where id = $2", name, ADA.id)
    ada = replace(ADA, name=name)
    async with transaction(ada):
        case = await Case.open(by=ada, subject=name, text="Drops.", case_type_id=INCIDENT, at=now())
    async with transaction(INES):
        case = await Case.find(str(case.number), INES, hold=True)
        await case.change_status(Status.WAITING_FOR_OTHERS, by=INES, at=now())
        await case.change_facts(by=INES, at=now(), subject="Another subject")
        await case.change_facts(by=INES, at=now(), contact_id=ALAN.id)
    async with transaction(NOOR) as tx:
        await tx.execute("update contact set name = 'Ada New' where id = $1", ADA.id)
    await end()
    await erase(app, "Ada New")
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select kind, details from case_event where case_id = $1", case.id)
    found = {row["kind"]: json.loads(row["details"]) for row in rows}
    assert found["contact"] == {"from": "Former contact", "to": "Alan Weber"}
    assert found["subject"] == {"from": name, "to": "Another subject"}
    assert set(found["status"]) == {"from", "to", "name"}
    async with await Browser.of(app, INES) as ines:
        assert (await ines.get(f"/agent/cases/{case.number}")).status_code == 200


async def test_what_an_erased_contact_was_still_writing_is_refused(app: Gate, dsn: str) -> None:
    """D58: a request that a contact began before the erasure is refused if it writes to the database afterwards."""
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN", text="Drops.", case_type_id=INCIDENT, at=now())
    await end()
    await erase(app)
    before = await checksums(dsn, [])
    with pytest.raises(Conflict, match="Your access has ended"):
        async with transaction(ADA):
            await (await Case.find(str(case.number), ADA, hold=True)).reply(by=ADA, text="And now?", at=now())
    assert await checksums(dsn, []) == before


@pytest.mark.parametrize("verb", ["resumption", "invitations", "invitations/revocation", "sign-out", "ending"])
async def test_a_form_about_a_contact_who_is_erased_at_that_moment_gets_404(app: Gate, dsn: str, verb: str) -> None:
    """D58: an admin's form about a contact, sent while the contact is being erased, waits and then gets 404."""
    await end()
    connection = await asyncpg.connect(dsn)
    try:
        async with await Browser.of(app, NOOR) as noor:
            async with connection.transaction():
                await connection.execute(f"set local app.credential = '{NOOR.credential_id}'")
                await connection.execute("select erase_contact($1, now())", ADA.id)
                form = asyncio.create_task(noor.send_form(f"/agent/customers/{ACME}/contacts/{ADA.id}/{verb}"))
                await asyncio.sleep(0.5)
            assert (await form).status_code == 404
    finally:
        await connection.close()


async def test_what_was_read_of_a_contact_before_they_were_erased_is_not_found_afterwards(app: Gate) -> None:
    """D58: a request that read the contact before the erasure, such as one to remove second factors, gets 404."""
    async with transaction(NOOR):
        contact = await Contact.find(ADA.id, NOOR)
    await end()
    await erase(app)
    with pytest.raises(NotFound):
        async with transaction(NOOR):
            await contact.credential()
