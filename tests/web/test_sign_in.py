"""Test signing in, signing out and the lifetime of sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import current, transaction
from portal.people.access import sessions
from portal.people.readers import Reader
from portal.web.gate import Gate
from portal.web.visit import safe_path
from tests.browser import Browser, tokens_in
from tests.world import ADA, GIL, INES, PASSWORD


async def test_the_right_password_signs_in_with_a_new_token(app: Gate) -> None:
    """R14: signing in sets a new session token; a token that somebody planted in the browser is never adopted."""
    async with Browser(app, cookies={"sid": "planted"}) as browser:
        (token,) = tokens_in((await browser.get("/sign-in")).text)
        answer = await browser.post(
            "/sign-in", data={"csrf": token, "email": "Ada@ACME.example", "password": PASSWORD, "next": "/cases"}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases")
        assert "sid=planted" not in answer.headers["set-cookie"]


async def test_the_database_holds_no_usable_token(app: Gate) -> None:
    """R15: the database holds only a hash of Ada's session token, and the hash as a cookie does not sign in."""
    browser = await Browser.of(app, ADA)
    async with transaction(None) as tx:
        stored = await tx.fetchval("select token_hash from session")
    assert stored == sessions.hash_of(browser.cookies["sid"])
    browser.cookies["sid"] = stored.hex()
    assert (await browser.get("/drafts")).status_code in {303, 405}
    assert await sessions_found(browser) is None


async def sessions_found(browser: Browser) -> object:
    async with transaction(None):
        return await sessions.find(browser.cookies["sid"], datetime.now(UTC))


async def test_a_wrong_password_says_so_and_keeps_the_address(app: Gate) -> None:
    async with Browser(app) as browser:
        answer = await browser.send_form("/sign-in", {"email": "ada@acme.example", "password": "wrong"})
        assert answer.status_code == 422
        assert "is not right" in answer.text
        assert "ada@acme.example" in answer.text
        assert "sid" not in browser.cookies


@pytest.mark.parametrize(("reader", "idle"), [(INES, timedelta(minutes=30)), (ADA, timedelta(minutes=60))])
async def test_an_idle_session_ends(app: Gate, reader: object, idle: timedelta) -> None:
    """R16: a session that is not used ends after 30 minutes for an agent and after 60 minutes for a contact."""
    for age, live in ((idle - timedelta(seconds=1), True), (idle, False)):
        began = datetime.now(UTC)
        browser = await Browser.of(app, reader, at=began)
        async with transaction(None):
            found = await sessions.find(browser.cookies["sid"], began + age)
        assert found is not None
        assert found[0].live is live


@pytest.mark.parametrize("reader", [INES, ADA])
async def test_a_session_ends_after_twelve_hours_however_much_it_is_used(app: Gate, reader: Reader) -> None:
    """R16: a session ends after twelve hours, however much it is used."""
    began = datetime.now(UTC)
    browser = await Browser.of(app, reader, at=began)
    async with transaction(None) as tx:
        await tx.execute("update session set last_used_at = $1", began + timedelta(hours=11, minutes=50))
        for age, live in ((timedelta(hours=12, seconds=-1), True), (timedelta(hours=12), False)):
            found = await sessions.find(browser.cookies["sid"], began + age)
            assert found is not None
            assert (found[0].live, found[0].reader is not None) == (live, live)
            again = await sessions.find_again(found[0], began + age)
            assert again is not None
            assert again.live is live
            listed = await sessions.live_ones(reader.credential_id, is_agent=reader.is_agent, at=began + age)
            assert bool(listed) is live


async def test_signing_in_takes_no_field_that_its_page_does_not_have(app: Gate) -> None:
    """R30: a sign-in form with a field that its page does not have is refused."""
    async with Browser(app) as browser:
        fields = {"email": ADA.email, "password": PASSWORD, "role": "admin"}
        assert (await browser.send_form("/sign-in", fields)).status_code == 400
        assert "sid" not in browser.cookies


async def test_a_session_that_could_not_be_begun_takes_no_place(
    app: Gate, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R14: if the connection breaks before Gil's new session is committed, the browser stays signed in as Ada."""
    begin = sessions.begin

    async def begin_and_lose(*given: Any, **also: Any) -> str:
        token = await begin(*given, **also)
        owner = await asyncpg.connect(dsn)
        await owner.execute("select pg_terminate_backend($1)", await current().fetchval("select pg_backend_pid()"))
        await owner.close()
        return token

    async with await Browser.of(app, ADA) as browser:
        monkeypatch.setattr(sessions, "begin", begin_and_lose)
        answer = await browser.send_form("/sign-in", {"email": GIL.email, "password": PASSWORD})
        monkeypatch.undo()
        assert (answer.status_code, "set-cookie" in answer.headers) == (503, False)
        assert ADA.name in (await browser.get("/cases")).text


async def test_signing_in_works_after_an_idle_session_and_keeps_no_password(app: Gate) -> None:
    async with await Browser.of(app, ADA, at=datetime.now(UTC) - timedelta(hours=2)) as browser:
        answer = await browser.send_form("/sign-in", {"email": ADA.email, "password": PASSWORD, "next": "/cases"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases")
        assert "set-cookie" in answer.headers
    async with transaction(ADA) as tx:
        assert await tx.fetchval("select count(*) from draft") == 0


async def test_signing_out_ends_the_session_on_the_server(app: Gate) -> None:
    """R17, R42: signing out ends the session on the server and makes the browser clear its stored pages."""
    async with await Browser.of(app, ADA) as browser:
        token = browser.cookies["sid"]
        answer = await browser.send_form("/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert "clear-site-data" in answer.headers
        async with transaction(None):
            found = await sessions.find(token, datetime.now(UTC))
        assert found is not None
        assert not found[0].live


HOSTILE = [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/%0d%0aSet-Cookie:x", " /cases", "", "cases",
    "/\t/evil.example", "/\n/evil", "///evil.example", "/\\/evil.example", "http:evil", "//", "/ cases", "/x\x00",
    "data:text/html,x", "/\\", "\t//evil",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_after_signing_in_nobody_is_led_away(path: str) -> None:
    """R44: `safe_path` replaces a `next` that a browser could read as another site's URL by `/` or an encoded path."""
    where = safe_path(path)
    assert where == "/" or (where.startswith("/%"))


def test_a_path_of_ours_is_kept() -> None:
    """R44: `safe_path` returns a `next` path of the portal itself as it is."""
    assert safe_path("/cases/1042?page=2#reply") == "/cases/1042?page=2#reply"
