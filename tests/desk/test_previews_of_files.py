"""Test how files of cases are shown in place: images, pages of a PDF, texts, and files that cannot be shown."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from portal.database import current, transaction
from portal.desk import Case
from portal.desk.files import showing
from portal.desk.files.showing import Shape, shape_of
from portal.web import limits
from portal.web.gate import Gate
from tests.browser import Browser
from tests.desk.files import upload
from tests.previews.test_previews import pdf, picture
from tests.world import ADA, ALAN, GIL, INCIDENT, INES, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

FRAGMENT = {"HX-Request": "true"}


async def with_files(app: Gate, files: dict[str, bytes], *, note: bool = False) -> dict[str, str]:
    """Create a case of Ada with these files on its first message, and return the URL of each file by its name.

    With `note`, the files are attached to a note of Ines instead.
    """
    by: Any = INES if note else ADA
    stored = [await upload(app.storage, by, name, content) for name, content in files.items()]
    async with transaction(ADA):
        case = await Case.open(
            by=ADA, subject="VPN", text="See.", case_type_id=INCIDENT, files=[] if note else stored, at=NOW
        )
    if note:
        async with transaction(INES):
            await case.note(by=INES, text="See.", files=stored, at=NOW)
    async with transaction(INES, readonly=True) as tx:
        rows = await tx.fetch("select id, name from attachment")
    return {row["name"]: f"/cases/{case.number}/files/{row['id']}" for row in rows}


async def test_a_picture_has_a_thumbnail_and_is_shown_in_place_by_a_drawing(app: Gate) -> None:
    """S3.12, R56, R59: an image is shown as a WebP rendering; the file itself is only offered as a download.

    A rendering is made once for each size, and browsers may not cache it.
    """
    here = (await with_files(app, {"screen.png": picture("PNG", size=(2000, 500))}))["screen.png"]
    async with await Browser.of(app, ADA, at=NOW) as ada, await Browser.of(app, INES, at=NOW) as ines:
        page = (await ada.get(here.partition("/files")[0])).text
        assert f'src="{here}/picture.webp?small=yes"' in page
        assert f'hx-get="{here}/preview"' in page
        for browser, path in ((ada, here), (ines, f"/agent{here}")):
            for query, size in (("?small=yes", (320, 80)), ("", (1600, 400))):
                shown = await browser.get(f"{path}/picture.webp{query}")
                assert shown.headers["content-type"] == "image/webp"
                assert shown.headers["cache-control"] == "no-store"
                assert "sandbox" in shown.headers["content-security-policy"]
                assert Image.open(io.BytesIO(shown.content)).size == size
            assert f'src="{path}/picture.webp" width="1600"' in (await browser.get(f"{path}/preview")).text
            fragment = (await browser.get(f"{path}/preview", headers=FRAGMENT)).text
            assert "<html" not in fragment
            assert f'src="{path}/picture.webp"' in fragment
        # An image has no pages, so the number of the page is ignored.
        assert (await ada.get(f"{here}/picture.webp?page=9")).status_code == 200
        assert "attachment" in (await ada.get(here)).headers["content-disposition"]
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from file_preview") == 2


async def test_pages_of_a_pdf_are_shown_as_pictures_five_at_once(app: Gate) -> None:
    """S3.12, R59: a preview shows five pages of a PDF as images and links to the next ones; an unknown page is 404."""
    here = (await with_files(app, {"offer.pdf": pdf(7)}))["offer.pdf"]
    async with await Browser.of(app, ADA, at=NOW) as ada:
        first = (await ada.get(f"{here}/preview", headers=FRAGMENT)).text
        assert [f"page {number} of 7" in first for number in (1, 5, 6)] == [True, True, False]
        assert f'href="{here}/preview?page=6"' in first
        rest = (await ada.get(f"{here}/preview?page=6")).text
        assert "page 7 of 7" in rest
        assert (await ada.get(f"{here}/picture.webp?page=7")).status_code == 200
        assert (await ada.get(f"{here}/picture.webp?page=8")).status_code == 404
    async with transaction(INES) as tx:
        assert await tx.fetchval("select max(page) from file_preview") == 7


async def test_a_person_who_has_had_too_many_drawings_made_waits(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """R83: a person may cause only so many renderings of files. Showing a stored rendering does not count."""
    monkeypatch.setattr(limits, "DRAWINGS", replace(limits.DRAWINGS, free=1))
    here = (await with_files(app, {"screen.png": picture("PNG")}))["screen.png"]
    async with await Browser.of(app, ADA, at=NOW) as ada:
        for _ in range(2):
            assert (await ada.get(f"{here}/picture.webp")).status_code == 200
        assert (await ada.get(f"{here}/picture.webp?small=yes")).status_code == 429


async def test_a_text_is_shown_as_text_whatever_it_contains(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3.12, R56: a text file in UTF-8 or UTF-16 is shown with its HTML escaped.

    If the text is long, only its beginning is shown, and the page says so. An HTML file is not shown.
    """
    files = {
        "client.log": b"08:12 <script>alert(1)</script>\r\nno route",
        "wide.txt": "Größe".encode("utf-16"),
        "page.html": b"<script>alert(1)</script>",
    }
    here = await with_files(app, files)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        shown = (await ada.get(f"{here['client.log']}/preview")).text
        assert "08:12 &lt;script&gt;alert(1)&lt;/script&gt;\nno route</pre>" in shown
        assert "Größe" in (await ada.get(f"{here['wide.txt']}/preview")).text
        monkeypatch.setattr(showing, "MOST_TEXT", 5)
        cut = (await ada.get(f"{here['client.log']}/preview")).text
        assert "08:12</pre>" in cut
        assert "This is the beginning." in cut
        for end in ("preview", "picture.webp"):  # HTML is never shown
            assert (await ada.get(f"{here['page.html']}/{end}")).status_code == 404
        assert (await ada.get(f"{here['client.log']}/picture.webp")).status_code == 404


async def test_what_cannot_be_drawn_says_so_and_is_not_tried_again(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """R59: the page says that a damaged file cannot be shown, and the portal does not try to render the file again."""
    here = (await with_files(app, {"offer.pdf": b"MARK"}))["offer.pdf"]
    async with await Browser.of(app, ADA, at=NOW) as ada:
        assert "cannot be shown here" in (await ada.get(f"{here}/preview")).text
        monkeypatch.setattr("portal.desk.files.showing.draw", None)
        assert "cannot be shown here" in (await ada.get(f"{here}/preview")).text
        assert (await ada.get(f"{here}/picture.webp")).status_code == 404


async def test_a_drawing_is_shown_only_to_readers_who_may_read_the_file(app: Gate) -> None:
    """R57, D51, D52: whoever may not read a file gets 404 for the rendering of the file.

    Contacts of other customers, and colleagues who may not see the case, cannot read its files. No contact can read a
    file of a note.
    """
    public = (await with_files(app, {"screen.png": picture("PNG")}))["screen.png"]
    internal = (await with_files(app, {"internal.png": picture("PNG")}, note=True))["internal.png"]
    async with await Browser.of(app, INES, at=NOW) as ines:
        for here in (public, internal):
            assert (await ines.get(f"/agent{here}/picture.webp")).status_code == 200
    for reader, here in ((GIL, public), (ALAN, public), (ADA, internal)):
        async with await Browser.of(app, reader, at=NOW) as browser:
            for end in ("picture.webp", "preview"):
                assert (await browser.get(f"{here}/{end}")).status_code == 404
    async with transaction(ADA, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from file_preview") == 1
    async with transaction(GIL, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from file_preview") == 0


async def test_old_drawings_are_deleted(app: Gate) -> None:
    """A rendering is kept for a number of days and then deleted."""
    here = (await with_files(app, {"screen.png": picture("PNG")}))["screen.png"]
    async with await Browser.of(app, INES, at=NOW) as ines:
        assert (await ines.get(f"/agent{here}/picture.webp")).status_code == 200
    for passed, left in ((showing.KEPT_FOR - timedelta(hours=1), 1), (showing.KEPT_FOR + timedelta(hours=1), 0)):
        async with transaction(INES):
            await showing.delete_old(NOW + passed)
            assert await current().fetchval("select count(*) from file_preview") == left


async def test_the_kind_of_a_file_decides_how_it_is_shown() -> None:
    """R56: PNG images are recognized by media type, PDF and text files by extension.

    SVG and HEIC files are only downloads.
    """
    octets = "application/octet-stream"
    files = (("a.bin", "image/png"), ("A.PDF", octets), ("a.log", octets), ("a.svg", octets), ("a.heic", "image/heic"))
    shapes = [shape_of(*one) for one in files]
    assert shapes == [Shape.PICTURE, Shape.PDF, Shape.TEXT, None, None]
