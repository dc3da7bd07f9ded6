"""Test the unsubscribe link of a mail: it stops mails of that kind for the receiver without signing in."""

from email.message import EmailMessage

import pytest

from portal import mail
from portal.database import transaction
from portal.notices.choices import Choice, Mail, choices_of
from portal.notices.kinds import KINDS
from portal.notices.unsubscribing import DIGEST, Unsubscription
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from portal.web.gate import Gate
from tests.browser import Browser
from tests.forms import send as send_form
from tests.mail.sink import Server, Sink
from tests.mail.test_notices import begun, opened, part, reply
from tests.world import ADA, ALAN, INES, NOW

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def mailed(settings: Settings) -> EmailMessage:
    """Return the mail that notifies Alan of a reply."""
    await reply(await opened(), "First.")
    (batch,) = await begun(NOW)
    message = await mail.told(batch, settings, NOW)
    assert message is not None
    return message


def link_of(message: EmailMessage, settings: Settings) -> str:
    """Return the path of the unsubscribe link that mail programs use."""
    return str(message["list-unsubscribe"]).removeprefix(f"<{settings.base_url}").removesuffix(">")


async def choice(reader: Reader, kind: str = "case.replied") -> Choice | None:
    async with transaction(SYSTEM, readonly=True):
        return (await choices_of([reader.credential_id]))[reader.credential_id].of(KINDS[kind])


async def test_one_click_in_the_mail_program_stops_mails_of_this_kind_for_this_person(
    app: Gate, settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """R37: the one-click POST of RFC 8058 stops mails of this kind, without a session, CSRF token or Origin.

    Repeating the POST changes nothing. Mails of other kinds and other people's settings stay as they are.
    """
    await mail.send(await mailed(settings), str(settings.smtp_url))
    (got,) = sink[0].messages
    assert got["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert "=?" not in str(got["list-unsubscribe"])
    link = link_of(got, settings)
    for kind in ("plain", "html"):
        assert f"{settings.base_url}{link}" in part(got, kind)
    before = [await choice(reader) for reader in (ADA, INES)]
    other = await choice(ALAN, "case.status")
    async with Browser(app) as program:
        for site in ("cross-site", "none"):
            answer = await program.post(link, data=ONE_CLICK, headers={"sec-fetch-site": site, "origin": "null"})
            assert (answer.status_code, "A reply on your case" in answer.text) == (200, True)
            assert answer.headers["referrer-policy"] == "no-referrer"
        assert await choice(ALAN) == Choice(True, Mail.NEVER)
        assert await choice(ALAN, "case.status") == other
        assert [await choice(reader) for reader in (ADA, INES)] == before


async def test_opening_the_link_changes_nothing_and_its_button_stops_the_mails(app: Gate, settings: Settings) -> None:
    """R36: a GET of the link only shows the button, so a program that opens every link of a mail changes nothing."""
    link = link_of(await mailed(settings), settings)
    async with Browser(app) as browser:
        for method in ("GET", "HEAD"):
            page = await browser.request(method, link)
            assert page.status_code == 200
        page = await browser.get(link)
        assert await choice(ALAN) == Choice(True, Mail.AT_ONCE)
        answer = await send_form(browser, page, link)
        assert "You get no more of these mails" in answer.text
        assert await choice(ALAN) == Choice(True, Mail.NEVER)


async def test_the_link_works_for_its_person_even_if_another_one_is_signed_in(app: Gate, settings: Settings) -> None:
    link, before = link_of(await mailed(settings), settings), await choice(INES)
    async with await Browser.of(app, INES) as browser:
        assert (await browser.post(link, data=ONE_CLICK)).status_code == 200
    assert await choice(ALAN) == Choice(True, Mail.NEVER)
    assert await choice(INES) == before


async def test_the_link_of_a_digest_stops_the_digest(app: Gate, settings: Settings) -> None:
    """The link of a digest stops mails of every kind that the person gets in it, and of no other kind."""
    link = f"/unsubscriptions/{Unsubscription.of(INES, [DIGEST]).token(settings.sealer)}"
    async with Browser(app) as browser:
        assert "The daily digest" in (await browser.post(link)).text
    assert await choice(INES, "case.status") == Choice(True, Mail.NEVER)
    assert await choice(INES, "case.replied") == Choice(True, Mail.AT_ONCE)


@pytest.mark.parametrize(
    "token", ["x", "x.y", "%20", "null", "MSBjb250YWN0IGNhc2UucmVwbGllZA.AAAAAAAAAAAAAAAAAAAAAA", "%FF.%FF"]
)
async def test_a_token_that_was_not_made_here_gets_a_sentence(app: Gate, token: str) -> None:
    """A wrong or truncated token gets 404 with an error message, for GET and POST, and changes nothing."""
    async with Browser(app) as browser:
        for method in ("GET", "POST"):
            answer = await browser.request(method, f"/unsubscriptions/{token}")
            assert (answer.status_code, "This link does not work" in answer.text) == (404, True)


async def test_a_token_of_another_installation_or_person_is_refused(app: Gate, settings: Settings) -> None:
    """R87: a token that is changed, for example to name another person, is refused."""
    token = Unsubscription.of(ALAN, ["case.replied"]).token(settings.sealer)
    other = Unsubscription.of(ADA, ["case.replied"]).token(settings.sealer)
    forged = f"{other.partition('.')[0]}.{token.partition('.')[2]}"
    async with Browser(app) as browser:
        for wrong in (forged, token[:-1], f"{token}A"):
            assert (await browser.post(f"/unsubscriptions/{wrong}", data=ONE_CLICK)).status_code == 404
    assert await choice(ADA) == Choice(True, Mail.AT_ONCE)


async def test_the_link_of_a_person_without_access_changes_nothing(app: Gate, settings: Settings) -> None:
    link = link_of(await mailed(settings), settings)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set ended_at = $1 where id = $2", NOW, ALAN.id)
    async with Browser(app) as browser:
        assert (await browser.post(link, data=ONE_CLICK)).status_code == 200
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from notice_choice") == 0
