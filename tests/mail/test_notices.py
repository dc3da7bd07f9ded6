"""Test the mails that bring notices: what they contain, who gets them, how often, and when none is sent."""

from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from portal import billing, mail, notices
from portal.database import transaction
from portal.desk import Case, Status
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
    """Open a case a day before NOW, let Ines take it, delete the notices of both events, and return the case."""
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
    """Begin the mails that are due at `at`, and return the ids of their batches."""
    async with transaction(SYSTEM) as tx:
        await mailing.begin_mails(at)
        rows = await tx.fetch("select distinct mail_batch from notice where mail_begun_at = $1", at)
    return sorted(row["mail_batch"] for row in rows)


async def mailed(settings: Settings, at: datetime) -> list[EmailMessage]:
    """Begin the mails that are due at `at`, and return those that are to be sent."""
    written = [await mail.told(batch, settings, at) for batch in await begun(at)]
    return [message for message in written if message]


def part(message: Any, kind: str = "plain") -> str:
    body: str = message.get_body((kind,)).get_content()
    return body


async def test_a_reply_reaches_the_contact_by_mail(settings: Settings, sink: tuple[Sink, Server]) -> None:
    """S3.4, S3.16: the mail has the text of the reply and one link, says why it was sent, and arrives over SMTP."""
    case = await opened()
    await reply(case, "Try the **other** gateway.")
    (message,) = await mailed(settings, NOW)
    await mail.send(message, str(settings.smtp_url))
    (got,) = sink[0].messages
    assert (got["to"], got["subject"]) == (ALAN.email, f"#{case.number} VPN drops")
    assert got["auto-submitted"] == "auto-generated"
    assert got["reply-to"] == "office@desk.example"
    for kind in ("plain", "html"):
        assert "Ines Okafor replied" in part(got, kind)
        assert f"{settings.base_url}/cases/{case.number}#" in part(got, kind)
        assert "/account/notices" in part(got, kind)
    assert "Try the **other** gateway." in part(got)
    assert "Try the <strong>other</strong> gateway." in part(got, "html")


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (Status.RESOLVED, "Ines Okafor replied and resolved the case"),
        (Status.WAITING_FOR_CUSTOMER, "Ines Okafor replied and waits for your answer"),
        (None, "Ines Okafor replied."),
    ],
)
async def test_the_mail_of_a_reply_says_whether_the_case_is_resolved_or_waits_for_an_answer(
    settings: Settings, then: Status | None, told: str
) -> None:
    """S3.4: if a reply also sets the status of the case, the mail that brings the reply names the status."""
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="Please restart it.", then=then, at=NOW)
    await pass_on(NOW)
    (message,) = await mailed(settings, NOW)
    assert told in part(message)


async def test_mails_of_one_case_are_one_thread(settings: Settings) -> None:
    """All mails about one case refer to the same Message-ID, and each has a Message-ID of its own."""
    case = await opened()
    await reply(case, "First.")
    (first,) = await mailed(settings, NOW)
    await reply(case, "Second.", NOW + timedelta(hours=1))
    (second,) = await mailed(settings, NOW + timedelta(hours=1))
    assert first["references"] == second["references"] == f"<case.{case.id}@halden.example>"
    assert first["message-id"] != second["message-id"]


async def test_the_replies_of_the_next_five_minutes_are_one_mail(settings: Settings) -> None:
    """The first reply is mailed at once; the replies of the next five minutes follow in one mail."""
    case = await opened()
    await reply(case, "First.")
    assert len(await mailed(settings, NOW)) == 1
    for minute in (1, 2):
        await reply(case, f"Reply {minute}.", NOW + timedelta(minutes=minute))
        assert await mailed(settings, NOW + timedelta(minutes=minute)) == []
    (second,) = await mailed(settings, NOW + timedelta(minutes=5))
    assert all(f"Reply {minute}." in part(second) for minute in (1, 2))


async def test_each_of_many_threads_of_a_person_is_one_batch() -> None:
    """Two people have notices of 3 replies on each of 50 cases, and each person gets one mail per case.

    If a person was mailed about one case four minutes before, the next mail about that case begins a minute later than
    the others. The query uses an index.
    """
    readers = [ALAN.credential_id, ADA.credential_id]
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into notice (credential_id, kind, record_id, subject_id, at, in_app, mail, mail_due_at)"
            " select c, 'case.replied', n, n % 50, $1, true, 'at_once', $1 from generate_series(1, 150) n, unnest($2::bigint[]) c",
            NOW, readers,
        )  # fmt: skip
        await tx.execute(
            "insert into notice (credential_id, kind, record_id, subject_id, at, in_app, mail, mail_due_at, mail_batch, mail_begun_at)"
            " values ($2, 'case.status', 1, 7, $1, true, 'at_once', $1, 1, $1)", NOW - timedelta(minutes=4), readers[0],
        )  # fmt: skip
        await tx.execute(
            "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off"
        )
        plan = await tx.fetch(f"explain {mailing._BEGIN}", NOW, mailing.APART)
        assert "notice_thread" in "".join(row[0] for row in plan), "the index finds the earlier mails of a thread"
    assert len(await begun(NOW)) == 99
    async with transaction(SYSTEM) as tx:
        sql = """select count(*) as count, max(id) = mail_batch as is_named_by_last, count(distinct (credential_id, subject_id)) as threads
          from notice where mail_begun_at = $1 group by mail_batch"""
        assert {tuple(row) for row in await tx.fetch(sql, NOW)} == {(3, True, 1)}
    assert len(await begun(NOW + timedelta(minutes=1))) == 1


async def test_a_mail_that_is_sent_again_says_the_same_under_the_same_id(settings: Settings) -> None:
    """R76: if the worker dies after sending a mail and before recording it, the same mail is sent again.

    Notices that came in the meantime do not change the mail.
    """
    case = await opened()
    await reply(case, "First.")
    (batch,) = await begun(NOW)
    before = await mail.told(batch, settings, NOW)
    await reply(case, "Second.", NOW + SECOND)
    assert await begun(NOW + SECOND) == []
    again = await mail.told(batch, settings, NOW + SECOND)
    assert before is not None
    assert again is not None
    assert again["message-id"] == before["message-id"]
    assert part(again) == part(before)


async def test_a_person_who_lost_access_in_between_gets_nothing(settings: Settings) -> None:
    """R12, R26: the receiver's access to the case and to the portal is checked again when the mail is sent."""
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
    """R27, D57: a note is mailed to the agent whom it mentions, and to no contact."""
    case = await opened(ADA)
    async with transaction(INES):
        await case.note(by=INES, text=f"{SECRET}: @Max please look.", at=NOW)
        await case.reply(by=INES, text="We look into it.", at=NOW)
    await pass_on()
    messages = {message["to"]: message for message in await mailed(settings, NOW)}
    assert set(messages) == {ADA.email, MAX.email}
    assert SECRET not in str(messages[ADA.email])
    assert SECRET in part(messages[MAX.email])


@pytest.mark.parametrize("in_app", ["true", "false"])
async def test_what_was_read_in_the_portal_is_not_mailed(settings: Settings, in_app: str) -> None:
    """Once a person has opened the case, its notices are not mailed, even if the person hides them in the app."""
    async with transaction(SYSTEM) as tx:
        chosen = f'{{"case.replied": [{in_app}, "at_once"]}}'
        await tx.execute("insert into notice_choice values ($1, $2, 8)", ALAN.credential_id, chosen)
    case = await opened()
    await reply(case, "First.")
    async with transaction(ALAN):
        await notices.read(ALAN, NOW, about=("case", case.id))
    assert await mailed(settings, NOW) == []


async def choose(reply_by_mail: str) -> None:
    """Let Alan choose how replies are mailed to him: at once, in the digest at 13:00, or never."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into notice_choice values ($1, $2, 13) on conflict (credential_id) do update set choices = excluded.choices",
            ALAN.credential_id,
            f'{{"case.replied": [true, "{reply_by_mail}"]}}',
        )


async def test_the_digest_leaves_out_what_was_switched_off_since(settings: Settings) -> None:
    """Switching off mails of a kind of notice also removes the waiting notices of that kind from the next digest."""
    await choose("digest")
    await reply(await opened(), "First.")
    await choose("never")
    assert await mailed(settings, NOW + timedelta(hours=3)) == []


async def test_the_digest_tells_of_everything_at_its_hour(settings: Settings) -> None:
    """Notices for the digest wait for its hour, and are then sent as one mail with a link to each case."""
    await choose("digest")
    for case in [await opened(subject=subject) for subject in ("VPN drops", "Monitor")]:
        await reply(case, f"About {case.subject}.")
    assert await mailed(settings, NOW) == []
    (digest,) = await mailed(settings, NOW + timedelta(hours=3))
    assert digest["subject"] == "2 things happened"
    assert all(word in part(digest) for word in ("VPN drops", "Monitor", f"{settings.base_url}/notices"))


async def test_the_mail_of_an_invoice_has_a_link_and_no_csv(settings: Settings) -> None:
    """S0.21, S3.4: if the customer has not chosen invoices by mail, Ada gets a mail with a link to the issued invoice.

    The mail has no CSV. Alan, who may not see invoices, gets no mail.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update customer set invoices_by_mail = false")
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
