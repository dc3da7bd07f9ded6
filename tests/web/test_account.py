"""Test the account pages over HTTP: what each form changes, what it refuses, and which sessions it ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pyotp
import pytest

from portal.database import transaction
from portal.people import factors
from portal.people.access import credentials, invitations, sessions
from portal.people.customers import Customer
from portal.people.factors import authenticator
from portal.people.readers import Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.browser import Browser
from tests.checksums import checksums
from tests.forms import form_of, send
from tests.people.changing import change_password
from tests.test_permissions import READING
from tests.world import ADA, GIL, INES, NOOR, PASSWORD

FRESH = "violet kettle under seven bridges"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def now() -> datetime:
    return datetime.now(UTC)


def code(steps: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(now() + timedelta(seconds=30 * steps))


def token_of(browser: Browser) -> str:
    """Return the token in the last session cookie that the browser received."""
    return [cookie.value or "" for cookie in browser.cookies.jar if cookie.name == "sid"][-1]


async def live(browser: Browser) -> bool:
    """Return whether the browser's session is still valid."""
    async with transaction(None):
        found = await sessions.find(token_of(browser), now())
    return found is not None and found[0].live


async def with_factor(app: Gate, reader: Reader) -> list[str]:
    """Set up an authenticator app for the reader, and return the reader's recovery codes."""
    async with transaction(None):
        return await authenticator.set_up(reader.credential_id, SECRET, code(-1), app.settings.sealer, now())


async def sign_in(browser: Browser, reader: Reader, password: str = PASSWORD) -> httpx.Response:
    return await browser.send_form("/sign-in", {"email": reader.email, "password": password, "next": "/cases"})


async def test_a_session_forgets_the_factor_that_was_the_last(app: Gate) -> None:
    """R9: after Ines removed the app with which she signed in, her session no longer has a second factor.

    Once the settings require a second factor, the session is redirected to the page that sets one up.
    """
    await with_factor(app, INES)
    async with await Browser.of(app, INES) as browser:
        async with transaction(None) as tx:
            await tx.execute("update session set factor = 'authenticator'")
        assert (await browser.send_form("/account/authenticator/removal")).status_code == 303
        app.settings = replace(app.settings, require_second_factor=True)
        answer = await browser.get("/agent/cases")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/second-factor")


async def test_a_changed_password_ends_every_other_session_and_renews_this_one(app: Gate) -> None:
    """R14, R17: when Ada changes her password, her other sessions end and this browser's session gets a new token.

    Only the new password signs her in.
    """
    async with await Browser.of(app, ADA) as browser, await Browser.of(app, ADA) as other:
        before = token_of(browser)
        page = await browser.get("/account/password")
        answer = await send(browser, page, "/account/password", current_password=PASSWORD, password=FRESH, again=FRESH)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?done=password")
        assert token_of(browser) != before
        assert (await live(browser), await live(other)) == (True, False)
        async with transaction(None):
            old = await sessions.find(before, now())
        assert old is not None
        assert not old[0].live
    async with Browser(app) as later:
        assert (await sign_in(later, ADA)).status_code == 422
        assert (await sign_in(later, ADA, FRESH)).status_code == 303


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"current_password": "wrong", "password": FRESH, "again": FRESH}, "This is not your current password."),
        ({"current_password": PASSWORD, "password": FRESH, "again": FRESH + "x"}, "are not the same"),
        ({"current_password": PASSWORD, "password": "short", "again": "short"}, "at least 12 characters"),
        ({"current_password": PASSWORD, "password": "lindqvist-acme-2026", "again": "lindqvist-acme-2026"}, "easy to guess"),
    ],
)  # fmt: skip
async def test_a_password_that_is_refused_changes_nothing(
    app: Gate, dsn: str, typed: dict[str, str], sentence: str
) -> None:
    """R3, R4: a refused new password changes nothing, and the page with the error message does not contain it."""
    async with await Browser.of(app, ADA) as browser:
        page = await browser.get("/account/password")
        before = await checksums(dsn, READING)
        answer = await send(browser, page, "/account/password", **typed)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert FRESH not in answer.text
        assert await live(browser)
    async with transaction(None) as tx:
        await tx.execute("delete from attempt")
    assert await checksums(dsn, READING) == before


async def test_guessing_the_password_of_an_open_session_is_slowed_down(app: Gate) -> None:
    """R6, R20: wrong guesses of the current password are limited, even within an open session."""
    async with await Browser.of(app, ADA) as browser:
        answers = [
            await browser.send_form(
                "/account/password", {"current_password": f"wrong {n}", "password": FRESH, "again": FRESH}
            )
            for n in range(11)
        ]
        assert [answer.status_code for answer in answers] == [422] * 10 + [429]
        assert "retry-after" in answers[-1].headers


async def test_somebody_ends_their_own_sessions_and_nobody_elses(app: Gate) -> None:
    """R17: Ada can end another session of her own, even twice. If she tries to end Gil's session, she gets 404."""
    async with (
        await Browser.of(app, ADA) as browser,
        await Browser.of(app, ADA) as other,
        await Browser.of(app, GIL) as gil,
    ):
        async with transaction(None) as tx:
            ids = [row["id"] for row in await tx.fetch("select id from session order by id")]
        assert (await browser.send_form(f"/account/sessions/{ids[2]}/ending")).status_code == 404
        assert await live(gil)
        for _ in range(2):
            assert (await browser.send_form(f"/account/sessions/{ids[1]}/ending")).status_code == 303
        assert (await live(browser), await live(other)) == (True, False)


async def test_all_other_sessions_end_or_all_of_them(app: Gate) -> None:
    """R17, R42: Ada ends all her sessions but the present one, and then that session too; Gil's session stays."""
    async with (
        await Browser.of(app, ADA) as browser,
        await Browser.of(app, ADA) as other,
        await Browser.of(app, GIL) as gil,
    ):
        assert (await browser.send_form("/account/other-sessions/ending")).status_code == 303
        assert (await live(browser), await live(other)) == (True, False)
        answer = await browser.send_form("/account/sessions/ending")
        assert (answer.headers["location"], "clear-site-data" in answer.headers) == ("/sign-in", True)
        assert (await live(browser), await live(gil)) == (False, True)


async def test_the_second_step_comes_before_any_session(app: Gate) -> None:
    """R9, R14: with a second factor, the right password alone opens no session.

    After the second factor, the person is redirected to the page that they had requested.
    """
    await with_factor(app, ADA)
    async with Browser(app) as browser:
        answer = await sign_in(browser, ADA)
        assert answer.headers["location"] == "/sign-in/second-factor"
        assert "sid" not in browser.cookies
        assert (await browser.get("/cases")).headers["location"].startswith("/sign-in")
        page = await browser.get("/sign-in/second-factor")
        wrong = await send(browser, page, "/sign-in/second-factor", code="000000")
        assert (wrong.status_code, "sid" in browser.cookies) == (422, False)
        right = await send(browser, page, "/sign-in/second-factor", code=code())
        assert (right.status_code, right.headers["location"]) == (303, "/cases")
        assert (await browser.get("/cases")).status_code == 200
    async with transaction(None) as tx:
        assert await tx.fetchval("select factor from session order by id desc limit 1") == "authenticator"


async def test_the_second_step_is_its_persons_and_ends_after_ten_minutes(app: Gate) -> None:
    """R9: the second step of signing in is bound to the person who typed the password, and expires after ten minutes.

    After Ada has typed her password, Gil's code is refused. A forged cookie of the first step is ignored.
    """
    await with_factor(app, GIL)
    async with transaction(None):
        await authenticator.set_up(
            ADA.credential_id, "A" * 32, pyotp.TOTP("A" * 32).at(now()), app.settings.sealer, now()
        )
    async with Browser(app) as browser:
        await sign_in(browser, ADA)
        assert (await browser.send_form("/sign-in/second-factor", {"code": code()})).status_code == 422
        app.clock = lambda: now() + timedelta(minutes=11)
        assert (await browser.get("/sign-in/second-factor")).headers["location"] == "/sign-in"
        app.clock = now
        browser.cookies["step"] = "gAAAAA-planted"
        assert (await browser.send_form("/sign-in/second-factor", {"code": code()})).headers["location"] == "/sign-in"


async def test_a_step_ends_with_the_password_that_began_it(app: Gate) -> None:
    """R9, R17: a second step that began with a password is refused after that password was changed.

    Somebody who has stolen the old password therefore cannot finish signing in.
    """
    await with_factor(app, ADA)
    async with Browser(app) as browser:
        assert (await sign_in(browser, ADA)).headers["location"] == "/sign-in/second-factor"
        page = await browser.get("/sign-in/second-factor")
        await change_password(ADA.credential_id, FRESH, now())
        answer = await send(browser, page, "/sign-in/second-factor", code=code())
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?changed=yes")
        assert "sid" not in browser.cookies


async def test_a_password_that_is_changed_while_it_is_typed_opens_nothing(
    app: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R17: if Ada's password is changed after it was checked, but before her session begins, she is not signed in."""
    verify = credentials.verify

    async def overtaken(*given: Any, **also: Any) -> credentials.Proven:
        proven = await verify(*given, **also)
        await change_password(ADA.credential_id, FRESH, now())
        return proven

    async with Browser(app) as browser:
        monkeypatch.setattr(credentials, "verify", overtaken)
        answer = await sign_in(browser, ADA)
        monkeypatch.undo()
        assert (answer.status_code, "sid" in browser.cookies) == (422, False)
        assert credentials.WRONG in answer.text
        assert (await sign_in(browser, ADA, FRESH)).headers["location"] == "/cases"


async def test_an_invitation_does_not_pass_the_second_factor_by(app: Gate) -> None:
    """R9: when Ines, who has a second factor, sets a password by an invitation, she is not signed in yet.

    She is redirected to the page that asks for her second factor.
    """
    from portal.people.access import invitations

    await with_factor(app, INES)
    async with transaction(NOOR):
        token = await invitations.invite(INES.credential_id, now())
    async with Browser(app) as browser:
        page = await browser.get(f"/invitations/{token}")
        answer = await send(browser, page, f"/invitations/{token}", password=FRESH, again=FRESH)
        assert answer.headers["location"] == "/sign-in/second-factor"
        assert "sid" not in browser.cookies


async def test_an_authenticator_is_not_set_up_with_the_secret_of_another_persons_page(app: Gate) -> None:
    """R9: if Ada sends the sealed secret from Gil's page, she gets 422, and no second factor is set up for her."""
    async with await Browser.of(app, ADA) as browser, await Browser.of(app, GIL) as gil:
        page, gils = await browser.get("/account/authenticator"), await gil.get("/account/authenticator")
        stolen = form_of(gils.text, "/account/authenticator").fields["sealed"][-1]
        answer = await send(browser, page, "/account/authenticator", sealed=stolen, code="123456")
        assert answer.status_code == 422
        assert "shown too long ago" in answer.text
        async with transaction(None):
            assert not await factors.are_set_up(ADA.credential_id)


async def test_reading_the_set_up_page_changes_nothing_and_each_has_its_own_secret(app: Gate, dsn: str) -> None:
    """R36: each load of the page that sets up an authenticator app shows a new secret and writes nothing."""
    async with await Browser.of(app, ADA) as browser:
        before = await checksums(dsn, READING)
        pages = [await browser.get("/account/authenticator") for _ in range(2)]
        assert pages[0].text.split("key-text")[1][:60] != pages[1].text.split("key-text")[1][:60]
        assert await checksums(dsn, READING) == before


async def test_what_proves_a_person_is_never_kept_as_a_draft(app: Gate) -> None:
    """If Ada's session has ended when she sends a form with passwords, codes or sealed values, no draft is kept.

    The text of other forms would be kept, so that she can send them after signing in again.
    """
    async with await Browser.of(app, ADA) as browser:
        token = await browser.csrf()
        async with transaction(None):
            await sessions.end_all(ADA.credential_id, now())
        for path, fields in (
            ("/account/password", {"current_password": "one", "password": "two", "again": "three", "email": ""}),
            ("/account/authenticator", {"code": "four", "sealed": "five"}),
            ("/account/passkeys/new", {"answer": "six", "sealed": "seven", "name": ""}),
        ):
            assert (await browser.post(path, data={"csrf": token, **fields})).status_code == 303
    async with transaction(None) as tx:
        assert await tx.fetch("select fields from draft") == []


async def test_a_step_up_gives_a_new_token_and_the_page_after_it_works(app: Gate) -> None:
    """R14, R17: setting up a second factor gives Ada's session a new token and ends her other session.

    The page that shows the recovery codes has the CSRF token of the renewed session, so its form works.
    """
    async with await Browser.of(app, ADA) as browser, await Browser.of(app, ADA) as other:
        before = token_of(browser)
        page = await browser.get("/account/authenticator")
        key = page.text.split('key-text">')[1].split("<")[0].replace(" ", "")
        answer = await send(browser, page, "/account/authenticator", code=pyotp.TOTP(key).at(now()))
        assert answer.status_code == 200
        assert token_of(browser) != before
        assert not await live(other)
        out = await send(browser, answer, "/sign-out")
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/account/recovery-codes", {}),
        ("/account/authenticator/removal", {}),
        ("/account/passkeys/1/removal", {}),
        ("/account/authenticator", {"sealed": "x", "code": "1"}),
        ("/account/passkeys/new", {"sealed": "x", "answer": "{}", "name": "x"}),
    ],
)
async def test_what_concerns_the_second_factor_asks_for_the_password_again(
    app: Gate, dsn: str, path: str, fields: dict[str, str]
) -> None:
    """R20: more than ten minutes after signing in, Ada must type her password before she changes her second factor.

    Until then nothing changes.
    """
    await with_factor(app, ADA)
    async with await Browser.of(app, ADA, at=now() - timedelta(minutes=11)) as browser:
        before = await checksums(dsn, READING)
        answer = await browser.send_form(path, fields)
        assert answer.headers["location"].startswith("/account/confirmation?next=")
        assert await checksums(dsn, READING) == before


async def test_the_password_typed_again_counts_for_ten_minutes_and_leads_back(app: Gate) -> None:
    """R20, R44: after typing her password again, Ada is redirected to the page that required it, and may use that page.

    A wrong password gets 422, and a `next` of another site is replaced by `/`.
    """
    async with await Browser.of(app, ADA, at=now() - timedelta(minutes=11)) as browser:
        away = (await browser.get("/account/authenticator")).headers["location"]
        page = await browser.get(away)
        refused = await send(browser, page, "/account/confirmation", password="wrong")
        assert (refused.status_code, "This is not your password" in refused.text) == (422, True)
        answer = await send(browser, page, "/account/confirmation", password=PASSWORD)
        assert answer.headers["location"] == "/account/authenticator"
        assert (await browser.get("/account/authenticator")).status_code == 200
        evil = await send(browser, page, "/account/confirmation", password=PASSWORD, next="//evil.example")
        assert evil.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/account/passkeys/new", "/sign-in/second-factor"])
@pytest.mark.parametrize(
    "answer", ["{}", "x", "[]", '{"id": 1}', '{"id":"AA","rawId":"AA","response":{},"type":"public-key"}']
)
async def test_what_no_device_answers_is_refused(settings: Settings, app: Gate, path: str, answer: str) -> None:
    """R10, R51: a malformed passkey response is refused with 422."""
    host = {"host": "localhost:8000", "origin": "http://localhost:8000"}
    await with_factor(app, GIL)
    async with await Browser.of(app, ADA) as browser:
        if path.startswith("/sign-in"):
            browser.cookies.clear()
            await sign_in(browser, GIL)
        page = await browser.get(path, headers=host)
        form = form_of(page.text, path)
        sealed = form.fields.get("sealed", [""])
        data = {"csrf": form.fields["csrf"], "sealed": sealed, "answer": answer}
        data |= {"name": "x"} if "name" in form.names else {}
        refused = await browser.post(path, data=data, headers=host)
        assert refused.status_code == 422


async def test_an_agent_without_the_needed_factor_is_led_to_it_from_everywhere(settings: Settings, app: Gate) -> None:
    """R9: every page and form redirects an agent who lacks the required second factor to the page that sets one up.

    The event stream of such an agent ends. Signing out still works, and contacts need no second factor.
    """
    from dataclasses import replace

    strict = Gate(app.inner, replace(settings, require_second_factor=True), open_storage(settings.storage_url))
    async with await Browser.of(strict, INES) as browser:
        for path in ("/agent/cases", "/agent/time", "/", "/account", "/account/password", "/agent/customers"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account/second-factor"), path
        posted = await browser.send_form("/agent/cases/new", {"subject": "x"})
        assert posted.headers["location"] == "/account/second-factor"
        stream = await browser.get("/agent/live", headers={"hx-request": "true"})
        assert stream.text.startswith("event: ended")
        assert (await browser.get("/account/second-factor")).status_code == 200
        assert (await browser.send_form("/sign-out")).headers["location"] == "/sign-in"
    async with await Browser.of(strict, ADA) as browser:
        assert (await browser.get("/cases")).status_code == 200


async def test_an_admin_signs_somebody_out_everywhere(app: Gate) -> None:
    """R18: Noor ends all sessions of Ines and of Ada, also repeatedly; her own session stays.

    A URL that names Ada as a contact of another customer gets 404.
    """
    async with (
        await Browser.of(app, NOOR) as noor,
        await Browser.of(app, INES) as ines,
        await Browser.of(app, ADA) as ada,
    ):
        page = await noor.get(f"/agent/setup/agents/{INES.id}")
        assert "Signed in on 1\N{NO-BREAK SPACE}browser" in page.text
        for _ in range(2):
            assert (await noor.send_form(f"/agent/setup/agents/{INES.id}/sign-out")).status_code == 303
            path = f"/agent/customers/{ADA.customer_id}/contacts/{ADA.id}/sign-out"
            assert (await noor.send_form(path)).status_code == 303
        assert (await live(ines), await live(ada), await live(noor)) == (False, False, True)
        assert (
            await noor.send_form(f"/agent/customers/{GIL.customer_id}/contacts/{ADA.id}/sign-out")
        ).status_code == 404


async def test_an_admin_removes_a_lost_second_factor_after_typing_their_own_password(app: Gate) -> None:
    """R9, R20: Noor removes Ines's lost second factor after typing her own password again.

    Ines's session ends, and her password alone then signs her in.
    """
    await with_factor(app, INES)
    path = f"/agent/setup/agents/{INES.id}/second-factor/removal"
    async with (
        await Browser.of(app, NOOR, at=now() - timedelta(minutes=11)) as noor,
        await Browser.of(app, INES) as ines,
    ):
        asked = await noor.send_form(path)
        assert asked.headers["location"].startswith("/account/confirmation")
        await noor.send_form("/account/confirmation", {"password": PASSWORD, "next": "/"})
        assert (await noor.send_form(path)).headers["location"] == f"/agent/setup/agents/{INES.id}"
        assert not await live(ines)
    async with transaction(None):
        assert not await factors.are_set_up(INES.credential_id)
    async with Browser(app) as browser:
        assert (await sign_in(browser, INES)).headers["location"] == "/cases"


async def test_an_admins_own_second_factor_is_no_lost_one(app: Gate) -> None:
    """R9: admins cannot remove their own second factor as lost; their own agent page links to their account instead."""
    await with_factor(app, NOOR)
    path = f"/agent/setup/agents/{NOOR.id}"
    async with await Browser.of(app, NOOR) as noor:
        page = (await noor.get(path)).text
        assert "Open in Account" in page
        assert "second-factor/removal" not in page
        assert (await noor.send_form(f"{path}/second-factor/removal")).status_code == 409
    async with transaction(None):
        assert await factors.are_set_up(NOOR.credential_id)


async def test_the_audit_says_who_changed_their_own_or_anothers_access(app: Gate, dsn: str) -> None:
    """R89: the audit log names Ada for her new password and Noor for the removal of Ines's second factor.

    Every line that a request wrote names a person, even where the database role for sign-in wrote it.
    """
    await with_factor(app, INES)
    async with await Browser.of(app, NOOR) as noor, await Browser.of(app, ADA) as ada:
        page = await ada.get("/account/password")
        await send(ada, page, "/account/password", current_password=PASSWORD, password=FRESH, again=FRESH)
        await noor.send_form(f"/agent/setup/agents/{INES.id}/second-factor/removal")
    owner = await asyncpg.connect(dsn)
    try:
        rows = await owner.fetch("select credential_id, what, subject_id from audit where request <> '' order by id")
    finally:
        await owner.close()
    assert (ADA.credential_id, "credential.update", ADA.credential_id) in [tuple(row) for row in rows]
    assert (NOOR.credential_id, "authenticator.delete", INES.credential_id) in [tuple(row) for row in rows]
    assert None not in {row["credential_id"] for row in rows}


async def test_a_new_address_or_grade_of_somebody_else_needs_the_admins_password(app: Gate) -> None:
    """R20: to change another person's mail address or grade, an admin must type their own password again.

    The same holds for showing an invitation link. Other data, such as the name, need no password.
    """
    app.settings = replace(app.settings, smtp_url=None)
    path = f"/agent/setup/agents/{INES.id}"
    async with await Browser.of(app, NOOR, at=now() - timedelta(minutes=11)) as noor:
        page = await noor.get(path)
        assert (await send(noor, page, path, name="Ines O.")).status_code == 303
        for change in ({"email": "ines2@desk.example"}, {"grade": "admin"}):
            refused = await send(noor, page, path, **change)
            assert (refused.status_code, "Type your password" in refused.text) == (422, True)
        assert (await send(noor, page, path, email="ines2@desk.example", password=PASSWORD)).status_code == 303
    contact = f"/agent/customers/{ADA.customer_id}/contacts/{ADA.id}"
    async with await Browser.of(app, NOOR, at=now() - timedelta(minutes=11)) as noor:
        page = await noor.get(contact)
        assert (await send(noor, page, contact, email="ada2@acme.example")).status_code == 422
        assert (await noor.send_form(f"{contact}/invitations")).headers["location"].startswith("/account/confirmation")
        assert (await send(noor, page, contact, email="ada2@acme.example", password=PASSWORD)).status_code == 303


async def test_signing_in_as_somebody_else_opens_no_session_until_the_second_factor(app: Gate) -> None:
    """R9, R14: when Gil signs in where Ada is signed in, her session ends before he is asked for his second factor."""
    await with_factor(app, GIL)
    async with await Browser.of(app, ADA) as browser:
        assert (await sign_in(browser, GIL)).headers["location"] == "/sign-in/second-factor"
        assert (await browser.get("/cases")).headers["location"].startswith("/sign-in")
        assert not await live(browser)
        answer = await browser.send_form("/sign-in/second-factor", {"code": code()})
        assert answer.status_code == 303
        token = answer.headers["set-cookie"].split("sid=")[1].split(";")[0]
        async with transaction(None):
            found = await sessions.find(token, now())
        assert found is not None
        assert found[0].credential_id == GIL.credential_id


async def test_no_recovery_code_is_used_up_for_a_password_that_is_none_any_more(app: Gate) -> None:
    """R9, R17: if Ada's password is changed after she has typed the old one, her recovery code is not used up.

    She is redirected to sign in again.
    """
    codes = await with_factor(app, ADA)
    async with Browser(app) as browser:
        await sign_in(browser, ADA)
        page = await browser.get("/sign-in/second-factor")
        await change_password(ADA.credential_id, FRESH, now())
        answer = await send(browser, page, "/sign-in/second-factor", code=codes[0])
        assert answer.headers["location"] == "/sign-in?changed=yes"
    async with transaction(None):
        assert (await factors.of(ADA.credential_id)).codes == len(codes)


async def test_a_new_person_is_added_by_an_admin_who_typed_their_password_lately(app: Gate) -> None:
    """R20: an admin who signed in more than ten minutes ago must type their own password again to add a person.

    The response contains an invitation link, with which anybody could sign in as the new person.
    """
    app.settings = replace(app.settings, smtp_url=None)
    agent = {"name": "Tom", "email": "tom@desk.example", "grade": "admin", "department_id": "1"}
    contact = {"name": "Tim", "email": "tim@acme.example"}
    for path, fields in (
        ("/agent/setup/agents/new", agent),
        (f"/agent/customers/{ADA.customer_id}/contacts/new", contact),
    ):
        async with await Browser.of(app, NOOR, at=now() - timedelta(minutes=11)) as noor:
            page = await noor.get(path)
            refused = await send(noor, page, path, **fields)
            assert (refused.status_code, "Type your password" in refused.text) == (422, True)
            assert "/invitations/" not in refused.text
            assert fields["email"] in refused.text
            done = await send(noor, page, path, password=PASSWORD, **fields)
            assert (done.status_code, "/invitations/" in done.text) == (200, True)


async def test_guessing_the_password_that_is_asked_again_is_slowed_down(app: Gate) -> None:
    """R6, R20: wrong guesses on the page that asks for the password again are limited."""
    async with await Browser.of(app, ADA, at=now() - timedelta(minutes=11)) as browser:
        answers = [
            await browser.send_form("/account/confirmation", {"password": f"wrong {n}", "next": "/account"})
            for n in range(11)
        ]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert "retry-after" in answers[-1].headers


async def test_the_contacts_of_an_ended_customer_sign_in_again_when_it_is_restored(app: Gate) -> None:
    """R12: after Noor has ended and restored the access of the customer Acme, Ada can sign in again.

    Ada's earlier session and invitation link stay invalid.
    """
    async with await Browser.of(app, ADA) as browser:
        async with transaction(NOOR):
            link = await invitations.invite(ADA.credential_id, now())
            customer = await Customer.find(ADA.customer_id, NOOR)
            await customer.end(now())
        async with transaction(NOOR):
            await (await Customer.find(ADA.customer_id, NOOR)).resume()
        assert not await live(browser)
        assert (await browser.get(f"/invitations/{link}")).status_code == 404
        assert (await sign_in(browser, ADA)).headers["location"] == "/cases"
