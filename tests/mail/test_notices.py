"""Test the mails that tell people what happened: what they say, to whom, how often, and when none is sent."""

from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from portal import billing, mail, notices
from portal.database import transaction
from portal.desk import Case
from portal.jobs import state
from portal.notices import mailing
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from tests.billing.work import NOVEMBER, log
from tests.mail.sink import Server, Sink
from tests.places import SECRET
from tests.world import ACME, ADA, ALAN, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
SECOND = timedelta(seconds=1)


async def opened(by: Reader = ALAN, subject: str = "VPN drops") -> Case:
    """Open a case that Ines has."""
    async with transaction(by):
        case = await Case.open(
            by=by, subject=subject, text="It drops.", case_type_id=INCIDENT, at=NOW - timedelta(days=1)
        )
    async with transaction(INES):
        await case.take(by=INES, at=NOW - timedelta(days=1))
    await pass_on(NOW - timedelta(days=1))
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from notice")
    return case


async def pass_on(at: datetime = NOW) -> None:
    async with transaction(SYSTEM):
        await notices.pass_on(at)


async def reply(case: Case, text: str, at: datetime = NOW, by: Reader = INES) -> None:
    """Reply to the case, and make the notices of the reply."""
    async with transaction(by):
        await case.reply(by=by, text=text, at=at)
    await pass_on(at)


async def begun(at: datetime) -> list[int]:
    """Begin the mails that are due, and return the ids of all batches that were not mailed yet."""
    async with transaction(SYSTEM) as tx:
        await mailing.begin_mails(at)
        rows = await tx.fetch(
            "select distinct mail_batch from notice where mail_batch is not null and mailed_at is null"
        )
    return sorted(row["mail_batch"] for row in rows)


async def mailed(settings: Settings, at: datetime) -> list[EmailMessage]:
    """Begin the mails that are due at `at`, compose each, record that it was sent, and return those that are sent."""
    found = []
    for batch in await begun(at):
        message = await mail.told(batch, settings, at)
        found += [message] if message else []
        async with transaction(SYSTEM):
            await mailing.mark_mailed(batch, at)
    return found


def part(message: Any, kind: str = "plain") -> str:
    body: str = message.get_body((kind,)).get_content()
    return body


async def test_a_reply_reaches_the_contact_by_mail(settings: Settings, sink: tuple[Sink, Server]) -> None:
    """S3.4, S3.16: the mail carries the message and one link to it, says why it comes, and arrives over SMTP."""
    case = await opened()
    await reply(case, "Try the **other** gateway.")
    (message,) = await mailed(settings, NOW)
    await mail.send(message, str(settings.smtp_url))
    (got,) = sink[0].messages
    assert (got["to"], got["subject"]) == (ALAN.email, f"#{case.number} VPN drops")
    assert got["auto-submitted"] == "auto-generated"
    assert got["reply-to"] == "office@desk.example"
    assert got["list-unsubscribe"] == f"<{settings.base_url}/account/notices>"
    for kind in ("plain", "html"):
        assert "Ines Okafor replied" in part(got, kind)
        assert "Try the **other** gateway." in part(got, kind)
        assert f"{settings.base_url}/cases/{case.number}#" in part(got, kind)
        assert "/account/notices" in part(got, kind)


async def test_mails_of_one_case_are_one_thread(settings: Settings) -> None:
    """Mails about one case refer to the same Message-ID, and each has its own."""
    case = await opened()
    await reply(case, "First.")
    (first,) = await mailed(settings, NOW)
    await reply(case, "Second.", NOW + timedelta(hours=1))
    (second,) = await mailed(settings, NOW + timedelta(hours=1))
    assert first["references"] == second["references"] == f"<case.{case.id}@halden.example>"
    assert first["message-id"] != second["message-id"]


async def test_the_replies_of_the_next_five_minutes_are_one_mail(settings: Settings) -> None:
    """The first reply is mailed at once; those of the next five minutes follow together."""
    case = await opened()
    await reply(case, "First.")
    assert len(await mailed(settings, NOW)) == 1
    for minute in (1, 2):
        await reply(case, f"Reply {minute}.", NOW + timedelta(minutes=minute))
        assert await mailed(settings, NOW + timedelta(minutes=minute)) == []
    (second,) = await mailed(settings, NOW + timedelta(minutes=5))
    assert all(f"Reply {minute}." in part(second) for minute in (1, 2))


async def test_a_mail_that_is_sent_again_says_the_same_under_the_same_id(settings: Settings) -> None:
    """R76: if the worker dies after sending and before recording it, the same mail is sent again, whatever came since."""
    case = await opened()
    await reply(case, "First.")
    (batch,) = await begun(NOW)
    before = await mail.told(batch, settings, NOW)
    await reply(case, "Second.", NOW + SECOND)
    assert await begun(NOW + SECOND) == [batch]
    again = await mail.told(batch, settings, NOW + SECOND)
    assert before is not None
    assert again is not None
    assert again["message-id"] == before["message-id"]
    assert part(again) == part(before)
    async with transaction(SYSTEM):
        await mailing.mark_mailed(batch, NOW)
    assert await mail.told(batch, settings, NOW) is None


async def test_who_lost_access_in_between_gets_nothing(settings: Settings) -> None:
    """R12, R26: rights are looked up when the mail is sent: of the case, and of the portal."""
    for sql in (
        "update cases set contact_id = 1 where contact_id = 2",
        "update contact set ended_at = now() where id = 2",
    ):
        case = await opened()
        await reply(case, "First.")
        async with transaction(SYSTEM) as tx:
            await tx.execute(sql)
        assert await mailed(settings, NOW) == []


async def test_a_note_reaches_no_contact_and_the_agent_whom_it_mentions(settings: Settings) -> None:
    """R27, D57: what is internal is in no mail to a customer."""
    case = await opened(ADA)
    async with transaction(INES):
        await case.note(by=INES, text=f"{SECRET}: @Max please look.", at=NOW)
        await case.reply(by=INES, text="We look into it.", at=NOW)
    await pass_on()
    messages = {message["to"]: message for message in await mailed(settings, NOW)}
    assert set(messages) == {ADA.email, MAX.email}
    assert SECRET not in str(messages[ADA.email])
    assert SECRET in part(messages[MAX.email])


async def test_what_was_read_in_the_app_is_not_mailed(settings: Settings) -> None:
    case = await opened()
    await reply(case, "First.")
    async with transaction(ALAN):
        await notices.read(ALAN, NOW, about=("case", case.id))
    assert await mailed(settings, NOW) == []


async def test_the_digest_tells_of_everything_at_its_hour(settings: Settings) -> None:
    """What is for the digest waits for its hour, and is one mail with a link to each case."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            'insert into notice_choice values ($1, \'{"case.replied": [true, "digest"]}\', 13)', ALAN.credential_id
        )
    for case in [await opened(subject=subject) for subject in ("VPN drops", "Monitor")]:
        await reply(case, f"About {case.subject}.")
    assert await mailed(settings, NOW) == []
    (digest,) = await mailed(settings, NOW + timedelta(hours=3))
    assert digest["subject"] == "2 things happened"
    assert all(word in part(digest) for word in ("VPN drops", "Monitor", f"{settings.base_url}/notices"))


async def test_without_a_mail_server_nothing_is_mailed_later_by_surprise() -> None:
    """Mails that are due while no mail server is configured are given up; the notices stay in the app."""
    await reply(await opened(), "First.")
    async with transaction(SYSTEM) as tx:
        await mailing.withdraw_mails(NOW)
        assert await mailing.begin_mails(NOW + timedelta(days=1)) == 0
        assert await tx.fetchval("select count(*) from notice where read_at is null") == 1
        assert (await state()).waiting == 0


async def test_the_mail_of_an_invoice_has_a_link_and_no_csv(settings: Settings) -> None:
    """S0.21, S3.4: contacts who may see invoices are mailed that one is issued; the CSV stays in the portal.

    Alan, who may not see invoices, gets no mail.
    """
    async with transaction(MAX):
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert made is not None
        invoice = await billing.issue(made.draft_ids[0], by=MAX, at=NOW)
    await pass_on()
    (message,) = [one for one in await mailed(settings, NOW) if "nvoice" in one["subject"]]
    assert (message["to"], message["subject"]) == (ADA.email, f"Invoice {invoice.number} is issued")
    assert f"{settings.base_url}/invoices/{invoice.number}" in part(message)
    assert list(message.iter_attachments()) == []
    assert "csv" not in str(message).lower()
