"""Test the company's logo: an admin uploads a file, the portal redraws it, and sign-in page and invoices show it."""

import io
import re
import struct
import zlib

import pytest
from pypdf import PdfReader

from portal import billing
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.render import documents
from portal.web.gate import Gate
from tests.agent.test_invoices import draft
from tests.billing.work import log
from tests.browser import Browser
from tests.world import MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/setup/company/logo"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 50"><script>alert("MARK")</script><desc>MARK</desc>'
    b'<circle cx="25" cy="25" r="20" fill="#0b5f73"/><text x="60" y="33" font-family="Inter" font-size="24">Halden</text></svg>'
)


def png(width: int, height: int, *, claims: tuple[int, int] | None = None) -> bytes:
    """Return a grey PNG image with a text chunk. If `claims` is given, the header has this false width and height."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *(claims or (width, height)), 8, 0, 0, 0, 0))
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"tEXt", b"Comment\0MARK") + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("name", "content"), [("logo.svg", SVG), ("logo.png", png(400, 100))])
async def test_a_logo_is_redrawn_and_shown_on_the_sign_in_page_and_on_invoices(
    app: Gate, name: str, content: bytes
) -> None:
    """R59: a logo that Noor uploads is redrawn, so that the scripts, texts and metadata of the file are gone.

    The sign-in page and invoices show the redrawn logo. Uploading the same file again changes nothing, and the audit
    log records one upload and the removal (R89). After the removal, no logo is shown and its URL gets 404.
    """
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.send_form(PATH, {}, files={"logo": (name, content)})).status_code == 303
        assert (await noor.send_form(PATH, {}, files={"logo": (name, content)})).status_code == 303
        assert 'src="/logo.png?v=' in (await noor.get("/agent/setup/company")).text
    async with Browser(app) as nobody:
        page = (await nobody.get("/sign-in")).text
        assert 'class="logo" src="/logo.png?v=' in page
        async with transaction(SYSTEM) as tx:
            recorded = await tx.fetch(
                "select credential_id, what, changes from audit where what like 'logo.%' order by id"
            )
        # The second upload gave the same image, so it changed nothing.
        assert [(row["credential_id"], row["what"]) for row in recorded] == [(NOOR.credential_id, "logo.insert")]
        assert len(recorded[0]["changes"]) < 200
        shown = await nobody.get(page.split('class="logo" src="')[1].split('"')[0])
        assert shown.headers["content-type"] == "image/png"
        assert "immutable" in shown.headers["cache-control"]
        assert shown.content.startswith(b"\x89PNG")
        assert b"MARK" not in shown.content
        assert b"tEXt" not in shown.content
    async with transaction(MAX):
        invoice = await billing.issue(await draft(await log(60)), by=MAX, at=NOW)
        pages = PdfReader(io.BytesIO(await billing.hand_out("pdf", invoice))).pages
        assert len(pages[0].images) == 1
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.send_form(f"{PATH}/removal")).status_code == 303
        assert (await noor.get("/logo.png")).status_code == 404
        changes = (await noor.get("/agent/setup/changes")).text
        assert re.search(r"removed our logo.*added our logo", changes, re.DOTALL)
        assert 'class="logo"' not in (await noor.get("/agent/setup/company")).text


async def test_no_shared_cache_hands_a_cookie_of_one_visitor_to_others(app: Gate) -> None:
    """R37: responses that a shared cache may keep set no cookie.

    A visitor's CSRF token is bound to the visitor's cookie, so no cache may send this cookie to another visitor.
    """
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        await noor.send_form(PATH, {}, files={"logo": ("logo.svg", SVG)})
    async with Browser(app) as nobody:
        page = (await nobody.get("/sign-in")).text
    for address in re.findall(r'(?:src|href)="(/(?:static|logo)[^"]+)"', page):
        async with Browser(app) as stranger:
            answer = await stranger.get(address)
            assert answer.headers["cache-control"].startswith("public"), address
            assert "set-cookie" not in answer.headers, address


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("logo.png", b"GIF89a" + b"x" * 50, "Choose a picture of the kind PNG or SVG."),
        ("logo.png", png(2, 2, claims=(50_000, 50_000)), "This picture has more than 40 million pixels."),
        ("logo.svg", SVG + b" " * 1_000_000, "A logo may have at most 1 MB."),
        (
            "logo.svg",
            SVG.replace(b"<circle", b'<image href="file:///etc/passwd"/><circle'),
            "This picture cannot be drawn.",
        ),
        ("logo.svg", b"<svg", "This picture cannot be drawn."),
        ("logo.png", png(2, 2)[:60], "This picture cannot be drawn."),
    ],
)
async def test_what_is_no_logo_is_refused_and_changes_nothing(
    app: Gate, name: str, content: bytes, sentence: str
) -> None:
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        refused = await noor.send_form(PATH, {}, files={"logo": (name, content)})
        assert (refused.status_code, sentence in refused.text) == (422, True)
        assert (await noor.send_form(PATH, {})).status_code == 422
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from logo") == 0


async def test_a_picture_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """R59: drawing a logo is stopped after a time limit, and the logo is refused."""
    monkeypatch.setattr(documents, "SECONDS", 0.01)
    with pytest.raises(ValueError, match="cannot be drawn"):
        await documents.logo(SVG)
