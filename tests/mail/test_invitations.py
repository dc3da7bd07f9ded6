"""Test the mailed links for invitations and new passwords: who can read them, and when they expire."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from portal import mail
from portal.database import transaction
from portal.people.access import invitations
from portal.people.contacts import Contact
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.web.gate import Gate
from tests.browser import Browser, text_of
from tests.forms import send
from tests.mail.sink import Server, Sink
from tests.world import ACME, ADA, ALAN, INES, NOOR, SUPPORT

CHOSEN = "seven purple kettles sing"
BEA = {"name": "Bea Roth", "email": "bea@acme.example"}
LINK = re.compile(r"http://127\.0\.0\.1:8000(/(?:invitations|password-resets)/[A-Za-z0-9_-]{43})")


def now() -> datetime:
    return datetime.now(UTC)


async def rows(sql: str, *values: Any) -> list[Any]:
    async with transaction(None, readonly=True) as tx:
        return list(await tx.fetch(sql, *values))


async def queued() -> list[int]:
    """Enqueue the mails of waiting links, as the worker does, and return the ids of all links that are being mailed."""
    async with transaction(SYSTEM):
        await invitations.begin_mails(now())
    return [row["id"] for row in await rows("select id from invitation where mail = 'begun' order by id")]


async def written(settings: Settings) -> EmailMessage:
    """Enqueue the mail of the only link that waits, and return the mail as it would be sent."""
    (invitation,) = await queued()
    message = await mail.invitation(invitation, settings, now())
    assert message is not None
    return message


def link_in(message: EmailMessage) -> str:
    """Return the path of the link, after checking that it is the same in both parts of the mail."""
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    (path,) = {LINK.search(part.get_content())[1] for part in parts}  # type: ignore[union-attr, index]
    return path


async def test_an_invited_colleague_gets_the_link_by_mail_and_nobody_else_sees_it(
    app: Gate, settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S3.15, R7, R8: when Ada adds Bea, neither Ada's pages nor the queue contain Bea's link.

    The link is mailed over SMTP and works once.
    """
    async with await Browser.of(app, ADA) as ada:
        answer = await send(ada, await ada.get("/contacts/new"), "/contacts/new", **BEA)
        assert answer.status_code == 303
        place = answer.headers["location"].partition("#")[0]
        page = await ada.get(place)
        assert "is on its way by mail" in text_of(page.text)
        (invitation,) = await queued()
        await mail.deliver(mail.Delivery(1, "mail_invitation", {"invitation": invitation}, now(), now()), settings)
        (got,) = sink[0].messages
        path = link_in(got)
        token = path.rpartition("/")[2]
        pages = [answer.text, page.text, (await ada.get(place)).text]
        assert "was mailed" in text_of(pages[-1])
    async with transaction(SYSTEM) as tx:
        kept = await tx.fetch("select payload from pgqueuer")
    assert all(token not in text for text in [*pages, *(str(row["payload"]) for row in kept)])
    assert (got["to"], got["auto-submitted"]) == ("bea@acme.example", "auto-generated")
    async with Browser(app) as bea:
        page = await bea.get(path)
        assert "You sign in as bea@acme.example" in page.text
        assert (await send(bea, page, path, password=CHOSEN, again=CHOSEN)).status_code == 303
        assert (await bea.get("/cases")).status_code == 200
    async with Browser(app) as other:
        assert (await other.get(path)).status_code == 404


async def test_an_invitation_that_is_refused_is_not_said_to_be_on_its_way(
    app: Gate, settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """S3.15: if the mail server refuses a new colleague's address, the page says so until the link is mailed again."""
    sink[0].receivers.append("550 5.1.1 No such mailbox")
    async with await Browser.of(app, ADA) as ada:
        answer = await send(ada, await ada.get("/contacts/new"), "/contacts/new", **BEA)
        place = answer.headers["location"].partition("#")[0]
        (invitation,) = await queued()
        await mail.deliver(mail.Delivery(1, "mail_invitation", {"invitation": invitation}, now(), now()), settings)
        page = await ada.get(place)
        assert "did not arrive, because the mail server refused the address" in text_of(page.text)
        assert "is on its way" not in text_of(page.text)
        assert (await send(ada, page, f"{place}/invitations")).status_code == 303
        assert "is on its way by mail" in text_of((await ada.get(place)).text)


async def test_admins_invite_agents_and_contacts_by_mail(app: Gate, settings: Settings) -> None:
    """R7: admins mail invitations to an agent and to a contact; each mail says to what the link gives access."""
    async with await Browser.of(app, NOOR) as noor:
        page = await noor.get("/agent/setup/agents/new")
        agent = {"name": "Jo Marsh", "email": "jo@desk.example", "department_id": str(SUPPORT)}
        answer = await send(noor, page, "/agent/setup/agents/new", **agent)
        assert answer.headers["location"].startswith("/agent/setup/agents/")
        text = (await written(settings)).get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "has given you access to its portal" in text
        assert "Noor Haddad has invited you." in text
        place = f"/agent/customers/{ACME}/contacts/new"
        answer = await send(noor, await noor.get(place), place, **BEA)
        assert "is on its way" in text_of((await noor.get(answer.headers["location"].partition("#")[0])).text)
    message = await mail.invitation((await queued())[-1], settings, now())
    assert message is not None
    assert "works for Acme" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_a_contact_with_a_password_is_mailed_a_link_for_a_new_password(app: Gate, settings: Settings) -> None:
    """R7, R9: because Alan has a password, a button on the page about him mails him a link to set a new one.

    The link is valid for an hour. Ada, who presses the button, is not asked for her own password. Alan's session
    lasts until he has chosen a new password.
    """
    async with await Browser.of(app, ADA, at=now() - timedelta(minutes=20)) as ada, await Browser.of(app, ALAN) as alan:
        page = await ada.get(f"/contacts/{ALAN.id}")
        assert "Mail a new password link" in text_of(page.text)
        assert (await send(ada, page, f"/contacts/{ALAN.id}/invitations")).status_code == 303
        message = await written(settings)
        assert message["subject"] == "Choose a new password"
        assert (await alan.get("/cases")).status_code == 200
        async with Browser(app) as browser:
            path = link_in(message)
            done = await send(browser, await browser.get(path), path, password=CHOSEN, again=CHOSEN)
            assert done.headers["location"] == "/sign-in?changed=yes"
        assert (await alan.get("/cases")).status_code == 303
    (row,) = await rows("select expires_at - now() < interval '61 minutes' as is_short from invitation")
    assert row["is_short"]


async def test_a_link_that_is_mailed_again_ends_the_one_before(app: Gate, settings: Settings) -> None:
    """R7, R76: two simultaneous requests for a link cause one mail.

    If the worker writes this mail twice, only the second link is valid.
    """
    async with await Browser.of(app, ADA) as ada:
        page = await ada.get(f"/contacts/{ALAN.id}")
        await asyncio.gather(*(send(ada, page, f"/contacts/{ALAN.id}/invitations") for _ in range(2)))
    first = await written(settings)
    second = await written(settings)
    assert first["message-id"] != second["message-id"]
    async with Browser(app) as browser:
        assert (await browser.get(link_in(first))).status_code == 404
        assert (await browser.get(link_in(second))).status_code == 200


async def test_a_withdrawn_invitation_is_neither_mailed_nor_valid(app: Gate, settings: Settings) -> None:
    """R7: a withdrawn invitation is not mailed, and its mailed link stops working; withdrawing it twice is harmless."""
    place = f"/agent/customers/{ACME}/contacts/{ALAN.id}"
    async with await Browser.of(app, NOOR) as noor:
        for was_written in (True, False):
            page = await noor.get(place)
            await send(noor, page, f"{place}/invitations")
            page = await noor.get(place)
            path = link_in(await written(settings)) if was_written else ""
            for _ in range(2):
                answer = await send(noor, page, f"{place}/invitations/revocation")
                assert answer.status_code == 303
            async with Browser(app) as browser:
                if path:
                    assert (await browser.get(path)).status_code == 404
        assert "Withdraw it" not in (await noor.get(place)).text
    async with transaction(SYSTEM):
        await invitations.begin_mails(now())
    for row in await rows("select id from invitation"):
        assert await mail.invitation(row["id"], settings, now()) is None


async def test_pages_say_that_the_mail_server_has_not_taken_a_mail_and_that_a_link_has_expired(
    app: Gate, settings: Settings
) -> None:
    """R76: after five minutes, the page says that the mail still waits; after 72 hours, that the link has expired."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update credential set email = 'bea@acme.example' where id = $1", ALAN.credential_id)
    async with transaction(None) as tx:
        await tx.execute(
            "update credential set password_hash = null, accepted_at = null where id = $1", ALAN.credential_id
        )
    place = f"/contacts/{ALAN.id}"
    for age, says in ((timedelta(minutes=6), "Not mailed yet"), (timedelta(hours=73), "expired")):
        async with transaction(SYSTEM):
            await (await Contact.find(ALAN.id, SYSTEM)).mail_link(now() - age)
        async with await Browser.of(app, ADA) as ada:
            assert says in text_of((await ada.get(place)).text)


async def test_nobody_whose_access_has_ended_gets_the_link(app: Gate, settings: Settings) -> None:
    """R12: if Alan's access ends between the request and the sending, no mail is written."""
    async with transaction(SYSTEM):
        await (await Contact.find(ALAN.id, SYSTEM)).mail_link(now())
    (found,) = await queued()
    async with transaction(SYSTEM):
        await (await Contact.find(ALAN.id, SYSTEM)).end(now())
    assert await mail.invitation(found, settings, now()) is None


async def test_an_administrator_who_mails_too_many_links_waits(app: Gate) -> None:
    """R83: Ada can mail thirty links in an hour; for the next one she has to wait."""
    async with await Browser.of(app, ADA) as ada:
        page = await ada.get(f"/contacts/{ALAN.id}")
        answers = [await send(ada, page, f"/contacts/{ALAN.id}/invitations") for _ in range(31)]
    assert [answer.status_code for answer in answers[-2:]] == [303, 429]


@pytest.mark.parametrize("reader", [INES, ADA.as_administrator()], ids=["an agent", "an administrator"])
async def test_the_database_refuses_a_password_reset_that_is_not_to_be_mailed(app: Gate, reader: Any) -> None:
    """R7, R88: an agent or administrator cannot insert a password reset in the database unless it waits to be mailed.

    Otherwise, they could insert one with a token of their choice, and then set the person's password.
    """
    for how in ("null", "'sent'"):
        with pytest.raises(Exception, match="row-level security"):
            async with transaction(reader) as tx:
                await tx.execute(
                    "insert into invitation (kind, token_hash, credential_id, created_at, expires_at, mail)"
                    f" values ('reset', sha256('x'), {ALAN.credential_id}, now(), now(), {how})"
                )
