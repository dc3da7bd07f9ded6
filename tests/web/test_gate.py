"""Test the layer before the app: hosts, headers, forms of other sites, and sessions that end while somebody types."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from portal.database import current, transaction
from portal.people.readers import Reader
from portal.web import drafts
from portal.web.gate import Gate
from tests.browser import HOST, Browser, tokens_in
from tests.places import furnished
from tests.world import ADA, GIL, INES, MAX, NOOR, NOW, PASSWORD


async def test_every_answer_has_the_headers(app: Gate) -> None:
    """R39, R41, R42: every answer has the security headers, and pages tell browsers not to store them."""
    async with await Browser.of(app, ADA) as browser:
        for path in ("/sign-in", "/no-such-page", "/static/css/tokens.css", "/health"):
            answer = await browser.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert ("no-store" in answer.headers.get("cache-control", "")) is (path in {"/sign-in", "/no-such-page"})


async def test_each_page_has_a_nonce_of_its_own(app: Gate) -> None:
    """R39: each response has a new nonce in its content security policy."""
    async with Browser(app) as browser:
        nonces = set()
        for _ in range(2):
            answer = await browser.get("/sign-in")
            (nonce,) = set(re.findall(r"<script[^>]* nonce=\"([^\"]+)\"", answer.text))
            assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]
            nonces.add(nonce)
        assert len(nonces) == 2


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1:8000.evil.example", "127.0.0.1"])
async def test_another_host_is_refused(app: Gate, host: str) -> None:
    """R43: a request with another host than the portal's is refused."""
    async with Browser(app) as browser:
        assert (await browser.get("/sign-in", headers={"host": host})).status_code == 400
        assert (await browser.get("/sign-in", headers={"x-forwarded-host": "evil.example"})).status_code == 200


@pytest.mark.parametrize("name", ["host", "origin", "sec-fetch-site", "content-type", "x-csrf-token"])
async def test_a_header_that_decides_stands_once(app: Gate, name: str) -> None:
    """R37, R43: a request that repeats a header which decides about security is refused.

    Otherwise a proxy and the portal might each read a different value.
    """
    value = {"host": HOST, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}.get(name, "x")
    async with Browser(app) as browser:
        for values in ((value, "evil.example"), ("evil.example", value), (value, value)):
            headers = [(name, one) for one in values]
            assert (await browser.get("/sign-in", headers=headers)).status_code == 400, values
        assert (await browser.get("/sign-in", headers=[(name, value)])).status_code == 200


async def test_a_fragment_without_a_session_leads_back_to_its_page(app: Gate) -> None:
    """If a fragment is requested after the session has ended, signing in leads to the page that contains the fragment.

    If a boosted link is followed, signing in leads to the page of that link. Requests that a page makes by itself get
    204 and no redirect, because somebody may be typing on the page.
    """
    async with Browser(app) as browser:
        page = "/agent/cases/1?view=mine"
        part = {"hx-request": "true", "referer": f"http://{HOST}{page}"}
        answer = await browser.get("/agent/time/1/row", headers=part)
        assert answer.headers["hx-redirect"] == f"/sign-in?next={quote(page, safe='')}"
        for path in (
            "cases/1/standing",
            "cases/1/presence",
            "cases/1/feed",
            "notices/bell",
            "timer/bar",
            "cases/views/counts",
        ):
            answer = await browser.get(f"/agent/{path}", headers=part)
            assert (answer.status_code, "hx-redirect" in answer.headers) == (204, False), path
        boosted = await browser.get("/agent/cases/1", headers=part | {"hx-boosted": "true"})
        assert boosted.headers["hx-redirect"] == "/sign-in?next=%2Fagent%2Fcases%2F1"


async def test_a_long_address_is_not_handed_back(app: Gate) -> None:
    """R44: a path longer than 1,000 characters is replaced by `/`, be it the requested URL, the referrer or `next`."""
    for length, kept in ((1_000, True), (1_001, False), (60_000, False)):
        path = "/" + "a" * (length - 1)
        async with Browser(app) as browser:
            page = await browser.get("/sign-in", params={"next": path})
            assert (path in page.text, len(page.text) < 20_000) == (kept, True)
            asked = await browser.get("/cases", params={"text": path[12:]})
            assert (len(asked.headers["location"]) > 900) == kept
            sent = await browser.send_form("/drafts", {"address": "/cases/new"}, referer=f"http://{HOST}{path}")
            assert (sent.headers["location"] == f"/sign-in?next=%2F{path[1:]}") == kept
            fields = {"email": ADA.email, "password": PASSWORD, "next": path}
            assert (await browser.send_form("/sign-in", fields | {"next": path * 100})).status_code == 413
            answer = await browser.send_form("/sign-in", fields)
            assert answer.headers["location"] == (path if kept else "/")


async def test_nobody_gets_a_session_row_by_looking(app: Gate) -> None:
    """R83: loading pages without being signed in writes no session, so that strangers cannot fill the database."""
    async with Browser(app) as browser:
        await browser.get("/sign-in")
    async with transaction(None) as tx:
        assert await tx.fetchval("select count(*) from session") == 0


async def test_cookies_are_http_only_and_bound_to_the_site(app: Gate) -> None:
    """R19: cookies are HttpOnly and SameSite; over plain HTTP they lack Secure and the prefix `__Host-`."""
    async with Browser(app) as browser:
        cookie = (await browser.get("/sign-in")).headers["set-cookie"]
        assert re.fullmatch(r"csrf=[\w-]+; Path=/; HttpOnly; SameSite=Strict", cookie)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "none"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example"},
        {"origin": f"https://{HOST}"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_of_another_site_is_refused(app: Gate, headers: dict[str, str]) -> None:
    """R37: a form that a page of another site sent is refused."""
    async with await Browser.of(app, ADA) as browser:
        data = {"csrf": await browser.csrf(), "address": "/cases/new", "text": "hello"}
        assert (await browser.post("/drafts", data=data, headers=headers)).status_code == 403
        assert (await browser.post("/drafts", data=data, headers={"origin": f"http://{HOST}"})).status_code == 204


async def test_a_form_of_a_page_that_hides_its_address_is_taken(app: Gate) -> None:
    """R41: a form of our own pages with the header `Origin: null`, which `no-referrer` causes, is accepted."""
    async with await Browser.of(app, ADA) as browser:
        data = {"csrf": await browser.csrf(), "address": "/cases/new", "text": "hello"}
        hidden = {"origin": "null", "sec-fetch-site": "same-origin"}
        assert (await browser.post("/drafts", data=data, headers=hidden)).status_code == 204


async def test_a_page_that_was_open_while_the_secret_was_replaced_sends_its_form(app: Gate) -> None:
    """R87: during a rotation of PORTAL_SECRET, forms signed with the former secret are accepted, others refused."""
    async with await Browser.of(app, ADA) as browser:
        data = {"csrf": await browser.csrf(), "address": "/cases/new", "text": "hello"}
        before = app.settings.secret
        for former, status in ((None, 403), ("b" * 40, 403), (before, 204)):
            app.settings = replace(app.settings, secret="a" * 40, former_secret=former)
            assert (await browser.post("/drafts", data=data)).status_code == status


async def test_a_form_without_a_token_of_its_session_is_refused(app: Gate) -> None:
    """R37: a form without a CSRF token of its own session is refused."""
    async with await Browser.of(app, ADA) as ada, await Browser.of(app, GIL) as gil:
        for token in ("", "x", await gil.csrf(), (await ada.csrf())[:-1] + "0x"):
            answer = await ada.post("/drafts", data={"csrf": token, "address": "/cases/new", "text": "hello"})
            assert answer.status_code == 403
        plain = await ada.post("/drafts", content="csrf=1", headers={"content-type": "text/plain"})
        assert plain.status_code == 400
    async with transaction(None) as tx:
        assert await tx.fetchval("select count(*) from draft") == 0


async def test_the_tokens_of_a_page_are_those_of_its_session(app: Gate) -> None:
    """R37: each CSRF token that a page or an error page contains is accepted in the session that loaded the page."""
    async with await Browser.of(app, ADA) as browser:
        for path in ("/cases/new", "/no-such-page"):
            tokens = tokens_in((await browser.get(path)).text)
            assert tokens, path
            for token in tokens:
                answer = await browser.post("/drafts", data={"csrf": token, "address": "/cases/new", "text": "hello"})
                assert answer.status_code == 204, path


async def test_what_was_typed_when_the_session_ended_is_there_after_signing_in(app: Gate) -> None:
    """If a form is sent after the session has ended, its fields are kept as the person's draft of the form.

    The files are not kept; the draft records that the person must choose them again.
    """
    async with await Browser.of(app, ADA) as browser:
        token = await browser.csrf()
        async with transaction(None) as tx:
            await tx.execute("update session set last_used_at = $1", datetime.now(UTC) - timedelta(hours=2))
        answer = await browser.post(
            "/cases/new",
            data={"csrf": token, "subject": "VPN", "description": "It drops."},
            files={"files": ("a.png", b"not kept", "image/png")},
            headers={"referer": f"http://{HOST}/cases/new"},
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fcases%2Fnew&kept=yes")
    async with transaction(ADA, readonly=True):
        kept = {"subject": "VPN", "description": "It drops.", "files_again": "yes"}
        assert await drafts.kept(ADA, "/cases/new") == {"/cases/new": kept}
    async with transaction(INES, readonly=True):
        assert await drafts.kept(INES, "/cases/new") == {"/cases/new": {}}


async def test_a_strangers_form_cannot_leave_a_draft_for_an_ended_session(app: Gate) -> None:
    """R37: a form sent in an ended session without the session's CSRF token is not kept as the owner's draft."""
    async with await Browser.of(app, ADA) as browser:
        async with transaction(None) as tx:
            await tx.execute("update session set ended_at = now()")
        answer = await browser.post("/cases/new", data={"csrf": "x", "subject": "VPN"})
        assert answer.status_code == 403
    async with transaction(None):
        assert await current().fetchval("select count(*) from draft") == 0


async def test_a_form_that_was_sent_leaves_no_draft(app: Gate) -> None:
    async with await Browser.of(app, ADA) as browser:
        await browser.send_form("/drafts", {"address": "/sign-out", "text": "typed"})
        await browser.send_form("/sign-out")
    async with transaction(ADA, readonly=True):
        assert await drafts.kept(ADA, "/sign-out") == {"/sign-out": {}}


@pytest.mark.parametrize("path", ["/static/%00", "/static/" + "a" * 5000])
async def test_a_name_that_no_file_can_have_is_not_there(app: Gate, path: str) -> None:
    """R51: a path that no file can have, such as one with a NUL character or an overlong one, gets 404."""
    async with Browser(app) as browser:
        assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data; boundary=" + "y" * 5000, "x", 400),
        ("application/x-www-form-urlencoded", "a" * 2_100_000 + "=1", 413),
        ("application/x-www-form-urlencoded", "&" * 2_100_000, 413),
    ],
    ids=["a boundary without end", "a name without end", "nothing but separators"],
)
async def test_a_form_that_only_costs_time_is_refused(app: Gate, content_type: str, body: str, status: int) -> None:
    """R51: bodies that are expensive to parse are refused with 400 or 413 before anybody is signed in."""
    async with Browser(app) as browser:
        await browser.get("/sign-in")
        answer = await browser.post("/sign-in", content=body, headers={"content-type": content_type})
        assert answer.status_code == status


@pytest.mark.parametrize("cut", [10, 60, 100, 160])
async def test_a_form_that_was_cut_off_on_its_way_is_refused(app: Gate, cut: int) -> None:
    """A multipart body that is cut off is refused with 400, so that half a file never counts as a whole one."""
    async with await Browser.of(app, ADA) as browser:
        token = await browser.csrf()
        parts = {"csrf": (None, token), "address": (None, "/cases/new"), "text": (None, "hello " * 20)}
        whole = browser.build_request("POST", "/drafts", files=parts)
        content, kind = b"".join([chunk async for chunk in whole.stream]), whole.headers["content-type"]  # type: ignore[union-attr]
        answer = await browser.post("/drafts", content=content[:-cut], headers={"content-type": kind})
        assert answer.status_code == 400
        assert "It was cut short" in answer.text
        assert (await browser.post("/drafts", content=content, headers={"content-type": kind})).status_code == 204


@pytest.mark.parametrize("part", ["name", "value"])
@pytest.mark.parametrize("multipart", [False, True])
async def test_a_nul_in_a_field_is_refused(app: Gate, part: str, multipart: bool) -> None:
    """R54: a NUL character in the name or value of a field is refused, because no text column can store it."""
    name, value = ("sub\0ject", "VPN") if part == "name" else ("subject", "V\0PN")
    async with await Browser.of(app, ADA) as browser:
        data = {"csrf": await browser.csrf(), "address": "/cases/new"}
        if multipart:
            fields = [*data.items(), (name, value)]
            body = (
                "".join(f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields)
                + "--x--\r\n"
            )
            headers = {"content-type": "multipart/form-data; boundary=x"}
            answer = await browser.post("/drafts", content=body, headers=headers)
        else:
            answer = await browser.post("/drafts", data={**data, name: value})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "fields", [{"text": "\u20ac" * 199_000}, {f"{n}{'x' * 3000}": "1" for n in range(300)}], ids=["text", "names"]
)
async def test_a_draft_that_is_too_large_is_not_kept(app: Gate, fields: dict[str, str]) -> None:
    """R51: a draft larger than the limit is not stored."""
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.send_form("/drafts", {"address": "/cases/new"} | fields)
        assert answer.status_code == 204
    async with transaction(None) as tx:
        assert await tx.fetchval("select count(*) from draft") == 0


async def test_one_person_keeps_fifty_drafts_and_the_oldest_go(app: Gate) -> None:
    """R83: a person has at most fifty drafts; the oldest is deleted first, so that nobody can fill the disk."""
    for minute in range(52):
        await drafts.keep(ADA.credential_id, f"/flood/{minute}", {"text": ["typed"]}, NOW + timedelta(minutes=minute))
    await drafts.keep(GIL.credential_id, "/cases/new", {"text": ["typed"]}, NOW)
    async with transaction(None) as tx:
        kept = {row["address"] for row in await tx.fetch("select address from draft")}
    assert kept == {f"/flood/{minute}" for minute in range(2, 52)} | {"/cases/new"}


@pytest.mark.parametrize(
    ("reader", "path"),
    [
        (ADA, "/cases/1001/closure"), (MAX, "/agent/approvals/1/withdrawal"), (MAX, "/agent/drafts/1/issue"), (MAX, "/agent/drafts/1/deletion"),
        (INES, "/agent/cases/assignment"), (NOOR, "/agent/setup/case-types/1/ending"),
    ],
)  # fmt: skip
async def test_a_form_takes_no_field_that_its_page_does_not_have(app: Gate, reader: Reader, path: str) -> None:
    """R30: a form with a field that its page does not have is refused before anything is looked up.

    This includes forms that consist of a button only.
    """
    async with await Browser.of(app, reader) as browser:
        assert (await browser.send_form(path, {"approved_by": "3"})).status_code == 400


async def test_what_is_sent_after_a_sign_out_in_another_window_is_kept(app: Gate) -> None:
    """If Ada signs out in another window and then sends a form, the text of the form is kept as her draft.

    The cookie of the ended session identifies her, but does not sign her in.
    """
    async with await Browser.of(app, ADA) as browser:
        token = await browser.csrf()
        await browser.send_form("/sign-out")
        assert (await browser.get("/cases")).status_code == 303
        answer = await browser.post(
            "/cases/new",
            data={"csrf": token, "subject": "VPN", "description": "It drops."},
            headers={"referer": f"http://{HOST}/cases/new"},
        )
        assert answer.headers["location"] == "/sign-in?next=%2Fcases%2Fnew&kept=yes"
        assert "What you typed is kept" in (await browser.get(answer.headers["location"])).text
    async with transaction(ADA, readonly=True):
        assert (await drafts.kept(ADA, "/cases/new"))["/cases/new"]["subject"] == "VPN"


async def test_a_page_from_before_the_last_sign_in_gives_its_text_back_and_sends_nothing(app: Gate) -> None:
    """R37: a form of a page that Ada loaded before her last sign-in is kept as her draft and not carried out.

    If Gil sends the form of Ada's page, he gets 403.
    """
    async with await Browser.of(app, ADA) as old, await Browser.of(app, ADA) as new, await Browser.of(app, GIL) as gil:
        form = {"csrf": await old.csrf(), "subject": "VPN", "description": "It drops."}
        files = {"files": ("a.log", b"not kept", "text/plain")}
        referer = {"referer": f"http://{HOST}/cases/new"}
        assert (await gil.post("/cases/new", data=form, files=files, headers=referer)).status_code == 403
        answer = await new.post("/cases/new", data=form, files=files, headers=referer)
        assert answer.headers["location"] == "/sign-in?next=%2Fcases%2Fnew&kept=yes"
        assert (await new.get(answer.headers["location"])).headers["location"] == "/cases/new"
    async with transaction(ADA, readonly=True) as tx:
        assert (await drafts.kept(ADA, "/cases/new"))["/cases/new"]["subject"] == "VPN"
        assert await tx.fetchval("select count(*) from cases") == 0
    async with transaction(None) as tx:
        assert await tx.fetchval("select count(*) from draft") == 1


@pytest.mark.parametrize(
    "path", ["/agent/help/%D9%A1", "/agent/services/%EF%BC%91", "/invoices/%D9%A1", "/agent/time/1%D9%A1"]
)
async def test_a_number_in_other_digits_than_those_of_ascii_is_no_number_in_a_path(app: Gate, path: str) -> None:
    """R28: a path with a number in other digits gets 404: `/agent/help/١` is no other spelling of `/agent/help/1`."""
    await furnished(app.storage)
    async with await Browser.of(app, NOOR) as noor:
        assert (await noor.get("/agent/help/1")).status_code == 200
        assert (await noor.get(path)).status_code == 404
