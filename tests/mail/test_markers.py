"""Test that no notice or mail for a contact contains internal text, whatever the kind of notice."""

from datetime import timedelta
from typing import Any

import pytest

from portal import billing, mail, notices
from portal.database import current, transaction
from portal.desk import Case, Status
from portal.desk.workflow import unanswered
from portal.notices.kinds import KINDS
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.web.gate import Gate
from tests.billing.test_payments import pay
from tests.billing.test_prepaid_persistence import PLAN, a_voucher, approved
from tests.billing.work import NOVEMBER, a_service, log
from tests.browser import Browser
from tests.desk.test_unanswered import DAY, rule, waiting
from tests.mail.sink import Server, Sink
from tests.mail.test_notices import begun, part, pass_on
from tests.places import SECRET
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")
FOR_CONTACTS = {kind.name for kind in KINDS.values() if kind.for_contacts}
SPELLED = ("37 min", "37\N{NO-BREAK SPACE}min", "0:37", "0.62", "0,62")
"""The actual time in this test, 37 minutes, in each form that the portal may show. Contacts read only billable time."""


async def everything_that_contacts_are_told() -> None:
    """Make a notice of every kind that contacts get, about objects that also have internal texts, time and questions."""
    async with transaction(INES):
        case = await Case.open(
            by=INES,
            subject="VPN drops",
            text="We look.",
            case_type_id=INCIDENT,
            contact_id=ADA.id,
            customer_id=ACME,
            at=NOW,
        )
        await case.take(by=INES, at=NOW)
        await case.note(by=INES, text=f"@Max {SECRET}", at=NOW)
        await case.reply(by=INES, text="Try the other gateway.", at=NOW + timedelta(seconds=1))
        await case.change_status(Status.RESOLVED, by=INES, at=NOW + timedelta(seconds=2))
    async with transaction(MAX):
        entry = await log(37, case_id=case.id, description=SECRET)
        flagged = await log(37, case_id=case.id, description=SECRET)
        await billing.flag([flagged.choice], question=SECRET, by=MAX, at=NOW)
        rejected = await log(37, case_id=case.id, description=SECRET)
        await billing.reject([rejected.choice], reason=SECRET, by=MAX, at=NOW)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert made is not None
        await pay(await billing.issue(made.draft_ids[0], by=MAX, at=NOW), "50", reference=SECRET)
        covered = await log(37, billing="no_charge", case_id=case.id, description=SECRET)
        await billing.approve([covered.choice], by=MAX, at=NOW)
        stated = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert stated is not None
        statement = await billing.Statement.find(stated.statement_ids[0], MAX)
        given_back = billing.Chosen(minutes={1: 15})
        await billing.correct_statement(statement, given_back, reason="Too much", freed=False, by=MAX, at=NOW)
        care = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await approved(480, service=care, on=NOW.date(), description=SECRET)
        await a_voucher(care, sold_on="2026-01-01", valid_from="2026-01-01", valid_until="2026-12-10")
        await current().execute("update contract set end_on = '2026-12-15' where id = $1", ACME_CONTRACT)
    async with transaction(ALAN):
        alans = await Case.open(by=ALAN, subject="Monitor", text="It is dark.", case_type_id=INCIDENT, at=NOW)
    async with transaction(INES):
        await alans.watch(ADA.id, by=INES, at=NOW)
    await rule("1", "2")
    unanswered_case = await waiting(NOW - 2 * DAY)
    async with transaction(INES):
        await unanswered_case.note(by=INES, text=f"@Max {SECRET}", at=NOW - DAY)
    async with transaction(SYSTEM):
        assert await unanswered.remind(NOW) == 1
    await pass_on()
    async with transaction(SYSTEM):
        await notices.remind(NOW)


async def kinds_of(credential_id: int) -> set[str]:
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select distinct kind from notice where credential_id = $1", credential_id)
    return {row["kind"] for row in rows}


def texts(message: Any) -> str:
    """Return all headers of a mail and both of its parts, decoded."""
    headers = "\n".join(f"{name}: {value}" for name, value in message.items())
    return "\n".join([headers, part(message), part(message, "html")])


async def test_nothing_internal_is_in_any_mail_or_notice_of_a_contact(
    app: Gate, settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """R27, R77, S3.16, D57: no mail and no page of notices for a contact has internal text or actual time.

    This is tested with Ada for each kind of notice. Each mail to her links to the portal, and has no attachment
    and no mail address of a colleague or an agent.
    """
    await everything_that_contacts_are_told()
    assert await kinds_of(ADA.credential_id) == FOR_CONTACTS
    assert not await kinds_of(ALAN.credential_id)
    for batch in [*await begun(NOW + timedelta(minutes=5)), *await begun(NOW + timedelta(days=1))]:
        if written := await mail.told(batch, settings, NOW):
            await mail.send(written, str(settings.smtp_url))
    to_ada = [message for message in sink[0].messages if message["to"] == ADA.email]
    assert to_ada
    for message in to_ada:
        text = texts(message)
        assert SECRET not in text
        assert not [spelled for spelled in SPELLED if spelled in text]
        assert not [person.email for person in (ALAN, INES, MAX) if person.email in text]
        assert list(message.iter_attachments()) == []
        assert f"{settings.base_url}/" in part(message)
    assert SECRET in "".join(texts(message) for message in sink[0].messages if message["to"] == MAX.email)
    async with await Browser.of(app, ADA, at=NOW) as browser:
        for address in ("/notices", "/notices?show=unread", "/notices/bell"):
            page = (await browser.get(address)).text
            page = page.replace(await browser.csrf(), "")  # a random text with a dot
            assert SECRET not in page
            assert not [spelled for spelled in SPELLED if spelled in page]


async def test_each_mail_says_that_a_machine_wrote_it_and_where_answers_go(settings: Settings) -> None:
    """D50: mails are marked as automatic, so that automatic replies do not answer them.

    Each mail says that a reply to it goes to the company.
    """
    at = NOW
    await everything_that_contacts_are_told()
    written = [await mail.told(batch, settings, at) for batch in await begun(at + timedelta(minutes=5))]
    written += [
        await mail.password_reset(ADA.credential_id, settings, at),
        await mail.password_changed(ADA.credential_id, at, settings, at),
        await mail.factor_changed(ADA.credential_id, "codes_renewed", at, settings, at),
    ]
    messages = [message for message in written if message]
    assert len(messages) > 5
    for message in messages:
        assert message["auto-submitted"] == "auto-generated"
        assert "AutoReply" in message["x-auto-response-suppress"]
        assert message["reply-to"] == "office@desk.example"
        assert all(
            "goes to office@desk.example" in " ".join(part.get_content().split()) for part in message.iter_parts()
        )
