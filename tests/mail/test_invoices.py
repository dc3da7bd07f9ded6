"""Test the mails that bring invoices: who gets one, what it contains, how often, and what the timeline says."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import asyncpg
import pytest

from portal import billing, mail, notices
from portal.database import transaction
from portal.errors import Conflict
from portal.notices import invoice_mails
from portal.notices.choices import Choice, Mail, own_choices, save
from portal.people.customers import Customer, DeliveryFacts
from portal.people.readers import SYSTEM, Reader
from portal.render.formats import money
from portal.settings import Settings
from portal.web.gate import Gate
from portal.words import MailState
from tests.billing.work import NOVEMBER, log
from tests.browser import Browser
from tests.forms import send
from tests.mail.sink import Server, Sink
from tests.places import SECRET
from tests.world import ACME, ADA, ALAN, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

ACCOUNTS = "accounts@acme.example"
PAGE = "/agent/invoices/2026-0147"


async def delivered(*, by_mail: bool = True, email: str = "", csv: bool = False) -> None:
    """Set whether Acme's contacts get invoices by mail, which accounts address gets them, and whether CSV is attached."""
    async with transaction(SYSTEM):
        customer = await Customer.find(ACME, SYSTEM)
        await customer.deliver(DeliveryFacts(invoices_by_mail=by_mail, email=email, invoices_with_csv=csv))


async def issued(at: datetime = NOW) -> billing.Invoice:
    """Bill an hour of work for Acme, issue the invoice as Max, and make its notices."""
    async with transaction(MAX):
        await billing.approve([(await log(60, description=f"{SECRET}: their fault")).choice], by=MAX, at=at)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=at)
        assert run
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=at)
    async with transaction(SYSTEM):
        while await notices.pass_on(at):
            pass
    return invoice


async def begun(at: datetime = NOW) -> list[int]:
    """Begin the due mails of invoices; return the ids of the mails that have begun and not ended."""
    async with transaction(SYSTEM) as tx:
        await invoice_mails.begin(at)
        rows = await tx.fetch(
            "select id from invoice_mail where state = 'waiting' and begun_at is not null order by id"
        )
    return [row["id"] for row in rows]


async def composed(settings: Settings, at: datetime = NOW) -> dict[str, EmailMessage]:
    """Return the mails that are due, by the receiver's mail address."""
    found = [await mail.invoice(id, settings, at) for id in await begun(at)]
    return {message["to"]: message for message in found if message}


async def states() -> list[tuple[int | None, str]]:
    async with transaction(SYSTEM) as tx:
        return [tuple(row) for row in await tx.fetch("select contact_id, state from invoice_mail order by id")]


async def chosen(reader: Reader, mailed: Mail) -> None:
    async with transaction(reader):
        choices = await own_choices(reader)
        await save(reader, type(choices)(True, choices.zone, {"invoice.issued": Choice(True, mailed)}))


def names(message: EmailMessage) -> list[str | None]:
    return [part.get_filename() for part in message.iter_attachments()]


def text(message: Any, kind: str = "plain") -> str:
    body: str = message.get_body((kind,)).get_content()
    return body.replace("\xa0", " ")


async def test_an_issued_invoice_is_mailed_with_its_pdf_and_a_link(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S2.43, C7, S0.21, R77: Ada, who may see invoices, gets the stored PDF and a link, and no CSV; Alan gets nothing.

    The mail says how much is due and when, and nothing internal. The notice of the invoice is not mailed in addition.
    """
    invoice = await issued()
    mails = await composed(settings)
    assert list(mails) == [ADA.email]
    await mail.send(mails[ADA.email], str(settings.smtp_url))
    (got,) = sink[0].messages
    assert got["subject"] == "Invoice 2026-0147 from Halden IT"
    assert (got["auto-submitted"], got["reply-to"]) == ("auto-generated", "office@desk.example")
    assert names(got) == ["2026-0147.pdf"]
    async with transaction(ADA, readonly=True):
        assert next(iter(got.iter_attachments())).get_content() == await billing.stored("pdf", invoice)
    for kind in ("plain", "html"):
        for words in ("€142.80", "4 Dec 2026", "DE02 1203", f"{settings.base_url}/invoices/2026-0147"):
            assert words in text(got, kind), (kind, words)
    assert SECRET not in got.as_string()
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice where kind = 'invoice.issued' and mail is null") == 1


async def test_the_csv_goes_with_the_mail_only_if_the_customer_wants_it(settings: Settings) -> None:
    """C7: the stored CSV is attached to the mail of an invoice only if the customer has chosen that."""
    await delivered(csv=True)
    invoice = await issued()
    message = (await composed(settings))[ADA.email]
    assert names(message) == ["2026-0147.pdf", "2026-0147.csv"]
    csv = list(message.iter_attachments())[1].get_content()
    async with transaction(ADA, readonly=True):
        stored = (await billing.stored("csv", invoice)).decode("utf-8")
    assert csv.splitlines() == stored.splitlines()
    assert SECRET not in csv


async def test_an_accounts_address_gets_the_invoice_without_a_sign_in(settings: Settings) -> None:
    """S2.43, C7: if the customer wants invoices mailed only to the accounts address, only that address gets the PDF.

    Ada gets a mail with the notice instead.
    """
    await delivered(by_mail=False, email=ACCOUNTS)
    await issued()
    (message,) = (await composed(settings)).values()
    assert message["to"] == ACCOUNTS
    assert names(message) == ["2026-0147.pdf"]
    assert "Acme has named accounts@acme.example" in " ".join(text(message).split())
    assert "/account/notices" not in text(message)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select mail from notice where kind = 'invoice.issued'") == "at_once"


@pytest.mark.parametrize("address", [ADA.email, "Ada@ACME.example"])
async def test_an_address_that_is_also_a_contacts_gets_the_invoice_once(settings: Settings, address: str) -> None:
    """S2.43: if the accounts address is Ada's mail address in any spelling, the invoice is mailed once, to Ada."""
    await delivered(email=address)
    await issued()
    assert await states() == [(ADA.id, "waiting")]


@pytest.mark.parametrize(("choice", "in_digest"), [(Mail.DIGEST, 1), (Mail.NEVER, 0)])
async def test_what_a_contact_has_chosen_comes_first(settings: Settings, choice: Mail, in_digest: int) -> None:
    """A contact who chose the digest for invoices, or no mails of invoices, gets no mail that brings the invoice."""
    await chosen(ADA, choice)
    await issued()
    assert await composed(settings) == {}
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice where mail = 'digest'") == in_digest


async def test_quiet_hours_delay_the_mail(settings: Settings) -> None:
    async with transaction(ADA):
        choices = await own_choices(ADA)
        await save(ADA, type(choices)(True, choices.zone, {}, 14, 8, 13))
    await issued()
    assert await begun() == []
    assert len(await begun(NOW + timedelta(hours=3))) == 1


async def test_a_contact_who_switched_mails_off_in_between_gets_nothing(settings: Settings) -> None:
    """S2.43: an invoice that waits for the end of Ada's quiet hours is not mailed if she switches mails of invoices off."""
    async with transaction(ADA):
        choices = await own_choices(ADA)
        await save(ADA, replace(choices, digest_hour=14, quiet_from=8, quiet_to=13))
    await issued()
    await chosen(ADA, Mail.NEVER)
    assert await composed(settings, NOW + timedelta(days=1)) == {}
    assert await states() == [(ADA.id, "withdrawn")]


async def test_a_contact_who_lost_the_right_in_between_gets_nothing(settings: Settings) -> None:
    """R12, R26: no invoice is mailed to a contact who just lost the right to it, nor to a former accounts address."""
    await delivered(email=ACCOUNTS)
    await issued()
    assert len(await begun()) == 2
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_invoices = false where id = $1", ADA.id)
    await delivered(email="other@acme.example")
    assert await composed(settings) == {}


async def test_passing_an_issue_on_twice_and_beginning_twice_mails_once(settings: Settings) -> None:
    """S2.43: each receiver gets one mail per invoice, however often the outbox is passed on and mails are begun."""
    await delivered(email=ACCOUNTS)
    await issued()
    async with transaction(SYSTEM) as tx:
        await tx.execute("update outbox set passed_on = false")
        await notices.pass_on(NOW)
    assert await states() == [(ADA.id, "waiting"), (None, "waiting")]
    assert await begun() == await begun()
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from pgqueuer where entrypoint = 'mail_invoice'") == 2


async def test_a_mail_that_is_sent_again_after_a_crash_has_the_same_id(settings: Settings) -> None:
    """R76: if a worker dies between sending and recording a mail, the mail is sent again with the same Message-ID."""
    await issued()
    first, second = await composed(settings), await composed(settings)
    assert first[ADA.email]["message-id"] == second[ADA.email]["message-id"]


async def test_a_mail_that_was_given_up_can_be_sent_and_one_that_was_sent_stays_so() -> None:
    await issued()
    (mail_id,) = await begun()
    for state in (MailState.GIVEN_UP, MailState.SENT, MailState.REFUSED):
        async with transaction(SYSTEM):
            await invoice_mails.end(mail_id, state, NOW)
    assert await states() == [(ADA.id, "sent")]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with transaction(SYSTEM) as tx:
            await tx.execute("update invoice_mail set state = 'refused'")


async def test_send_again_mails_once_for_each_press(app: Gate, settings: Settings) -> None:
    """S2.43: Max sees whether an invoice was mailed, and mails it again; sending the same form twice mails it once.

    The timeline says who asked for the mail. An agent who is no manager cannot ask for it, and it cannot go to a
    contact without the right to see invoices.
    """
    await issued()
    (mail_id,) = await begun()
    async with transaction(SYSTEM):
        await invoice_mails.end(mail_id, MailState.REFUSED, NOW, "550 no such mailbox")
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = await browser.get(PAGE)
        assert "cannot be delivered" in page.text
        assert "550 no such mailbox" in page.text
        for _ in range(2):
            answer = await send(browser, page, f"{PAGE}/mails")
            assert answer.status_code == 303
        assert await states() == [(ADA.id, "refused"), (ADA.id, "waiting")]
        after = (await browser.get(PAGE)).text
        assert "Being mailed to Ada Lindqvist" in after
        assert "Max Herrmann asked for it" in after
        (again,) = await begun()
        async with transaction(SYSTEM):
            await invoice_mails.end(again, MailState.SENT, NOW + timedelta(minutes=1))
        assert "Mailed to Ada Lindqvist" in (await browser.get(PAGE)).text
        refused = await browser.send_form(f"{PAGE}/mails", {"contact": str(ALAN.id)})
        assert refused.status_code == Conflict.status
        assert "no longer go there" in refused.text
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert (await browser.send_form(f"{PAGE}/mails", {"contact": str(ADA.id)})).status_code == 403
    assert len(await states()) == 2


async def attempt(mail_id: int, job: int, settings: Settings) -> None:
    """Send a mail as the worker does, as the job with the id `job`."""
    await mail.deliver(mail.Delivery(job, "mail_invoice", {"mail": mail_id}, NOW, NOW), settings)


async def test_a_refused_address_stands_on_the_timeline_and_send_again_tries_it_anew(
    app: Gate, settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S2.43: if the mail server refuses the accounts address for good, the invoice's page shows the server's answer.

    *Send again* tries that address all the same. Each receiver gets the mail once, and Ada's mail is not delayed.
    """
    await delivered(email=ACCOUNTS)
    await issued()
    hers, theirs = await begun()
    await attempt(hers, 1, settings)
    sink[0].receivers.append("550 5.1.1 No such mailbox")
    await attempt(theirs, 2, settings)
    await attempt(hers, 1, settings)
    assert await states() == [(ADA.id, "sent"), (None, "refused")]
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert f"Mails do not arrive at {ACCOUNTS}" in (await browser.get("/contacts")).text
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = await browser.get(PAGE)
        assert "the mail to accounts@acme.example cannot be delivered" in page.text
        assert "No such mailbox" in page.text
        assert f"Mails do not arrive at {ACCOUNTS}" in (await browser.get(f"/agent/customers/{ACME}")).text
        key = str(uuid.uuid4())
        assert (await browser.send_form(f"{PAGE}/mails", {"contact": "", "form_key": key})).status_code == 303
    (again,) = await begun()
    await attempt(again, 3, settings)
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert "Mails do not arrive" not in (await browser.get("/contacts")).text
    assert await states() == [(ADA.id, "sent"), (None, "refused"), (None, "sent")]
    assert [message["to"] for message in sink[0].messages] == [ADA.email, ACCOUNTS]


async def test_without_a_mail_server_nothing_is_offered_to_send(app: Gate, settings: Settings) -> None:
    """S2.43: without a mail server, the mail is held back (state `kept`), and asking for another mail is refused.

    The page says that there was no mail server.
    """
    await issued()
    (mail_id,) = await begun()
    silent = replace(settings, smtp_url=None, mail_from=None)
    await attempt(mail_id, 1, silent)
    assert await states() == [(ADA.id, "kept")]
    app.settings = silent
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(PAGE)).text
        assert "there was no mail server" in page
        assert "Send again" not in page
        refused = await browser.send_form(f"{PAGE}/mails", {"contact": str(ADA.id)})
        assert (refused.status_code, "There is no mail server" in refused.text) == (409, True)
    assert len(await states()) == 1


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker in a process of its own until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "portal", "worker"), env=os.environ | settings.as_environment(),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 10)


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds; in the meantime, let jobs that pause after a refusal run at once."""
    for _ in range(300):
        if await happened():
            return
        async with transaction(SYSTEM) as tx:
            await tx.execute("update pgqueuer set execute_after = now() where status = 'queued'")
        await asyncio.sleep(0.1)
    raise AssertionError("it did not happen")


@pytest.mark.slow
async def test_a_worker_that_is_killed_while_it_sends_leaves_the_mail_to_the_next(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S2.43, R76: if a worker is killed while the mail server receives the mail, the next worker sends it once.

    The server refuses the first attempt of the next worker temporarily, so a second attempt sends the mail.
    """
    await issued(datetime.now(UTC))
    sink[0].hangs = "in the middle of the mail"
    async with working(settings) as process:

        async def holds() -> bool:
            return "DATA" in sink[0].commands

        await until(holds)
        process.kill()
        await process.wait()
    assert await states() == [(ADA.id, "waiting")]
    async with transaction(SYSTEM) as tx:  # Let the next worker miss the heartbeat of the killed one at once.
        await tx.execute("update pgqueuer set heartbeat = heartbeat - interval '10 s' where status = 'picked'")
    sink[0].hangs = ""
    sink[0].answers.append("451 Later")
    async with working(settings):

        async def is_sent() -> bool:
            return await states() == [(ADA.id, "sent")]

        await until(is_sent)
    (got,) = sink[0].messages
    assert (got["to"], names(got)) == (ADA.email, ["2026-0147.pdf"])


@pytest.mark.slow
async def test_without_a_mail_server_an_invoice_is_not_mailed_later(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S2.43: a mail that was due when there was no mail server is held back (state `kept`).

    It is not sent when a mail server is set up later.
    """
    await issued(datetime.now(UTC))

    async def is_kept() -> bool:
        return await states() == [(ADA.id, "kept")]

    async with working(replace(settings, smtp_url=None, mail_from=None)):
        await until(is_kept)
    async with transaction(SYSTEM):
        await notices.pass_on(datetime.now(UTC))
    assert await begun(datetime.now(UTC)) == []
    assert sink[0].messages == []


async def test_a_credit_note_is_mailed_where_the_invoice_goes(settings: Settings) -> None:
    """S2.43, D38: Ada and the accounts address get the stored PDF and CSV of a credit note by mail.

    Passing on the outbox row of the credit note again mails nothing more, and the invoice's page lists the mails.
    """
    await delivered(email="accounts@acme.example", csv=True)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contract set cash_rounding = 5")
    invoice = await issued()
    assert len(await composed(settings)) == 2
    async with transaction(SYSTEM) as tx:
        await tx.execute("update invoice_mail set state = 'sent', ended_at = $1", NOW)
    async with transaction(MAX):
        note = await billing.issue_credit(
            invoice, billing.Chosen(everything=True), reason="Agreed.", freed=False, by=MAX, at=NOW
        )
    async with transaction(SYSTEM) as tx:
        while await notices.pass_on(NOW):
            pass
        await tx.execute("update outbox set passed_on = false where kind = 'invoice.credited'")
        while await notices.pass_on(NOW):
            pass
    mails = await composed(settings)
    assert sorted(mails) == ["accounts@acme.example", ADA.email]
    assert note.payable != note.gross
    for message in mails.values():
        assert message["subject"] == f"Credit note {note.number} from Halden IT"
        assert names(message) == [f"{note.number}.pdf", f"{note.number}.csv"]
        for kind in ("plain", "html"):
            for words in (
                note.number,
                money(note.payable, "EUR"),
                "2026-0147",
                "Agreed.",
                f"{settings.base_url}/credit-notes/{note.number}",
            ):
                assert words in text(message, kind), (kind, words)
    async with transaction(MAX):
        history = await invoice_mails.history(invoice)
    assert [row["credit_number"] for row in history if row["state"] == "waiting"] == [note.number] * 2


async def test_a_credit_note_is_not_mailed_to_who_wants_no_mails_of_invoices(settings: Settings) -> None:
    """A contact who has switched mails of invoices off gets no mail of a credit note either."""
    await chosen(ADA, Mail.NEVER)
    invoice = await issued()
    async with transaction(MAX):
        await billing.issue_credit(
            invoice, billing.Chosen(everything=True), reason="Agreed.", freed=True, by=MAX, at=NOW
        )
    async with transaction(SYSTEM):
        while await notices.pass_on(NOW):
            pass
    assert await composed(settings) == {}


@pytest.mark.parametrize(("mailed", "is_contact"), [(Mail.NEVER, False), (Mail.AT_ONCE, True)])
async def test_a_credit_note_reaches_an_accounts_address_that_is_also_a_contacts_once(
    mailed: Mail, is_contact: bool
) -> None:
    """S2.43: if the accounts address is also the mail address of a contact, a credit note is mailed there once.

    The mail is sent to the contact, or, if the contact gets no mails of invoices, to the accounts address.
    """
    await chosen(ADA, mailed)
    await delivered(email=ADA.email)
    invoice = await issued()
    async with transaction(MAX):
        await billing.issue_credit(
            invoice, billing.Chosen(everything=True), reason="Agreed.", freed=True, by=MAX, at=NOW
        )
    async with transaction(SYSTEM) as tx:
        while await notices.pass_on(NOW):
            pass
        rows = await tx.fetch("select contact_id, email from invoice_mail where credit_note_id is not null")
    assert [tuple(row) for row in rows] == [(ADA.id, None) if is_contact else (None, ADA.email)]
