"""Test that a contact who administers their customer manages that customer's contacts, and no others, without an agent."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Case
from portal.errors import NotFound
from portal.people.contacts import Contact
from portal.people.contacts.administration import administering
from portal.people.readers import SYSTEM, ContactReader
from portal.web.gate import Gate
from tests.browser import Browser
from tests.checksums import checksums
from tests.forms import send
from tests.world import ADA, ALAN, GIL, INCIDENT, INES, NOW, PASSWORD

pytestmark = pytest.mark.usefixtures("clock")

CHOSEN = "seven purple kettles sing"
NEW = {"name": "Bea Roth", "email": "bea@acme.example", "sees_all_cases": "yes"}
RIGHTS = "select sees_all_cases, sees_invoices, manages_contacts from contact where id = $1"


async def stored(sql: str, *values: Any) -> Any:
    async with transaction(SYSTEM) as tx:
        return await tx.fetchrow(sql, *values)


async def reader_of(contact: int) -> ContactReader:
    """Return the contact of Acme with this id as a reader."""
    async with transaction(SYSTEM):
        found = await Contact.find(contact, SYSTEM)
        credential = await found.credential()
    return replace(ADA, id=found.id, credential_id=credential["id"], name=found.name, email=credential["email"])


async def second_administrator(app: Gate) -> ContactReader:
    """Let Alan see all cases of Acme and manage its contacts, and return him as a reader with these rights."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_all_cases = true, manages_contacts = true where id = $1", ALAN.id)
    return replace(ALAN, sees_all_cases=True, manages_contacts=True)


async def test_an_administrator_invites_a_colleague_who_then_signs_in(app: Gate) -> None:
    """S3.15, R7: Ada adds Bea, who may see all cases; the invitation link is shown once, and Bea sets a password with it.

    The portal has no mail server here; with one, the link is mailed (`tests/mail/test_invitations.py`).
    """
    app.settings = replace(app.settings, smtp_url=None)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        page = await ada.get("/contacts/new")
        answer = await send(ada, page, "/contacts/new", **NEW)
        assert answer.status_code == 200
        link = re.search(r"/invitations/([A-Za-z0-9_-]{43})", answer.text)
        assert link
        listed = (await ada.get("/contacts")).text
        assert "Bea Roth" in listed
        assert "Invited" in listed
        assert link[1] not in listed
    async with Browser(app) as bea:
        page = await bea.get(link[0])
        assert (await send(bea, page, link[0], password=CHOSEN, again=CHOSEN)).status_code == 303
        assert (await bea.get("/cases")).status_code == 200
        assert (await bea.get("/contacts")).status_code == 404
        assert (await bea.get("/invoices")).status_code == 404
    assert tuple(await stored(RIGHTS + " and customer_id = 1", 4)) == (True, False, False)


async def test_a_right_that_was_taken_away_is_gone_with_the_next_request(app: Gate) -> None:
    """S3.15, R12: Ada gives Alan the right to invoices and takes it away; both apply to his next request."""
    async with await Browser.of(app, ADA, at=NOW) as ada, await Browser.of(app, ALAN, at=NOW) as alan:
        assert (await alan.get("/invoices")).status_code == 404
        page = await ada.get(f"/contacts/{ALAN.id}")
        await send(ada, page, f"/contacts/{ALAN.id}", sees_invoices="yes")
        assert (await alan.get("/invoices")).status_code == 200
        page = await ada.get(f"/contacts/{ALAN.id}")
        await send(ada, page, f"/contacts/{ALAN.id}", sees_invoices=[])
        assert (await alan.get("/invoices")).status_code == 404


async def test_ending_a_colleague_signs_them_out_and_hands_over_their_cases(app: Gate) -> None:
    """S3.15, R12: Ada ends Alan's access and takes over his case; his next request is redirected to the sign-in page.

    Sending the form again is harmless, and she can restore his access.
    """
    async with transaction(ALAN):
        case = await Case.open(by=ALAN, subject="Monitor", text="Flickers.", case_type_id=INCIDENT, at=NOW)
    async with await Browser.of(app, ADA, at=NOW) as ada, await Browser.of(app, ALAN, at=NOW) as alan:
        page = await ada.get(f"/contacts/{ALAN.id}/ending")
        assert f"#{case.number} Monitor" in page.text
        answer = await send(ada, page, f"/contacts/{ALAN.id}/ending", contact=str(ADA.id))
        assert answer.status_code == 303
        assert (await alan.get("/cases")).status_code == 303
        assert (await stored("select contact_id from cases where id = $1", case.id))["contact_id"] == ADA.id
        again = await send(ada, page, f"/contacts/{ALAN.id}/ending", contact=str(ADA.id))
        assert again.status_code == 303
        ended = await ada.get(f"/contacts/{ALAN.id}")
        assert (await send(ada, ended, f"/contacts/{ALAN.id}/resumption")).status_code == 303
    assert (await stored("select ended_at from contact where id = $1", ALAN.id))["ended_at"] is None


async def test_cases_are_handed_over_that_the_administrator_may_not_read(app: Gate) -> None:
    """S3.15: Alan, an administrator who sees only his own cases, hands over Ada's cases without reading a subject.

    He sees only how many open cases she has.
    """
    bob = replace(await second_administrator(app), sees_all_cases=False)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_all_cases = false where id = $1", ALAN.id)
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Secret plan", text="Hush.", case_type_id=INCIDENT, at=NOW)
    async with await Browser.of(app, bob, at=NOW) as browser:
        page = await browser.get(f"/contacts/{ADA.id}/ending")
        assert "1\u00a0open case" in page.text
        assert "Secret plan" not in page.text
        await send(browser, page, f"/contacts/{ADA.id}/ending", contact=str(ALAN.id))
    assert (await stored("select contact_id from cases where id = $1", case.id))["contact_id"] == ALAN.id


@pytest.mark.parametrize("path", ["", "/invitations", "/invitations/revocation", "/ending", "/resumption"])
async def test_a_contact_of_another_customer_is_404(app: Gate, dsn: str, path: str) -> None:
    """R22, R28: Gil, who manages the contacts of Globex, gets 404 for the forms of Acme's contacts; nothing changes."""
    async with await Browser.of(app, GIL, at=NOW) as gil:
        before = await checksums(dsn, ["attempt"])
        assert (await gil.send_form(f"/contacts/{ALAN.id}{path}", NEW if not path else {})).status_code == 404
    assert await checksums(dsn, ["attempt"]) == before


async def test_nobody_takes_the_administration_from_themselves(app: Gate) -> None:
    """S3.15: Ada can neither remove her own administrator's right (422) nor end her own access (409)."""
    before = await stored(RIGHTS, ADA.id)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        page = await ada.get(f"/contacts/{ADA.id}")
        refused = await send(ada, page, f"/contacts/{ADA.id}", manages_contacts=[], name="Ada L.")
        assert refused.status_code == 422
        assert "You cannot take this right from yourself" in refused.text
        assert "Ada L." in refused.text
        page = await ada.get(f"/contacts/{ADA.id}/ending")
        refused = await send(ada, page, f"/contacts/{ADA.id}/ending")
        assert refused.status_code == 409
        assert "You cannot end your own access" in refused.text
    assert await stored(RIGHTS, ADA.id) == before


async def test_of_two_administrators_who_end_each_other_one_remains(app: Gate) -> None:
    """S3.15: if Ada and Alan, the only administrators, end each other's access at once, one of them remains."""
    alan = await second_administrator(app)
    async with await Browser.of(app, ADA, at=NOW) as one, await Browser.of(app, alan, at=NOW) as two:
        pages = await one.get(f"/contacts/{ALAN.id}/ending"), await two.get(f"/contacts/{ADA.id}/ending")
        answers = await asyncio.gather(
            send(one, pages[0], f"/contacts/{ALAN.id}/ending"), send(two, pages[1], f"/contacts/{ADA.id}/ending")
        )
    assert sorted(answer.status_code for answer in answers)[0] == 303
    rows = await stored(
        "select count(*) as left from contact where customer_id = 1 and ended_at is null and manages_contacts"
    )
    assert rows["left"] == 1


async def test_a_change_of_the_same_field_in_the_meantime_is_not_undone(app: Gate) -> None:
    """If two administrators change different fields of Alan at the same time, both changes stay.

    If they change the same field, the second one gets 409, and the response shows both values.
    """
    other = await reader_of(ADA.id)
    async with await Browser.of(app, ADA, at=NOW) as one, await Browser.of(app, other, at=NOW) as two:
        first, second = await one.get(f"/contacts/{ALAN.id}"), await two.get(f"/contacts/{ALAN.id}")
        assert (await send(one, first, f"/contacts/{ALAN.id}", sees_invoices="yes")).status_code == 303
        assert (await send(two, second, f"/contacts/{ALAN.id}", name="Alan W.")).status_code == 303
        assert tuple(await stored(RIGHTS, ALAN.id)) == (False, True, False)
        third = await one.get(f"/contacts/{ALAN.id}")
        assert (
            await send(two, await two.get(f"/contacts/{ALAN.id}"), f"/contacts/{ALAN.id}", name="Al W.")
        ).status_code == 303
        refused = await send(one, third, f"/contacts/{ALAN.id}", name="Alain W.")
        assert refused.status_code == 409
        assert "Al W." in refused.text
        assert "Alain W." in refused.text


async def test_bad_fields_get_a_sentence_and_keep_what_was_typed(app: Gate, dsn: str) -> None:
    async with await Browser.of(app, ADA, at=NOW) as ada:
        page = await ada.get("/contacts/new")
        before = await checksums(dsn, ["draft", "attempt"])
        for typed in (
            {"name": "", "email": "bea@acme.example"},
            {"name": "Bea", "email": "no address"},
            {"name": "Bea", "email": ALAN.email},
            {"name": "Bea", "email": INES.email},
        ):
            refused = await send(ada, page, "/contacts/new", **typed)
            assert refused.status_code == 422
            assert f'value="{typed["email"]}"' in refused.text
        assert await checksums(dsn, ["draft", "attempt"]) == before


async def test_a_new_mail_address_asks_for_the_password_of_the_administrator(app: Gate) -> None:
    """R20: twenty minutes after signing in, Ada must type her own password to change Alan's mail address."""
    async with await Browser.of(app, ADA, at=NOW - timedelta(minutes=20)) as ada:
        page = await ada.get(f"/contacts/{ALAN.id}")
        refused = await send(ada, page, f"/contacts/{ALAN.id}", email="al@acme.example")
        assert refused.status_code == 422
        assert "Type your password" in refused.text
        answer = await send(ada, page, f"/contacts/{ALAN.id}", email="al@acme.example", password=PASSWORD)
        assert answer.status_code == 303


async def test_the_database_refuses_contacts_without_the_right() -> None:
    """R27, R88: with the database role of administrators, Alan, who may not manage contacts, can change nothing.

    Ada, who may manage them, cannot insert a contact of another customer, a password reset whose token she can know,
    or an invitation for a contact of another customer or for an agent.
    """
    forged = replace(ALAN, manages_contacts=True).as_administrator()
    async with transaction(forged) as tx:
        assert await tx.execute("update contact set manages_contacts = true where id = $1", ALAN.id) == "UPDATE 0"
    with pytest.raises(NotFound):
        async with administering(replace(ALAN, manages_contacts=True)):
            raise AssertionError("the right must be read from the database again")
    for statement in (
        "insert into contact (customer_id, name, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at)"
        " values (2, 'X', true, true, true, 'en_GB', 'Europe/Berlin', now())",
        "insert into invitation (kind, token_hash, credential_id, created_at, expires_at) values ('reset', sha256('x'), 5, now(), now())",
        "insert into invitation (kind, token_hash, credential_id, created_at, expires_at) values ('invitation', sha256('x'), 6, now(), now())",
        "insert into invitation (kind, token_hash, credential_id, created_at, expires_at) values ('invitation', sha256('x'), 1, now(), now())",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ADA.as_administrator()) as tx:
                await tx.execute(statement)


async def test_an_administrator_invites_thirty_an_hour(app: Gate) -> None:
    """R83: the 31st invitation that Ada creates within an hour is refused with 429 and an error message."""
    app.settings = replace(app.settings, smtp_url=None)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        page = await ada.get(f"/contacts/{ALAN.id}")
        for _ in range(30):
            assert (await send(ada, page, f"/contacts/{ALAN.id}/invitations")).status_code == 200
        refused = await send(ada, page, f"/contacts/{ALAN.id}/invitations")
        assert refused.status_code == 429
        assert "invitations" in refused.text
