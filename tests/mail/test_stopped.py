"""Test that a mail that waits for the mail server omits what its receiver has switched off or may no longer see."""

from dataclasses import replace

import pytest

from portal import mail
from portal.database import transaction
from portal.mail import outgoing
from portal.mail.outgoing import Filter
from portal.notices import mailing
from portal.notices.choices import Choice, Mail, own_choices, save
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from tests.mail.sink import Server, Sink
from tests.mail.test_invoices import attempt, issued
from tests.mail.test_invoices import begun as begun_invoices
from tests.mail.test_invoices import states as invoice_states
from tests.mail.test_notices import begun, opened, part, reply
from tests.world import ADA, ALAN, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def stop(reader: Reader, kind: str) -> None:
    """Turn off mails of this kind in the settings of a person."""
    async with transaction(reader):
        choices = await own_choices(reader)
        await save(reader, replace(choices, kinds={**choices.kinds, kind: Choice(True, Mail.NEVER)}))


async def deliver(batch: int, settings: Settings) -> None:
    await mail.deliver(mail.Delivery(1, "mail_notices", {"batch": batch}, NOW, NOW), settings)


async def waits(batch: int, settings: Settings, sink: Sink) -> None:
    """Try to send a batch to a mail server that refuses it temporarily, so that its mail waits."""
    sink.answers.append("451 4.3.0 Later")
    with pytest.raises(mail.NotSent):
        await deliver(batch, settings)


async def test_a_waiting_mail_is_not_sent_to_a_person_who_stopped_mails_of_its_kind(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """If Alan switches mails of replies off, a waiting mail is not sent; its notice stays in the app."""
    await reply(await opened(), "First.")
    (batch,) = await begun(NOW)
    await waits(batch, settings, sink[0])
    await stop(ALAN, "case.replied")
    for _ in range(2):
        await deliver(batch, settings)
    assert sink[0].messages == []
    async with transaction(SYSTEM, readonly=True) as tx:
        assert (await outgoing.listed(Filter()))[0] == []
        assert await tx.fetchval("select count(*) from notice where in_app and read_at is null") == 1


async def test_a_mail_that_waits_leaves_out_only_the_kinds_that_were_stopped(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """If Alan switches mails of replies off, a waiting mail is sent without the reply, but with the case's status."""
    case = await opened()
    await reply(case, "First.")
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into notice (credential_id, kind, record_id, subject_id, at, in_app, mail, mail_due_at)"
            " select $1, 'case.status', e.id, e.case_id, e.at, true, 'at_once', $2 from case_event e where e.case_id = $3 and e.kind = 'status'",
            ALAN.credential_id, NOW, case.id,
        )  # fmt: skip
    (batch,) = await begun(NOW)
    await waits(batch, settings, sink[0])
    await stop(ALAN, "case.replied")
    await deliver(batch, settings)
    (got,) = sink[0].messages
    assert "First." not in part(got)
    async with transaction(SYSTEM, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from notice where mail_batch = $1", batch) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "update contact set ended_at = now() where id = 2",
        "update credential set disabled_at = now() where contact_id = 2",
        "update cases set contact_id = 1 where contact_id = 2",
    ],
)
async def test_a_waiting_mail_is_not_sent_to_a_person_who_lost_access(
    settings: Settings, sink: tuple[Sink, Server], sql: str
) -> None:
    """R12, R26: the receiver's rights are checked at each attempt to send, not only at the first."""
    await reply(await opened(), "First.")
    (batch,) = await begun(NOW)
    await waits(batch, settings, sink[0])
    async with transaction(SYSTEM) as tx:
        await tx.execute(sql)
    await deliver(batch, settings)
    assert sink[0].messages == []


async def test_reading_the_notice_meanwhile_does_not_stop_its_mail(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    await reply(await opened(), "First.")
    (batch,) = await begun(NOW)
    await waits(batch, settings, sink[0])
    async with transaction(SYSTEM) as tx:
        await tx.execute("update notice set read_at = $1", NOW)
    await deliver(batch, settings)
    assert len(sink[0].messages) == 1


async def test_a_waiting_invoice_is_not_mailed_to_a_person_who_stopped_mails_of_invoices(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S2.43: if Ada switches mails of invoices off, a waiting mail is withdrawn.

    A mail that an agent requests later is sent all the same.
    """
    await issued()
    (mail_id,) = await begun_invoices()
    sink[0].answers.append("451 4.3.0 Later")
    with pytest.raises(mail.NotSent):
        await attempt(mail_id, 1, settings)
    await stop(ADA, "invoice.issued")
    await attempt(mail_id, 1, settings)
    assert (sink[0].messages, await invoice_states()) == ([], [(ADA.id, "withdrawn")])
    async with transaction(SYSTEM) as tx:
        asked = await tx.fetchval(
            "insert into invoice_mail (customer_id, invoice_id, contact_id, form_key, asked_by_id, asked_at, due_at, begun_at)"
            " select customer_id, invoice_id, contact_id, gen_random_uuid(), 1, $1, $1, $1 from invoice_mail returning id", NOW,
        )  # fmt: skip
    await attempt(asked, 2, settings)
    assert len(sink[0].messages) == 1


async def test_a_waiting_digest_is_not_sent_to_a_person_who_stopped_it(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """A digest that waits for the mail server is not sent if the person has turned off mails of the kinds in it."""
    async with transaction(ALAN):
        choices = await own_choices(ALAN)
        await save(ALAN, replace(choices, kinds={"case.replied": Choice(True, Mail.DIGEST)}))
    await reply(await opened(), "First.")
    async with transaction(SYSTEM) as tx:
        (due,) = [row["mail_due_at"] for row in await tx.fetch("select mail_due_at from notice")]
        await mailing.begin_mails(due)
        batch = await tx.fetchval("select max(mail_batch) from notice")
    await waits(batch, settings, sink[0])
    await stop(ALAN, "case.replied")
    await deliver(batch, settings)
    assert sink[0].messages == []
