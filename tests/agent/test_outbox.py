"""Test the pages of the outbox: which mails they list, what they show of each, and who may send one again."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from portal import billing, mail, notices
from portal.database import transaction
from portal.mail import outgoing, refusals
from portal.mail.letters import LETTERS
from portal.mail.outgoing import Addressee
from portal.notices import mailing
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from portal.words import MailState
from tests.browser import Browser, text_of
from tests.mail.test_invoices import begun, issued
from tests.mail.test_notices import opened, reply
from tests.world import ADA, ALAN, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")
PAGE = "/agent/setup/outbox"
CHANGED: mail.Ids = {"credential": ADA.credential_id, "at": NOW.isoformat()}


@pytest.fixture
async def noor(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        yield browser


async def recorded(
    state: MailState,
    *,
    kind: str = "mail_password_changed",
    ids: mail.Ids = CHANGED,
    to: Reader = ADA,
    reason: str = "",
) -> int:
    """Record a mail in this state, and return the id of the record."""
    async with transaction(SYSTEM) as tx:
        job = 1 + await tx.fetchval("select count(*) from outgoing_mail")
        await outgoing.record(job, kind, ids, Addressee(to.email, to.credential_id), state, reason, NOW)
        return int(await tx.fetchval("select max(id) from outgoing_mail"))


async def told() -> int:
    """Reply as Ines, record the mail that tells Alan of the reply, and return the id of the record."""
    await reply(await opened(), "Try the **other** gateway.")
    async with transaction(SYSTEM) as tx:
        await mailing.begin_mails(NOW)
        batch = await tx.fetchval("select max(mail_batch) from notice")
    return await recorded(MailState.KEPT, kind="mail_notices", ids={"batch": batch}, to=ALAN)


async def test_the_list_is_empty_at_first_and_then_filtered_by_person_kind_and_state(noor: Browser) -> None:
    assert "No mail yet" in (await noor.get(PAGE)).text
    await recorded(MailState.SENT)
    await recorded(MailState.REFUSED, to=ALAN, kind="mail_factor_changed", reason="550 5.1.1 No such mailbox")
    both = (await noor.get(PAGE)).text
    assert ADA.email in both
    assert "550 5.1.1 No such mailbox" in both
    for query in (f"who={ALAN.credential_id}", "kind=mail_factor_changed", "state=refused"):
        page = (await noor.get(f"{PAGE}?{query}")).text
        assert ALAN.email in page
        assert ADA.email not in page
    assert "No mail matches" in (await noor.get(f"{PAGE}?state=given_up")).text
    assert (await noor.get(f"{PAGE}?state=x&kind=y&who=z&after=w")).status_code == 200


async def test_the_list_names_the_case_or_the_invoice_and_the_kinds_of_each_mail(noor: Browser) -> None:
    """The outbox shows the case or document of each mail and the kinds of its notices.

    For a mail with several notices, it shows their number instead of a case.
    """
    await told()
    async with transaction(SYSTEM) as tx:
        case = f"#{await tx.fetchval('select number from cases')}"
    page = text_of((await noor.get(PAGE)).text)
    assert f"{case} VPN drops A reply on your case" in page
    assert "What happened" not in page.partition("To")[2].partition("Suggestions")[2]
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into notice (credential_id, kind, record_id, subject_id, at, in_app, mail, mail_due_at, mail_batch, mail_begun_at)"
            " select credential_id, 'invoice.issued', 1, 1, at, true, mail, mail_due_at, mail_batch, mail_begun_at from notice limit 1"
        )
    assert "2 notices A reply on your case; A new invoice" in text_of((await noor.get(PAGE)).text)
    invoice = await issued()
    (mail_id,) = await begun()
    await recorded(MailState.SENT, kind="mail_invoice", ids={"mail": mail_id})
    assert "Invoice 2026-0147 An invoice" in text_of((await noor.get(PAGE)).text)
    async with transaction(MAX):
        note = await billing.issue_credit(
            invoice, billing.Chosen(everything=True), reason="Agreed.", freed=True, by=MAX, at=NOW
        )
    async with transaction(SYSTEM):
        while await notices.pass_on(NOW):
            pass
    (mail_id,) = {*await begun()} - {mail_id}
    await recorded(MailState.SENT, kind="mail_invoice", ids={"mail": mail_id})
    assert f"Credit note {note.number} An invoice" in text_of((await noor.get(PAGE)).text)


async def test_the_list_goes_on_and_says_how_many_there_are(noor: Browser) -> None:
    async with transaction(SYSTEM):
        for job in range(outgoing.PAGE + 3):
            await outgoing.record(
                job, "mail_password_changed", CHANGED, Addressee(ADA.email, ADA.credential_id), MailState.SENT, "", NOW
            )
    first = (await noor.get(f"{PAGE}?state=sent")).text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"{outgoing.PAGE + 3} mails" in first
    older = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    page = (await noor.get(older)).text
    assert page.count(f'href="{PAGE}/') == 3
    assert "Latest" in page


async def test_a_mail_is_shown_as_text_and_in_a_frame_without_active_content(noor: Browser) -> None:
    """R39: the HTML of a mail may run no script and load nothing, and only the portal itself may frame it."""
    found = await told()
    page = await noor.get(f"{PAGE}/{found}")
    assert "Try the **other** gateway." in page.text
    assert f'src="{PAGE}/{found}/html" sandbox' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    framed = await noor.get(f"{PAGE}/{found}/html")
    assert "Ines Okafor replied" in framed.text
    policy = framed.headers["content-security-policy"]
    assert policy == "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


async def test_the_mail_of_a_shared_address_is_found_by_the_person_whom_it_is_for(noor: Browser) -> None:
    """If two people share a mail address, the outbox filtered by one of them shows only the mail to this person."""
    async with transaction(SYSTEM):
        for job, reader in enumerate((ADA, ALAN)):
            to = Addressee("office@acme.example", reader.credential_id)
            await outgoing.record(job, "mail_password_changed", CHANGED, to, MailState.SENT, "", NOW)
    page = (await noor.get(f"{PAGE}?who={ALAN.credential_id}")).text
    assert ALAN.name in page
    assert ADA.name not in page


async def test_a_mail_shows_only_what_its_receiver_may_still_see(noor: Browser) -> None:
    """R12: a mail shows only what its receiver may still see; after Alan's access has ended, his mail shows nothing."""
    found = await told()
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set ended_at = $1 where id = $2", NOW, ALAN.id)
    assert "There is nothing to show any more" in (await noor.get(f"{PAGE}/{found}")).text
    assert (await noor.get(f"{PAGE}/{found}/html")).status_code == 404


@pytest.mark.parametrize("kind", [name for name, letter in LETTERS.items() if letter.has_link])
async def test_a_link_for_signing_in_is_neither_shown_nor_made_nor_sent_again(noor: Browser, kind: str) -> None:
    """R7: Noor can neither read nor send again a mail with a link for signing in; the mail's page creates no link."""
    found = await recorded(MailState.GIVEN_UP, kind=kind, ids={"credential": ADA.credential_id})
    page = (await noor.get(f"{PAGE}/{found}")).text
    assert "nobody else can read it" in page
    assert "/sending" not in page
    assert (await noor.get(f"{PAGE}/{found}/html")).status_code == 404
    assert (await noor.send_form(f"{PAGE}/{found}/sending")).status_code == 409
    async with transaction(None, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from invitation") == 0
        assert await tx.fetchval("select count(*) from pgqueuer") == 0


@pytest.mark.parametrize("state", [MailState.KEPT, MailState.REFUSED, MailState.GIVEN_UP])
async def test_a_mail_is_sent_again_once_however_often_the_button_is_pressed(noor: Browser, state: MailState) -> None:
    """A mail in the state `kept`, `refused` or `given_up` is enqueued once, however often Noor presses the button.

    The record that its mail address was refused is removed.
    """
    found = await recorded(state)
    async with transaction(SYSTEM):
        await refusals.record(ADA.email, "mail_password_changed", "550 No", NOW)
    assert f'action="{PAGE}/{found}/sending"' in (await noor.get(f"{PAGE}/{found}")).text
    for _ in range(2):
        assert (await noor.send_form(f"{PAGE}/{found}/sending")).status_code == 303
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from pgqueuer") == 1
        assert await refusals.find(ADA.email) is None
        assert (await outgoing.find(found)).state is MailState.WAITING


async def test_without_a_server_nothing_can_be_sent(app: Gate, settings: Settings) -> None:
    found = await recorded(MailState.KEPT)
    silent = Gate(app.inner, replace(settings, smtp_url=None, mail_from=None), open_storage(settings.storage_url))
    silent.clock = app.clock
    async with await Browser.of(silent, NOOR, at=NOW) as browser:
        assert "There is no mail server" in (await browser.get(PAGE)).text
        page = (await browser.get(f"{PAGE}/{found}")).text
        assert "/sending" not in page
        assert "your password at" in page
        assert (await browser.send_form(f"{PAGE}/{found}/sending")).status_code == 404


@pytest.mark.parametrize(
    ("who", "whose", "page", "form"),
    [
        (NOOR, ADA, "/agent/customers/1/contacts/1", "/agent/customers/1/contacts/1/mail-refusal/removal"),
        (NOOR, INES, "/agent/setup/agents/1", "/agent/setup/agents/1/mail-refusal/removal"),
        (ADA, ALAN, "/contacts/2", "/contacts/2/mail-refusal/removal"),
        (ALAN, ALAN, "/account", "/account/mail-refusal/removal"),
        (INES, INES, "/account", "/account/mail-refusal/removal"),
    ],
)
async def test_a_refused_address_shows_at_the_person_until_somebody_tries_again(
    app: Gate, who: object, whose: object, page: str, form: str
) -> None:
    """The page of a person shows that their mail address was refused and why, until the refusal is removed.

    Removing the refusal twice is harmless.
    """
    email = whose.email  # type: ignore[attr-defined]
    async with transaction(SYSTEM):
        await refusals.record(email, "mail_notices", "550 5.1.1 No such mailbox", NOW)
    async with await Browser.of(app, who, at=NOW) as browser:  # type: ignore[arg-type]
        shown = (await browser.get(page)).text
        assert f"Mails do not arrive at {email}." in shown
        assert "550 5.1.1 No such mailbox" in shown
        for _ in range(2):
            assert (await browser.send_form(form)).status_code == 303
        assert "Mails do not arrive" not in (await browser.get(page)).text
    async with transaction(SYSTEM):
        assert await refusals.find(email) is None


@pytest.mark.parametrize(
    ("who", "whose", "page"),
    [(NOOR, ADA, "/agent/customers/1"), (NOOR, INES, "/agent/setup/agents"), (ADA, ALAN, "/contacts")],
)
async def test_lists_of_people_mark_a_refused_address(app: Gate, who: object, whose: object, page: str) -> None:
    """The lists of agents and of contacts mark each person whose mail address was refused."""
    async with await Browser.of(app, who, at=NOW) as browser:  # type: ignore[arg-type]
        assert ">No mail<" not in (await browser.get(page)).text
        async with transaction(SYSTEM):
            await refusals.record(whose.email, "mail_notices", "550 5.1.1 No such mailbox", NOW)  # type: ignore[attr-defined]
        assert (await browser.get(page)).text.count(">No mail<") == 1
