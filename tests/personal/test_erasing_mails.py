"""Test what erasing a contact does to the contact's mails: those sent, waiting, or just being sent (D58)."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from portal import mail
from portal.database import transaction
from portal.mail import outgoing, refusals
from portal.notices import invoice_mails
from portal.people.contacts import Contact
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.web.gate import Gate
from portal.words import MailState
from tests.mail.test_invoices import ACCOUNTS, begun, delivered, issued, states
from tests.personal.test_erasing import end, erase
from tests.world import ADA, NOOR, NOW


async def addresses(table: str) -> list[str]:
    async with transaction(SYSTEM) as tx:
        return [row["email"] for row in await tx.fetch(f"select email from {table} order by email")]


@pytest.mark.parametrize("state", [MailState.SENT, MailState.REFUSED, MailState.WAITING])
async def test_a_contact_to_whom_invoices_were_mailed_is_erased(app: Gate, state: MailState) -> None:
    """D58: the record of an invoice's mail stays, without the mail server's answer; a waiting mail is withdrawn."""
    await issued()
    (mail_id,) = await begun()
    if state is not MailState.WAITING:
        reason = "" if state is MailState.SENT else f"550 5.1.1 No {ADA.email}"
        async with transaction(SYSTEM):
            await invoice_mails.end(mail_id, state, NOW, reason)
    await end()
    assert (await erase(app)).status_code == 303
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select reason from invoice_mail where id = $1", mail_id) is None
    assert await states() == [(ADA.id, "withdrawn" if state is MailState.WAITING else state.value)]


async def test_a_mail_to_an_erased_contact_goes_to_nobody_else(app: Gate, settings: Settings) -> None:
    """D58, R26: a waiting invoice mail to an erased contact is not sent to the accounts address instead."""
    await delivered(email=ACCOUNTS)
    await issued()
    mails = await begun()
    await end()
    await erase(app)
    found = [await mail.invoice(mail_id, settings, NOW) for mail_id in mails]
    assert [message["to"] for message in found if message] == [ACCOUNTS]


async def test_a_mail_that_is_on_its_way_while_its_receiver_is_erased_is_not_recorded(
    app: Gate, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D58: if a contact is erased just before a mail to them is recorded and sent, the mail is neither recorded nor sent."""
    begin = mail.Delivery.begin

    async def erased_then(self: mail.Delivery, to: outgoing.Addressee, *, has_server: bool) -> bool:
        await end()
        await erase(app)
        return await begin(self, to, has_server=has_server)

    sent: list[Any] = []
    monkeypatch.setattr(mail.Delivery, "begin", erased_then)
    monkeypatch.setattr("portal.mail.delivery.send", lambda *_: asyncio.sleep(0, sent.append(1)))
    ids: mail.Ids = {"credential": ADA.credential_id, "at": NOW.isoformat()}
    at = datetime.now(UTC)
    await mail.deliver(mail.Delivery(1, "mail_password_changed", ids, at, at), settings)
    assert sent == []
    assert await addresses("outgoing_mail") == []


async def test_a_refusal_of_a_mail_that_was_sent_before_its_receiver_was_erased_is_not_kept(
    app: Gate, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D58: if the mail server refuses the address of a contact after they were erased, the refusal is not recorded."""

    async def refuse(*_: Any) -> None:
        await end()
        await erase(app)
        raise mail.NotSent("Refused 550", f"550 5.1.1 No {ADA.email}", is_permanent=True, is_of_address=True)

    monkeypatch.setattr("portal.mail.delivery.send", refuse)
    ids: mail.Ids = {"credential": ADA.credential_id, "at": NOW.isoformat()}
    at = datetime.now(UTC)
    await mail.deliver(mail.Delivery(1, "mail_password_changed", ids, at, at), settings)
    assert await addresses("outgoing_mail") == []
    assert await addresses("mail_refusal") == []


async def test_refusals_of_addresses_that_nobody_has_any_more_are_deleted(app: Gate) -> None:
    """D58: the refusal of a mail address that nobody has any more is deleted.

    The refusal of a customer's accounts address stays.
    """
    await delivered(email=ACCOUNTS)
    async with transaction(NOOR):
        contact = await Contact.find(ADA.id, NOOR)
        facts = await contact.facts()
        for address in (ADA.email, "ada@new.example", ACCOUNTS):
            await refusals.record(address, "mail_notices", f"550 5.1.1 No {address}", NOW)
        facts.email = "ada@new.example"
        await contact.change(facts, NOW)
    await end()
    await erase(app)
    assert await addresses("mail_refusal") == [ACCOUNTS]
