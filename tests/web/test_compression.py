"""Test that pages are compressed, and that event streams, files and short answers are not."""

import asyncio
import re
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.web.compression import LEAST, Compressor, accepted
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ADA, INCIDENT, INES, NOW

NEW_EACH_TIME = re.compile(
    r"[0-9a-f]{16}\.[0-9a-f]{64}|nonce=\"[^\"]+\"|snapshot=[0-9:]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
"""Match what differs between two loads of one page: CSRF token, nonce, snapshot of live updates, keys of forms."""


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("GZIP;Q=0.5", "gzip"), ("br;q=0, gzip;q=1.0", "gzip"), ("*", "br"),
        ("*;q=0", None), ("br;q=0, *", "gzip"), ("identity", None), ("deflate", None), ("", None), ("br;q=much", None), (",;,=", None),
    ],
)  # fmt: skip
def test_a_browser_gets_the_coding_that_it_takes(header: str, coding: str | None) -> None:
    assert accepted(header) == coding


async def test_a_page_is_compressed_and_says_so(app: Gate, clock: None) -> None:
    """The page with a list of 25 cases is compressed to less than a fifth of its size (br) or a quarter (gzip)."""
    for number in range(25):
        async with transaction(ADA):
            await Case.open(by=ADA, subject=f"Case {number}", text="Text.", case_type_id=INCIDENT, at=NOW)
    sizes = {}
    async with await Browser.of(app, INES, at=NOW) as browser:
        for coding in ("br", "gzip"):
            async with browser.stream("GET", "/agent/cases", headers={"accept-encoding": coding}) as answer:
                raw = b"".join([chunk async for chunk in answer.aiter_raw()])
            assert answer.headers["content-encoding"] == coding
            assert int(answer.headers["content-length"]) == len(raw)
            assert "Accept-Encoding" in answer.headers["vary"]
            sizes[coding] = len(raw)
        plain = await browser.get("/agent/cases", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["vary"]
        assert sizes["br"] < len(plain.content) / 5
        assert sizes["gzip"] < len(plain.content) / 4
        packed = await browser.get("/agent/cases", headers={"accept-encoding": "br"})
        assert NEW_EACH_TIME.sub("", packed.text) == NEW_EACH_TIME.sub("", plain.text)


async def test_a_refusal_before_the_app_is_compressed_too_and_a_redirect_is_not(app: Gate) -> None:
    async with Browser(app) as browser:
        refused = await browser.get("/sign-in", headers={"host": "evil.example", "accept-encoding": "br"})
        assert (refused.status_code, refused.headers["content-encoding"]) == (400, "br")
        assert "content-encoding" not in (await browser.get("/cases", headers={"accept-encoding": "br"})).headers


async def test_head_answers_the_headers_of_get(app: Gate) -> None:
    """R34: a response to HEAD has no body, but the headers of the compressed page."""
    async with Browser(app) as browser:
        answer = await browser.head("/sign-in", headers={"accept-encoding": "br"})
        assert answer.content == b""
        assert answer.headers["content-encoding"] == "br"
        assert int(answer.headers["content-length"]) > 0


async def test_nothing_that_must_not_be_guessed_repeats_on_the_next_page(app: Gate) -> None:
    """R37: no secret repeats from page to page, because compressed lengths would reveal it (the attack BREACH).

    Each page has a new CSRF token, and no page contains the session's cookie.
    """
    async with await Browser.of(app, ADA) as browser:
        pages = [(await browser.get("/cases/new")).text for _ in range(3)]
    tokens = [re.findall(r'name="csrf" value="([0-9a-f]{16})\.([0-9a-f]{64})"', page) for page in pages]
    assert all(found and len(set(found)) == 1 for found in tokens)
    salts, signatures = zip(*(found[0] for found in tokens), strict=True)
    assert len(set(salts)) == len(set(signatures)) == 3
    cookies = "".join(browser.cookies.values())
    assert len(cookies) > 20
    assert not any(cookies in page for page in pages)


async def _through(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    compressor = Compressor("br, gzip", send)
    for message in messages:
        await compressor.send(message)
    return sent


def _start(media_type: bytes, *more: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type), *more]}


@pytest.mark.parametrize(
    "start",
    [
        _start(b"text/event-stream"), _start(b"application/pdf"), _start(b"application/octet-stream"), _start(b"image/png"),
        _start(b"text/html", (b"Content-Encoding", b"gzip")),
    ],
)  # fmt: skip
async def test_streams_files_and_what_is_compressed_pass_as_they_are(start: dict[str, Any]) -> None:
    body = {"type": "http.response.body", "body": b"x" * 10 * LEAST, "more_body": False}
    assert await _through(start, body) == [start, body]


async def test_an_answer_in_pieces_or_a_short_one_passes_as_it_is() -> None:
    start, first = _start(b"text/csv"), {"type": "http.response.body", "body": b"x" * 10 * LEAST, "more_body": True}
    last = {"type": "http.response.body", "body": b"", "more_body": False}
    assert await _through(start, first, last) == [start, first, last]
    short = {"type": "http.response.body", "body": b"x" * (LEAST - 1)}
    assert await _through(start, short) == [start, short]
