"""Test request bodies that arrive slowly, are announced too large, or come many at once from one sender (R83)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from time import monotonic

import httpx
import pytest

from portal.database import transaction
from portal.people.access import invitations
from portal.web import gate
from portal.web.bodies import arriving
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import HOST, Browser
from tests.world import ADA, ALAN

FORM = {"content-type": "application/x-www-form-urlencoded"}


def paced(monkeypatch: pytest.MonkeyPatch, name: str, **how: float) -> None:
    monkeypatch.setattr(arriving, name, replace(getattr(arriving, name), **how))


async def dripping(first: bytes = b"", *, every: float = 0.02) -> AsyncIterator[bytes]:
    """Yield an endless request body that begins with `first` and continues with a byte every `every` seconds.

    No single wait for a byte is long, so only a limit on the whole body can stop it.
    """
    yield first or b"a"
    while True:
        await asyncio.sleep(every)
        yield b"a"


async def never() -> AsyncIterator[bytes]:
    """Return a request body that must not be read: reading it raises `AssertionError`, which fails the test."""
    raise AssertionError("The body was read.")
    yield b""


@pytest.mark.parametrize(
    "how", [{"seconds": 0.3}, {"grace": 0.3, "rate": 1000}], ids=["the deadline", "the least rate"]
)
async def test_a_strangers_body_is_bounded_in_total(
    app: Gate, monkeypatch: pytest.MonkeyPatch, how: dict[str, float]
) -> None:
    """R83: a visitor who is not signed in gets 408 if the body takes too long in total or arrives too slowly.

    A body that arrives at one byte every 20 ms is refused too, although no single wait is long.
    """
    paced(monkeypatch, "STRANGER", **how)
    async with Browser(app) as browser:
        await browser.get("/sign-in")
        began = monotonic()
        answer = await browser.post("/sign-in", content=dripping(b"email="), headers=FORM)
        assert (answer.status_code, "took too long to arrive" in answer.text) == (408, True)
        assert 0.25 < monotonic() - began < 1.5


@pytest.mark.parametrize(
    "how", [{"seconds": 0.3}, {"grace": 0.3, "rate": 1000}], ids=["the deadline", "the least rate"]
)
async def test_what_somebody_typed_is_kept_where_its_form_is_too_slow(
    app: Gate, monkeypatch: pytest.MonkeyPatch, how: dict[str, float]
) -> None:
    """If Ada's form arrives too slowly, she gets 408, and the text that has arrived is kept as a draft."""
    paced(monkeypatch, "KNOWN", **how)
    async with await Browser.of(app, ADA) as browser:
        first = f"csrf={await browser.csrf()}&subject=Printer&body=It+is+silent&more=".encode()
        address = f"/cases/new?draft={uuid.uuid4()}"
        answer = await browser.post(address, content=dripping(first), headers=FORM)
        assert answer.status_code == 408
        assert "It is silent" in (await browser.get(address)).text


async def test_a_body_at_a_fair_rate_is_taken_however_long_it_is(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, "KNOWN", grace=0.3, rate=10_000)
    async with await Browser.of(app, ADA) as browser:
        whole = f"csrf={await browser.csrf()}&subject=Printer&body={'a' * 12_000}&case_type=1&priority=2".encode()

        async def fair() -> AsyncIterator[bytes]:
            for start in range(0, len(whole), 600):
                await asyncio.sleep(0.03)
                yield whole[start : start + 600]

        began = monotonic()
        answer = await browser.post("/cases/new", content=fair(), headers=FORM)
        assert (answer.status_code, monotonic() - began > 0.5) == (303, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sign-in", 403),  # Without the visitor's cookie no CSRF token is valid.
        ("/invitations/x", 404),
        (f"/invitations/{'x' * 43}", 404),
        (f"/password-resets/{'x' * 43}", 404),
        ("/sign-in/second-factor", 303),
        ("/cases/new", 303),
        ("/agent/setup/company", 303),
        ("/drafts", 303),
        ("/no-such-page", 404),
        ("/health", 405),
    ],
)
async def test_a_strangers_body_is_not_read_where_no_body_changes_the_answer(app: Gate, path: str, status: int) -> None:
    """R83: the body of a request without a session is not read if the response does not depend on the body."""
    async with Browser(app) as browser:
        assert (await browser.post(path, content=never(), headers=FORM)).status_code == status
        if path not in ("/sign-in", "/health"):  # The response is the same with the cookie that every visitor has.
            await browser.get("/sign-in")
            assert (await browser.post(path, content=never(), headers=FORM)).status_code == status


async def test_a_link_that_opens_something_has_its_form_read(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, "STRANGER", seconds=0.2)
    async with transaction(None):
        token = await invitations.invite(ALAN.credential_id, now())
    async with Browser(app) as browser:
        await browser.get(f"/invitations/{token}")
        assert (await browser.post(f"/invitations/{token}", content=dripping(), headers=FORM)).status_code == 408


@pytest.mark.parametrize(("announced", "status"), [("65537", 413), ("9" * 30, 413)])
async def test_a_strangers_body_that_announces_too_much_is_not_read(app: Gate, announced: str, status: int) -> None:
    async with Browser(app) as browser:
        await browser.get("/sign-in")
        answer = await browser.post("/sign-in", content=never(), headers=FORM | {"content-length": announced})
        assert answer.status_code == status


async def test_one_sender_has_few_bodies_on_their_way_and_others_go_on(
    app: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R83: the number of bodies that one sender may send at once is limited; other senders are still served.

    A sender is a person, or an IP address if nobody is signed in. A body counts until it has arrived.
    """
    paced(monkeypatch, "STRANGER", seconds=0.6, at_once=5)
    slow, ada = Browser(app), await Browser.of(app, ADA)
    await slow.get("/sign-in")
    waiting = [asyncio.create_task(slow.post("/sign-in", content=dripping(), headers=FORM)) for _ in range(20)]
    answers: list[httpx.Response] = []
    for done in asyncio.as_completed(waiting[:]):
        answers.append(await done)
        if len(answers) == 15:
            break
    assert {answer.status_code for answer in answers} == {429}
    assert {answer.headers["retry-after"] for answer in answers} == {"10"}
    assert (
        await ada.send_form("/cases/new", {"subject": "x", "body": "y", "case_type": "1", "priority": "2"})
    ).status_code == 303
    statuses = [answer.status_code for answer in await asyncio.gather(*waiting)]
    assert (statuses.count(408), statuses.count(429)) == (5, 15)
    assert (await slow.send_form("/sign-in", {"email": "x", "password": "y"})).status_code == 422
    assert not arriving._on_their_way
    await slow.aclose()
    await ada.aclose()


async def test_an_answer_that_nobody_reads_is_not_kept_for_ever(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """R83: a client that does not read its response is disconnected after a while."""
    monkeypatch.setattr(gate, "TAKEN_SECONDS", 0.1)
    scope = {
        "type": "http", "method": "GET", "path": "/sign-in", "raw_path": b"/sign-in", "query_string": b"", "scheme": "http",
        "headers": [(b"host", HOST.encode())], "client": ("127.0.0.1", 1), "root_path": "", "http_version": "1.1",
    }  # fmt: skip

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    began = monotonic()
    with pytest.raises(Exception, match="after response started") as ended:
        await app(scope, receive, send)
    assert isinstance(ended.value.__cause__, ConnectionAbortedError)
    assert monotonic() - began < 5
