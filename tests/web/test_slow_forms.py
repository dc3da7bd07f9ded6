"""Test forms whose body arrives slowly: the session is looked up again when the body is complete (R12, R17)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest

from portal.database import transaction
from portal.people import factors
from portal.people.access import credentials, sessions
from portal.people.factors import authenticator
from portal.people.readers import SYSTEM
from portal.web.bodies import receiving
from portal.web.gate import Gate
from tests.browser import Browser
from tests.forms import form_of
from tests.web.test_account import FRESH, SECRET, code, live, now, sign_in
from tests.world import ADA, INES, PASSWORD

NEW_CASE = "/cases/new?draft=3f2504e0-4f89-41d3-9a0c-0305e82c3301"
CASE = {"subject": "Printed on nothing", "body": "Since this morning.", "case_type": "1", "priority": "2"}


async def send_slowly(
    browser: Browser, path: str, fields: dict[str, str], meanwhile: Callable[[], Awaitable[None]]
) -> httpx.Response:
    """Send the first bytes of a form, await `meanwhile()`, send the rest, and return the response."""
    whole = urlencode({"csrf": await browser.csrf(), **fields}).encode()

    async def body() -> AsyncIterator[bytes]:
        yield whole[:10]
        await meanwhile()
        yield whole[10:]

    return await browser.post(path, content=body(), headers={"content-type": "application/x-www-form-urlencoded"})


async def sign_out_everywhere() -> None:
    async with transaction(None):
        await sessions.end_all(ADA.credential_id, now())


async def count(dsn: str, table: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval(f"select count(*) from {table}"))
    finally:
        await connection.close()


async def test_a_form_that_arrives_after_its_session_was_ended_is_kept_and_not_carried_out(
    app: Gate, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12, R17: a form whose session ends while its body arrives is kept as a draft and not carried out."""
    monkeypatch.setattr(receiving, "SLOW", timedelta(0))
    async with await Browser.of(app, ADA) as browser:
        answer = await send_slowly(browser, NEW_CASE, CASE, sign_out_everywhere)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
        assert "kept=yes" in answer.headers["location"]
        assert await count(dsn, "cases where subject = 'Printed on nothing'") == 0
        await sign_in(browser, ADA)
        assert "Printed on nothing" in (await browser.get(NEW_CASE)).text


async def test_a_form_that_arrives_after_its_sender_has_ended_is_not_carried_out(
    app: Gate, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: if the access of an agent is ended while the body of their form arrives, the form is not carried out."""
    monkeypatch.setattr(receiving, "SLOW", timedelta(0))

    async def end_ines() -> None:
        async with transaction(SYSTEM):
            await credentials.disable(INES.credential_id, now())

    async with await Browser.of(app, INES) as browser:
        fields = {"duration": "1h", "work_date": now().date().isoformat()}
        assert (
            (await send_slowly(browser, "/agent/time/new", fields, end_ines)).headers["location"].startswith("/sign-in")
        )
    assert await count(dsn, "time_entry") == 0


async def test_a_form_that_arrives_after_its_senders_rights_changed_is_not_carried_out_with_the_ones_of_before(
    app: Gate, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: if Ada's rights change while the body of her form arrives, the form is kept as a draft and not carried out.

    If she sends it again, her new rights decide.
    """
    monkeypatch.setattr(receiving, "SLOW", timedelta(0))

    async def narrow() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("update contact set sees_all_cases = false where id = $1", ADA.id)
        await connection.close()

    async with await Browser.of(app, ADA) as browser:
        answer = await send_slowly(browser, NEW_CASE, CASE, narrow)
        assert (answer.status_code, await live(browser)) == (303, True)
        assert await count(dsn, "cases where subject = 'Printed on nothing'") == 0
        assert "Printed on nothing" in (await browser.get(NEW_CASE)).text
        assert (await browser.send_form("/cases/new", CASE)).headers["location"].startswith("/cases/")


async def test_a_slow_form_of_a_session_that_still_counts_is_carried_out(
    app: Gate, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow form is carried out if its session is still valid, so that people with slow connections lose nothing."""
    monkeypatch.setattr(receiving, "SLOW", timedelta(0))

    async def nothing() -> None: ...

    async with await Browser.of(app, ADA) as browser:
        assert (await send_slowly(browser, NEW_CASE, CASE, nothing)).headers["location"].startswith("/cases/")
    assert await count(dsn, "cases where subject = 'Printed on nothing'") == 1


async def test_no_factor_is_set_up_and_no_session_begun_by_a_session_that_has_just_ended(app: Gate) -> None:
    """R12, R17: a session that ended while the form arrived can neither set up a second factor nor begin a new session.

    Otherwise a thief's session could outlive its end and lock the owner out.
    """
    async with await Browser.of(app, ADA) as thief:
        sealed = form_of((await thief.get("/account/authenticator")).text, "/account/authenticator").fields["sealed"][0]
        answer = await send_slowly(
            thief, "/account/authenticator", {"sealed": sealed, "code": "000000"}, sign_out_everywhere
        )
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
        assert not await live(thief)
    async with transaction(None):
        assert not await factors.are_set_up(ADA.credential_id)


async def test_a_factor_is_not_removed_by_a_session_that_has_just_ended(app: Gate) -> None:
    """R12, R17: a session that ended while the form arrived can neither remove a factor nor renew recovery codes."""
    async with await Browser.of(app, ADA) as thief:
        async with transaction(None):
            await authenticator.set_up(ADA.credential_id, SECRET, code(-1), app.settings.sealer, now())
        for path in ("/account/authenticator/removal", "/account/recovery-codes"):
            answer = await send_slowly(thief, path, {}, sign_out_everywhere)
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
    async with transaction(None):
        assert (await factors.of(ADA.credential_id)).authenticator_since


async def test_of_two_changes_of_a_password_at_once_one_is_made(app: Gate) -> None:
    """R17: if Ada changes her password in two browsers at once, only one change succeeds.

    That change ends the session of the other browser.
    """
    others = ("seven walnut kites over Rugby", FRESH)
    async with await Browser.of(app, ADA) as one, await Browser.of(app, ADA) as two:
        forms_of_both = [{"current_password": PASSWORD, "password": fresh, "again": fresh} for fresh in others]
        answers = await asyncio.gather(
            *(
                browser.send_form("/account/password", fields)
                for browser, fields in zip((one, two), forms_of_both, strict=True)
            )
        )
        won = [answer.headers.get("location", "").startswith("/account?done") for answer in answers]
        assert sorted(won) == [False, True]
        assert [await live(one), await live(two)] == won
        assert await credentials.verify(ADA.email, others[won.index(True)], address="192.0.2.1", at=now())
