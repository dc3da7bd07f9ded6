"""Test how an administrator of a customer, and an admin of the company, choose how invoices are delivered."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.checksums import checksums
from tests.forms import send
from tests.world import ACME, ADA, ALAN, GIL, INES, NOOR, NOW, PASSWORD

pytestmark = pytest.mark.usefixtures("clock")

OURS, THEIRS = f"/agent/customers/{ACME}/invoice-delivery", "/contacts/invoice-delivery"
STORED = "select invoices_by_mail, email, invoices_with_csv from customer where id = $1"


async def stored(customer: int = ACME) -> tuple[Any, ...]:
    async with transaction(SYSTEM) as tx:
        return tuple(await tx.fetchrow(STORED, customer))


async def test_an_administrator_chooses_how_invoices_are_delivered(app: Gate) -> None:
    """C7, S2.43: Ada chooses that invoices are mailed with a CSV file to an accounts address and no longer to contacts.

    The settings of other customers stay. Sending the form again changes nothing. The page of contacts, the list of
    invoices and the agents' page of the customer show the address. The page *Changes* says that the address was changed,
    but does not show it.
    """
    async with await Browser.of(app, ADA, at=NOW) as ada:
        page = await ada.get(THEIRS)
        for _ in range(2):
            answer = await send(
                ada, page, THEIRS, invoices_by_mail=[], email=" accounts@acme.example", invoices_with_csv="yes"
            )
            assert (answer.status_code, answer.headers["location"]) == (303, "/contacts#invoices")
        shown = " ".join((await ada.get("/contacts")).text.split())
        assert "Each invoice is mailed to accounts@acme.example, with its time detail (CSV)." in shown
        assert "mailed to accounts@acme.example" in (await ada.get("/invoices")).text
    assert await stored() == (False, "accounts@acme.example", True)
    assert await stored(GIL.customer_id) == (True, None, False)
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert "accounts@acme.example" in (await noor.get(f"/agent/customers/{ACME}")).text
        changes = (await noor.get("/agent/setup/changes")).text
        assert "changed the accounts address of" in changes
        assert "accounts@acme.example" not in changes


async def test_a_reader_who_is_no_administrator_changes_nothing(app: Gate, dsn: str) -> None:
    """S3.15: for the contacts' form, Alan and Ines get 404; for the admins' form, Ada gets 404 and Ines gets 403.

    Nothing changes.
    """
    before = await checksums(dsn, ["session", "audit"])
    for reader, path, status in ((ALAN, THEIRS, 404), (INES, THEIRS, 404), (ADA, OURS, 404), (INES, OURS, 403)):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(path)).status_code == status
            assert (await browser.send_form(path, {"email": "x@evil.example"})).status_code == status
    assert await checksums(dsn, ["session", "audit"]) == before


async def test_a_contact_who_lost_the_right_meanwhile_changes_nothing(app: Gate, dsn: str) -> None:
    """R12: the database lets Ada change how invoices are delivered only while she may manage contacts.

    She needs the database role of administrators for it, and cannot change another column of the customer with this
    role.
    """
    administrator = ADA.as_administrator()
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set manages_contacts = false where id = $1", ADA.id)
    async with transaction(administrator) as tx:
        assert await tx.execute("update customer set email = 'x@evil.example'") == "UPDATE 0"
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set manages_contacts = true where id = $1", ADA.id)
    for reader, column in ((administrator, "name"), (ADA, "email")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(reader) as tx:
                await tx.execute(f"update customer set {column} = 'x@evil.example'")
    async with transaction(administrator) as tx:
        assert await tx.execute("update customer set email = 'x@acme.example'") == "UPDATE 1"
    assert await stored(GIL.customer_id) == (True, None, False)


@pytest.mark.parametrize(("reader", "path"), [(ADA, THEIRS), (NOOR, OURS)], ids=["theirs", "ours"])
async def test_another_accounts_address_takes_the_password_and_the_rest_does_not(
    app: Gate, reader: Any, path: str
) -> None:
    """R20: twenty minutes after signing in, changing the accounts address needs the password, and other fields do not.

    A refused form keeps what was typed.
    """
    async with await Browser.of(app, reader, at=NOW - timedelta(minutes=20)) as browser:
        page = await browser.get(path)
        assert (await send(browser, page, path, invoices_with_csv="yes")).status_code == 303
        page = await browser.get(path)
        refused = await send(browser, page, path, email="accounts@acme.example", password="wrong")
        assert (refused.status_code, "accounts@acme.example" in refused.text) == (422, True)
        assert await stored() == (True, None, True)
        bad = await send(browser, page, path, email="accounts at acme", password=PASSWORD)
        assert (bad.status_code, "Write one mail address" in bad.text) == (422, True)
        assert (await send(browser, page, path, email="accounts@acme.example", password=PASSWORD)).status_code == 303
    assert await stored() == (True, "accounts@acme.example", True)


async def test_of_two_people_at_once_neither_undoes_the_other(app: Gate) -> None:
    """Ada and Noor open their forms and save different fields at once; both changes stay.

    If Ada then sends her old form with another value for the field that Noor changed, she gets 409 and Noor's value.
    """
    async with await Browser.of(app, ADA, at=NOW) as ada, await Browser.of(app, NOOR, at=NOW) as noor:
        theirs, ours = await ada.get(THEIRS), await noor.get(OURS)
        answers = await asyncio.gather(
            send(ada, theirs, THEIRS, invoices_with_csv="yes"), send(noor, ours, OURS, email="accounts@acme.example")
        )
        assert [answer.status_code for answer in answers] == [303, 303]
        assert await stored() == (True, "accounts@acme.example", True)
        disputed = await send(ada, theirs, THEIRS, email="bills@acme.example")
        assert disputed.status_code == 409
        assert "accounts@acme.example" in disputed.text
