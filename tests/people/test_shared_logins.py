"""Test a person who is a contact of two customers: one mail address and password, two accesses, and switching."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal import mail
from portal.database import current, transaction
from portal.desk import Case
from portal.errors import Conflict, Invalid, NotFound
from portal.people.access import credentials, invitations, sessions
from portal.people.contacts import Contact, ContactFacts
from portal.people.contacts.administration import administering
from portal.people.customers import Customer
from portal.people.factors import recovery
from portal.people.readers import SYSTEM, ContactReader
from portal.settings import Settings
from portal.web.gate import Gate
from tests.browser import Browser, text_of
from tests.checksums import checksums
from tests.forms import send
from tests.web.test_account import sign_in, token_of
from tests.world import ACME, ADA, ALAN, GIL, GLOBEX, INCIDENT, INES, NOOR, PASSWORD

pytestmark = pytest.mark.usefixtures("dsn")

OTHER = "kettle-mauve-oxbow-17"


def now() -> datetime:
    return datetime.now(UTC)


async def invited(name: str = "Ada at Globex") -> tuple[Contact, str]:
    """Add Ada as a contact of Globex, and return the contact and the token of the invitation."""
    async with transaction(NOOR):
        contact = await Contact.create(await Customer.find(GLOBEX, NOOR), at_globex(name), now())
        return contact, await contact.invite(now())


def at_globex(name: str) -> ContactFacts:
    return ContactFacts(name=name, email=ADA.email, time_zone="Europe/Berlin", sees_all_cases=True)


async def joined() -> ContactReader:
    """Add Ada as a contact of Globex, let her accept the invitation, and return her as a reader there."""
    contact, token = await invited()
    await credentials.join(token, PASSWORD, address="192.0.2.1", at=now())
    async with transaction(NOOR):
        row = await contact.credential()
    return replace(
        ADA, id=contact.id, credential_id=row["id"], customer_id=GLOBEX, customer_name="Globex", name=contact.name,
        sees_invoices=False, manages_contacts=False,
    )  # fmt: skip


async def facts(credential: int) -> Any:
    async with transaction(None, readonly=True) as tx:
        return await tx.fetchrow(
            "select *, password_hash is not null as has_hash from credential where id = $1", credential
        )


async def proves(password: str = PASSWORD) -> list[int]:
    """Sign in as Ada, and return the ids of the credentials that the password opens."""
    proven = await credentials.verify(ADA.email, password, address="192.0.2.1", at=now())
    async with transaction(None, readonly=True):
        return sorted(await credentials.memberships(proven.login_id))


async def test_the_page_of_an_access_that_waits_speaks_of_that_access_alone(app: Gate) -> None:
    """Before Ada accepts the access to Globex, the page of her contact at Globex says that she has not signed in yet.

    Until she has accepted, that page shows nothing of her session and second factors at Acme.
    """
    async with Browser(app) as ada, await Browser.of(app, NOOR, at=now()) as noor:
        await sign_in(ada, ADA)
        contact, token = await invited()
        page = text_of((await noor.get(f"/agent/customers/{GLOBEX}/contacts/{contact.id}")).text)
        assert "Has not signed in yet as ada@acme.example" in page
        assert "Signs in for another customer already" in page
        assert "Signed in on" not in page
        assert "econd factor of" not in page
        await credentials.join(token, PASSWORD, address="192.0.2.1", at=now())
        page = text_of((await noor.get(f"/agent/customers/{GLOBEX}/contacts/{contact.id}")).text)
        assert "Signs in as ada@acme.example" in page
        assert "Signed in on 1" in page.replace("\N{NO-BREAK SPACE}", " ")


async def test_a_second_customer_is_accepted_with_the_password_that_the_person_has(app: Gate) -> None:
    """S3.15, R7, R24: Ada accepts the invitation to Globex with her existing password, and can then switch customers.

    After she has accepted, Globex is the open customer. From the next request on, row-level security lets her see only
    the cases of the open customer.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Acme's VPN", text="Drops.", case_type_id=INCIDENT, at=now())
    _, token = await invited()
    assert await proves() == [ADA.credential_id]
    async with Browser(app) as browser:
        page = await browser.get(f"/invitations/{token}")
        assert "has a password here already" in text_of(page.text)
        refused = await send(browser, page, f"/invitations/{token}", password=OTHER)
        assert refused.status_code == 422
        assert OTHER not in refused.text
        answer = await send(browser, page, f"/invitations/{token}", password=PASSWORD)
        assert answer.headers["location"] == "/account/customers?next=%2F"
        page = await browser.get(answer.headers["location"])
        assert "Acme" in page.text
        assert "Globex Open now" in text_of(page.text)
    async with Browser(app) as browser:
        await sign_in(browser, ADA)
        globex = (await facts_of_globex())["id"]
        await browser.send_form(f"/account/customers/{ADA.credential_id}")
        page = await browser.get("/account/customers?next=/cases")
        assert 'name="next" value="/cases"' in page.text
        answer = await browser.send_form(f"/account/customers/{globex}", {"next": "/cases"})
        assert answer.headers["location"] == "/cases"
        assert "Acme's VPN" not in (await browser.get("/cases")).text
        gone = await browser.get(f"/cases/{case.number}")
        assert gone.status_code == 404
        assert f"/account/customers?next=/cases/{case.number}" in gone.text
        home = await browser.get("/")
        assert "Switch to Acme" in text_of(home.text)
        await send(browser, home, f"/account/customers/{ADA.credential_id}")
        assert (await browser.get(f"/cases/{case.number}")).status_code == 200
    async with Browser(app) as other:
        assert (await other.get(f"/invitations/{token}")).status_code == 404


async def facts_of_globex() -> Any:
    async with transaction(None, readonly=True) as tx:
        return await tx.fetchrow("select * from credential where email = $1 and customer_id = $2", ADA.email, GLOBEX)


async def test_switching_keeps_the_age_of_the_session_and_ends_the_old_one(app: Gate) -> None:
    """R14, R16, R20: switching customers gives a new session token and keeps the times of sign-in and password entry.

    A form of a page that was loaded before the switch is refused, so that nothing is sent to the wrong customer.
    """
    globex = await joined()
    began = now() - timedelta(minutes=20)
    async with await Browser.of(app, ADA, at=began) as browser:
        old = token_of(browser)
        before = await browser.get("/account/customers")
        new_case = await browser.get("/cases/new")
        await send(browser, before, f"/account/customers/{globex.credential_id}")
        assert token_of(browser) != old
        async with transaction(None, readonly=True):
            row = await current().fetchrow("select * from session order by id desc limit 1")
            ended = await sessions.find(old, now())
        assert (row["credential_id"], row["created_at"], row["confirmed_at"]) == (globex.credential_id, began, began)
        assert ended is not None
        assert not ended[0].live
        refused = await send(browser, new_case, "/cases/new", subject="For Acme")
        assert refused.status_code == 403
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from cases where subject = 'For Acme'") == 0


async def test_a_session_that_ended_goes_on_with_its_customer(app: Gate) -> None:
    """S3.15: if Ada's session with Acme expires on a page, she returns to that page after signing in, with Acme open.

    If she signs in from the start page, she is asked for the customer, and Globex, which she used last, is open.
    """
    globex = await joined()
    for wanted, where in (("/cases", "/cases"), ("/", "/account/customers?next=%2F")):
        async with await Browser.of(app, ADA, at=now()) as browser:
            async with transaction(None) as tx:
                await tx.execute("update session set last_used_at = last_used_at - interval '2 hours'")
            async with await Browser.of(app, globex, at=now()):
                door = await browser.get(f"/sign-in?next={wanted}")
                answer = await send(browser, door, "/sign-in", email=ADA.email, password=PASSWORD)
            assert answer.headers["location"] == where
            shown = text_of((await browser.get("/account/customers")).text)
            assert ("Acme Open now" if wanted == "/cases" else "Globex Open now") in shown


async def test_nobody_switches_to_another_persons_access(app: Gate, dsn: str) -> None:
    """R22, R28: Ada cannot switch to Gil's credential, nor to an access that she has not accepted; nothing changes."""
    contact, _ = await invited()
    async with transaction(NOOR):
        pending = (await contact.credential())["id"]
    async with await Browser.of(app, ADA) as browser:
        before = await checksums(dsn, [])
        for credential in (GIL.credential_id, INES.credential_id, pending, ADA.credential_id, 10**20):
            assert (await browser.send_form(f"/account/customers/{credential}")).status_code == 404
        assert await checksums(dsn, []) == before
        assert "Switch to" not in text_of((await browser.get("/")).text)


@pytest.mark.parametrize("ends_at_acme", [True, False])
async def test_ending_one_access_leaves_the_other(app: Gate, ends_at_acme: bool) -> None:
    """R12: ending Ada's access to one customer ends her session with it; her access to the other customer stays."""
    globex = await joined()
    lost, kept = (ADA, globex) if ends_at_acme else (globex, ADA)
    async with await Browser.of(app, lost) as one, await Browser.of(app, kept) as two:
        async with transaction(NOOR):
            await (await Contact.find(lost.id, NOOR)).end(now())
        assert (await one.get("/cases")).status_code == 303
        assert (await two.get("/cases")).status_code == 200
        assert "Switch to" not in text_of((await two.get("/")).text)
    assert await proves() == [kept.credential_id]
    async with transaction(NOOR):
        await (await Contact.find(lost.id, NOOR)).resume()
    assert await proves() == sorted([lost.credential_id, kept.credential_id])


async def test_an_administrator_of_one_customer_cannot_set_a_password_that_opens_another(app: Gate) -> None:
    """R7, R31: an invitation link that Gil, an administrator of Globex, makes for Ada cannot set her shared password.

    Otherwise, he could choose a password that opens her access to Acme too. A link that Noor, an admin of the portal,
    makes for Ada can set it.
    """
    globex = await joined()
    async with administering(GIL) as by:
        gils = await (await Contact.find(globex.id, by)).invite(now())
    with pytest.raises(Conflict):
        await invitations.accept(gils, OTHER, now())
    assert await proves() == sorted([ADA.credential_id, globex.credential_id])
    async with transaction(NOOR):
        noors = await (await Contact.find(globex.id, NOOR)).invite(now())
    await invitations.accept(noors, OTHER, now())
    assert await proves(OTHER) == sorted([ADA.credential_id, globex.credential_id])


async def test_a_link_of_before_the_second_customer_sets_no_password_any_more() -> None:
    """R7, R31: a link that Acme's administrator made for Alan sets no password once he is a contact of Globex too."""
    async with administering(ADA) as by:
        token = await (await Contact.find(ALAN.id, by)).invite(now())
    async with transaction(NOOR):
        facts = ContactFacts(name="Alan", email=ALAN.email, time_zone="Europe/Berlin")
        contact = await Contact.create(await Customer.find(GLOBEX, NOOR), facts, now())
        other = await contact.invite(now())
    await credentials.join(other, PASSWORD, address="192.0.2.1", at=now())
    with pytest.raises(Conflict):
        await invitations.accept(token, OTHER, now())


@pytest.mark.parametrize("at_acme", [True, False])
async def test_a_changed_address_leaves_the_other_access_as_it_is(at_acme: bool) -> None:
    """R7, R31: if one customer changes Ada's address, her access there needs a new invitation.

    Her access to the other customer stays. Thus, nobody at one customer can take over or end her access to the other.
    """
    globex = await joined()
    moved, kept = (ADA, globex) if at_acme else (globex, ADA)
    by_whom = ADA if at_acme else GIL
    async with transaction(None):
        session = await sessions.begin(moved.credential_id, address="192.0.2.1", browser="", at=now())
    async with administering(by_whom) as by:
        contact = await Contact.find(moved.id, by)
        changed = await contact.facts()
        changed.email = "ada@elsewhere.example"
        await contact.change(changed, now())
    assert await proves() == [kept.credential_id]
    with pytest.raises(Invalid):
        await credentials.verify("ada@elsewhere.example", PASSWORD, address="192.0.2.1", at=now())
    row = await facts(moved.credential_id)
    assert (row["accepted_at"], row["has_hash"], row["login_id"]) == (None, False, moved.credential_id)
    async with transaction(None):
        found = await sessions.find(session, now())
        assert found is None or not found[0].live
    async with transaction(NOOR):
        token = await (await Contact.find(moved.id, NOOR)).invite(now())
    proven = await invitations.accept(token, OTHER, now())
    assert proven.login_id == moved.credential_id
    assert await proves() == [kept.credential_id]


async def test_an_address_that_somebody_else_has_is_joined_only_by_its_owner() -> None:
    """R7: if Gil's contact at Globex gets Ada's mail address, only Ada can accept the access, with her own password.

    The invitation link cannot set another password.
    """
    async with transaction(NOOR):
        gil = await Contact.find(GIL.id, NOOR)
        changed = await gil.facts()
        changed.email = ADA.email
        await gil.change(changed, now())
        token = await gil.invite(now())
    assert await proves() == [ADA.credential_id]
    with pytest.raises(Conflict):
        await invitations.accept(token, OTHER, now())
    await credentials.join(token, PASSWORD, address="192.0.2.1", at=now())
    assert await proves() == sorted([ADA.credential_id, GIL.credential_id])


async def test_a_pending_invitation_elsewhere_takes_nothing_from_a_person() -> None:
    """R31: while Globex has only invited Ada's address, Acme can still change the address, and Ada keeps her password."""
    contact, _ = await invited()
    async with administering(ADA) as by:
        ada = await Contact.find(ADA.id, by)
        changed = await ada.facts()
        changed.email = "ada.l@acme.example"
        await ada.change(changed, now())
    assert (await credentials.verify("ada.l@acme.example", PASSWORD, address="192.0.2.1", at=now())).login_id == 4
    async with transaction(NOOR):
        pending = await contact.credential()
    assert pending["login_id"] == pending["id"]


async def test_second_factors_and_recovery_codes_hold_for_both_and_move_with_the_login(settings: Settings) -> None:
    """R9: Ada's login belongs to her credential at Acme. If Acme changes her mail address, the login moves to Globex.

    The second factors move with the login. A recovery code that was used before stays used, and an unused recovery code
    still works.
    """
    globex = await joined()
    async with transaction(None) as tx:
        codes = await recovery.begin(ADA.credential_id)
        await tx.execute("insert into authenticator values ($1, 'sealed', 0, now())", ADA.credential_id)
        assert await recovery.use(ADA.credential_id, codes[0].replace("-", ""))
    async with transaction(NOOR):
        ada = await Contact.find(ADA.id, NOOR)
        changed = await ada.facts()
        changed.email = "ada@elsewhere.example"
        await ada.change(changed, now())
    async with transaction(None) as tx:
        assert await tx.fetchval("select credential_id from authenticator") == globex.credential_id
        assert not await recovery.use(globex.credential_id, codes[0].replace("-", ""))
        assert await recovery.use(globex.credential_id, codes[1].replace("-", ""))


async def test_a_new_password_signs_out_everywhere_and_leaves_open_invitations(app: Gate, settings: Settings) -> None:
    """R7, R17: a password reset ends Ada's sessions with both customers.

    Her invitation to a third customer, which she has not accepted, stays valid.
    """
    globex = await joined()
    async with transaction(NOOR) as tx:
        third = await tx.fetchval(
            "insert into customer (name, legal_name, street, postcode, city, country, created_at)"
            " values ('Initech', 'Initech', '-', '-', '-', 'DE', now()) returning id"
        )
        contact = await Contact.create(await Customer.find(third, NOOR), at_globex("Ada"), now())
        pending = await contact.invite(now())
        await (await Contact.find(ADA.id, NOOR)).end(now())
        await (await Contact.find(ADA.id, NOOR)).resume()
    message = await mail.password_reset(ADA.credential_id, settings, now())
    assert message is not None
    token = message.get_body(("plain",)).get_content().partition("/password-resets/")[2][:43]  # type: ignore[union-attr]
    async with await Browser.of(app, ADA) as one, await Browser.of(app, globex) as two:
        await invitations.accept(token, OTHER, now(), kind="reset")
        for browser in (one, two):
            assert (await browser.get("/account")).status_code == 303
    async with transaction(None, readonly=True):
        assert (await invitations.find(pending, now())).joins
    assert await proves(OTHER) == sorted([ADA.credential_id, globex.credential_id])


async def test_the_mail_for_a_new_password_goes_to_a_person_who_still_has_one_access(settings: Settings) -> None:
    """R12: if the access to Acme, where Ada's login belongs, has ended, she can still reset her password for Globex."""
    globex = await joined()
    async with transaction(NOOR):
        await (await Contact.find(ADA.id, NOOR)).end(now())
    async with transaction(None, readonly=True):
        login = await credentials.find_active(ADA.email)
    assert login == ADA.credential_id
    message = await mail.password_reset(login, settings, now())
    assert message is not None
    token = message.get_body(("plain",)).get_content().partition("/password-resets/")[2][:43]  # type: ignore[union-attr]
    await invitations.accept(token, OTHER, now(), kind="reset")
    assert await proves(OTHER) == [globex.credential_id]


async def test_two_customers_who_add_a_person_at_once_share_the_login() -> None:
    """If two customers add the same new address at the same moment, each gets a contact, and there is one login."""

    async def add(customer: int) -> int:
        async with transaction(NOOR):
            facts = ContactFacts(name="Bea", email="bea@both.example", time_zone="Europe/Berlin")
            return (await Contact.create(await Customer.find(customer, NOOR), facts, now())).id

    await asyncio.gather(add(ACME), add(GLOBEX))
    async with transaction(None, readonly=True) as tx:
        rows = await tx.fetch("select id, login_id from credential where email = 'bea@both.example' order by id")
    assert len({row["login_id"] for row in rows}) == 1


async def test_the_customer_whose_invitation_is_accepted_first_keeps_the_login(app: Gate) -> None:
    """Bea, invited by two customers, accepts the second invitation first; the first one then asks for her password."""
    tokens = []
    for customer in (ACME, GLOBEX):
        async with transaction(NOOR):
            facts = ContactFacts(name="Bea", email="bea@both.example", time_zone="Europe/Berlin")
            contact = await Contact.create(await Customer.find(customer, NOOR), facts, now())
            tokens.append(await contact.invite(now()))
    proven = await invitations.accept(tokens[1], OTHER, now())
    async with transaction(None, readonly=True) as tx:
        kept = await tx.fetchrow("select customer_id, login_id from credential where id = $1", proven.login_id)
        assert (kept["customer_id"], kept["login_id"]) == (GLOBEX, proven.login_id)
        assert (await invitations.find(tokens[0], now())).joins
    with pytest.raises(NotFound):
        await invitations.accept(tokens[1], OTHER, now())
    await credentials.join(tokens[0], OTHER, address="192.0.2.1", at=now())
