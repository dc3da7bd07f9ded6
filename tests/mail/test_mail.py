"""Mail as a server gets it: what it says, where its links lead, and what happens when the server does not want it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pgqueuer import RetryRequested

from portal import mail
from portal.database import transaction
from portal.people import invitations, sessions
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from portal.worker import MAIL_KEPT, deliver
from tests.browser import Browser
from tests.forms import send as send_form
from tests.mail.sink import Server, Sink
from tests.served import free_port
from tests.web.test_account import FRESH, live, sign_in, with_factor
from tests.world import ADA, GIL, INES, PASSWORD

LINK = re.compile(r"http://127\.0\.0\.1:8000/password-resets/([A-Za-z0-9_-]{43})")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def sink() -> Iterator[tuple[Sink, Server]]:
    kept = Sink()
    server = Server(kept, free_port())
    server.start()
    yield kept, server
    if not kept.stopped:
        server.stop()


@pytest.fixture
def settings(settings: Settings, sink: tuple[Sink, Server]) -> Settings:
    """The portal sends through the sink."""
    return replace(settings, smtp_url=f"smtp://127.0.0.1:{sink[1].port}")


async def letter(settings: Settings, credential: int = ADA.credential_id) -> tuple[str, str]:
    """The text of a reset's mail, and its token."""
    message = await mail.password_reset(credential, settings, now())
    assert message is not None
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = LINK.search(text)
    assert found
    return text, found[1]


async def test_a_reset_arrives_with_a_link_to_the_configured_address(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """R7, R8: in both forms of the mail, once each."""
    message = await mail.password_reset(ADA.credential_id, settings, now())
    assert message is not None
    await mail.send(message, str(settings.smtp_url))
    (got,) = sink[0].messages
    assert (got["to"], got["from"]) == (ADA.email, "Halden IT <support@halden.example>")
    assert got["auto-submitted"] == "auto-generated"
    assert got["message-id"].endswith("@halden.example>")
    links = {LINK.search(got.get_body((form,)).get_content())[1] for form in ("plain", "html")}  # type: ignore[union-attr, index]
    assert len(links) == 1
    async with transaction(None, readonly=True):
        assert (await invitations.find(links.pop(), now(), "reset")).credential_id == ADA.credential_id


async def test_nobody_who_has_ended_or_does_not_exist_gets_a_mail(settings: Settings) -> None:
    """R5, R12."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set ended_at = $1 where id = $2", now(), GIL.id)
    for credential in (0, 999_999, GIL.credential_id):
        assert await mail.password_reset(credential, settings, now()) is None
        assert await mail.password_changed(credential, now(), settings, now()) is None


async def test_a_hostile_name_stays_text_and_cannot_add_a_header(settings: Settings) -> None:
    """R46, R75."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set name = $1 where id = $2", "<img src=x>\r\nBcc: x@evil.example", ADA.id)
    message = await mail.password_reset(ADA.credential_id, settings, now())
    assert message is not None
    assert message["bcc"] is None
    assert "<img" not in message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<img src=x>" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_the_link_sets_a_password_once_and_ends_everything_else(app: Gate, settings: Settings) -> None:
    """R7, R17: sessions, an older link, an open invitation."""
    _, older = await letter(settings)
    async with transaction(SYSTEM):
        invitation = await invitations.invite(ADA.credential_id, now())
    _, token = await letter(settings)
    async with await Browser.of(app, ADA) as before, Browser(app) as browser:
        assert (await browser.get(f"/password-resets/{older}")).status_code == 404
        page = await browser.get(f"/password-resets/{token}")
        assert page.headers["referrer-policy"] == "no-referrer"
        weak = await send_form(
            browser, page, f"/password-resets/{token}", password="acme lindqvist", again="acme lindqvist"
        )
        assert weak.status_code == 422
        assert await live(before)
        done = await send_form(browser, page, f"/password-resets/{token}", password=FRESH, again=FRESH)
        assert done.headers["location"] == "/sign-in?changed=yes"
        assert "sid" not in browser.cookies
        assert not await live(before)
        for dead in (token, older):
            assert (await browser.get(f"/password-resets/{dead}")).status_code == 404
        assert (await browser.get(f"/invitations/{invitation}")).status_code == 404
        assert (await sign_in(browser, ADA)).status_code == 422
        assert (await sign_in(browser, ADA, FRESH)).headers["location"] == "/cases"
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select array_agg(entrypoint) from pgqueuer") == ["mail_password_changed"]


async def test_a_reset_does_not_pass_the_second_factor_by(app: Gate, settings: Settings) -> None:
    """R9."""
    await with_factor(app, ADA)
    _, token = await letter(settings)
    async with Browser(app) as browser:
        page = await browser.get(f"/password-resets/{token}")
        await send_form(browser, page, f"/password-resets/{token}", password=FRESH, again=FRESH)
        assert (await sign_in(browser, ADA, FRESH)).headers["location"] == "/sign-in/second-factor"


async def test_a_link_is_good_for_one_hour_and_for_its_own_page(app: Gate, settings: Settings) -> None:
    """R7: blank and wrong tokens match nothing, an invitation is no reset and a reset no invitation."""
    _, token = await letter(settings)
    async with transaction(SYSTEM):
        invitation = await invitations.invite(INES.credential_id, now())
    async with Browser(app) as browser:
        for path in (
            f"/invitations/{token}", f"/password-resets/{invitation}", f"/password-resets/{token[:-1]}",
            "/password-resets/%20", "/password-resets/null",
        ):  # fmt: skip
            assert (await browser.get(path)).status_code == 404, path
        async with transaction(None) as tx:
            await tx.execute("update invitation set expires_at = $1 where kind = 'reset'", now() - timedelta(seconds=1))
        assert (await browser.get(f"/password-resets/{token}")).status_code == 404


async def test_whoever_asks_gets_the_same_answer(app: Gate) -> None:
    """R5: known, unknown, ended; and one job each, of which the worker alone knows whether anybody gets mail."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set ended_at = $1 where id = $2", now(), GIL.id)
    said = set()
    for who in (ADA.email, "nobody@acme.example", ADA.email.upper(), GIL.email):
        async with Browser(app) as browser:
            answer = await browser.send_form("/password-resets", {"email": who})
        assert answer.status_code == 200
        said.add(re.sub(r"nonce=\"[^\"]*\"|[0-9a-f]{16}\.[0-9a-f]{64}", "", answer.text.replace(who, "WHO")))
    assert len(said) == 1
    assert "If somebody signs in here as WHO" in said.pop()
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select entrypoint, payload from pgqueuer")
    assert [row["entrypoint"] for row in rows] == ["mail_password_reset"] * 4
    assert not [row for row in rows if b"@" in row["payload"]]


async def test_a_fourth_wish_within_an_hour_has_to_wait_and_others_need_not(app: Gate) -> None:
    """R83: whether there is such a person or not."""
    async with Browser(app) as browser:
        for who in (ADA.email, "nobody@acme.example"):
            answers = [await browser.send_form("/password-resets", {"email": who}) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert who in answers[-1].text
        assert (await browser.send_form("/password-resets", {"email": GIL.email})).status_code == 200


def test_a_household_of_ipv6_counts_as_one_address() -> None:
    """R6, R83: it has 2 ** 64 of them, for resets as for sign-in."""
    from portal.web.door.password_resets import _limits

    assert set(_limits("a@b.example", "2001:db8::1")) == set(_limits("a@b.example", "2001:db8::ffff:7"))
    assert set(_limits("a@b.example", "2001:db8::1")) != set(_limits("a@b.example", "2001:db8:0:1::1"))


async def test_without_a_mail_server_nothing_is_offered(settings: Settings, app: Gate) -> None:
    silent = Gate(app.inner, replace(settings, smtp_url=None, mail_from=None), open_storage(settings.storage_url))
    async with Browser(silent) as browser:
        assert "password-resets" not in (await browser.get("/sign-in")).text
        assert (await browser.get("/password-resets")).status_code == 404
        assert (await browser.send_form("/password-resets", {"email": ADA.email})).status_code == 404


class Job:
    """What `deliver` looks at."""

    def __init__(self, age: timedelta, attempts: int = 0) -> None:
        self.id, self.entrypoint, self.created, self.attempts = 1, "mail_password_changed", now() - age, attempts


async def test_a_mail_that_is_not_taken_is_tried_again_ever_more_rarely_and_given_up(
    settings: Settings, sink: tuple[Sink, Server]
) -> None:
    """R76: refused for now, refused for good, or nobody there; the error names no address."""
    message = await mail.password_changed(ADA.credential_id, now(), settings, now())
    sink[0].answers += ["451 Later", f"550 No {ADA.email}", "451 Later"]
    delays = []
    for attempts in (0, 1):
        with pytest.raises(RetryRequested) as again:
            await deliver(message, settings, Job(timedelta(0), attempts), until=MAIL_KEPT, at=now())  # type: ignore[arg-type]
        delays.append(again.value.delay)
        assert ADA.email not in str(again.value.reason)
    assert delays[0] < delays[1]
    with pytest.raises(mail.NotSent):
        await deliver(message, settings, Job(MAIL_KEPT + timedelta(seconds=1)), until=MAIL_KEPT, at=now())  # type: ignore[arg-type]
    sink[1].stop()
    sink[0].stopped = True
    with pytest.raises(RetryRequested):
        await deliver(message, settings, Job(timedelta(0)), until=MAIL_KEPT, at=now())  # type: ignore[arg-type]
    assert sink[0].messages == []


@dataclass
class Worker:
    """A real worker, and what it has said so far."""

    log: Path

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture
async def worker(settings: Settings, tmp_path: Path) -> AsyncIterator[Worker]:
    log = tmp_path / "worker.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "portal", "worker"), env=os.environ | settings.as_environment(), stdout=file, stderr=file,
        )  # fmt: skip
    yield Worker(log)
    process.terminate()
    await asyncio.wait_for(process.wait(), 10)


@pytest.mark.slow
async def test_from_the_forgotten_password_to_the_mail(
    app: Gate, settings: Settings, sink: tuple[Sink, Server], worker: Worker
) -> None:
    """R7, R8, R76: by a real worker, over a server that refuses at first, with a planted Host; and no token is kept anywhere."""
    sink[0].answers.append("451 Later")
    async with Browser(app) as browser:
        answer = await browser.send_form("/password-resets", {"email": INES.email}, x_forwarded_host="evil.example")
        assert answer.status_code == 200
    for _ in range(600):
        async with transaction(SYSTEM) as tx:  # the pause after the refusal is cut short
            await tx.execute("update pgqueuer set execute_after = now() where status = 'queued'")
        if sink[0].messages:
            break
        await asyncio.sleep(0.1)
    (got,) = sink[0].messages
    text = got.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = LINK.search(text)
    assert found
    assert "evil" not in text
    token = found[1]
    async with transaction(SYSTEM) as tx:
        held = await tx.fetchval(
            "select string_agg(t::text, ' ') from (select l::text as t from pgqueuer_log l union all select q::text from pgqueuer q) every"
        )
    assert token not in held + worker.said()
    assert INES.email not in held + worker.said()
    async with transaction(None) as tx:
        hashes = await tx.fetch("select token_hash from invitation where kind = 'reset'")
    assert sessions.hash_of(token) in [row["token_hash"] for row in hashes]
    assert token.encode() not in b"".join(row["token_hash"] for row in hashes)
    assert PASSWORD not in worker.said()
