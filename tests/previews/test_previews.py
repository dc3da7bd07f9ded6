"""Test the drawing of uploaded pictures and PDF pages: what is drawn, what is refused, and the limits of drawing."""

import io

import pytest
from PIL import Image
from pypdf import PdfWriter

from portal.errors import Unavailable
from portal.previews import CannotDraw, child, draw_page, draw_picture
from tests.agent.test_logo import png


def picture(kind: str, *, size: tuple[int, int] = (400, 100), **more: object) -> bytes:
    """Return a grey picture in this file format, with a comment where the format has one."""
    made = io.BytesIO()
    Image.new("RGB", size, "grey").save(made, kind, comment=b"MARK", **more)
    return made.getvalue()


def pdf(pages: int = 2, password: str = "") -> bytes:
    """Return a PDF with blank pages of 300 by 200 points and a title."""
    writer, made = PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(300, 200)
    writer.add_metadata({"/Title": "MARK"})
    if password:
        writer.encrypt(password)
    writer.write(made)
    return made.getvalue()


@pytest.mark.parametrize("kind", child.FORMATS)
async def test_a_picture_is_drawn_again_as_webp_without_metadata(kind: str) -> None:
    """R59: a picture is drawn again as WebP, within the requested size, and without comments and other metadata."""
    drawing = await draw_picture(picture(kind), 200)
    shown = Image.open(io.BytesIO(drawing.content))
    assert (shown.format, shown.size, drawing.pages) == ("WEBP", (200, 50), 1)
    assert (drawing.width, drawing.height) == (200, 50)
    assert b"MARK" not in drawing.content
    assert not {"exif", "xmp", "comment"} & shown.info.keys()


async def test_a_photograph_is_turned_upright_and_a_small_picture_stays_small() -> None:
    """R59: the orientation that a camera stored in the file is applied; a small picture is not enlarged."""
    turned = Image.Exif()
    turned[0x0112] = 6
    drawing = await draw_picture(picture("JPEG", exif=turned), 1000)
    assert (drawing.width, drawing.height) == (100, 400)


@pytest.mark.parametrize(
    "content",
    [b"", b"MARK", b"<svg xmlns='http://www.w3.org/2000/svg'/>", png(10, 10, claims=(50_000, 50_000)), pdf(), picture("PNG")[:60]],
)  # fmt: skip
async def test_what_is_no_harmless_picture_is_not_drawn(content: bytes) -> None:
    """R59: text, SVG, a picture that claims too many pixels, a PDF and half a file are refused."""
    with pytest.raises(CannotDraw):
        await draw_picture(content, 200)


async def test_a_page_of_a_pdf_is_drawn_as_a_picture() -> None:
    """R59: the requested page is drawn without metadata, and the number of all pages is returned."""
    drawing = await draw_page(pdf(3), 600, 2)
    assert (drawing.width, drawing.height, drawing.pages) == (600, 400, 3)
    assert b"MARK" not in drawing.content


@pytest.mark.parametrize(("content", "page"), [(pdf(2), 3), (pdf(2), 0), (pdf(1, "secret"), 1), (b"%PDF-1.7 MARK", 1)])
async def test_what_is_no_page_of_a_pdf_is_not_drawn(content: bytes, page: int) -> None:
    """R59: a page that does not exist, a document with a password and a damaged document are refused."""
    with pytest.raises(CannotDraw):
        await draw_page(content, 200, page)


async def test_a_process_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """R59: a drawing that exceeds the timeout is aborted with `Unavailable`, not `CannotDraw`; the next one works."""
    monkeypatch.setattr("portal.previews.WITHIN", 0.0)
    with pytest.raises(Unavailable, match="takes too long"):
        await draw_picture(picture("PNG"), 100)
    monkeypatch.undo()
    assert (await draw_picture(picture("PNG"), 100)).width == 100


async def test_a_drawing_that_is_too_large_to_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """R59: if a drawing is larger than the database may store, it is refused like a file that cannot be drawn."""
    monkeypatch.setattr("portal.previews.MOST_BYTES", 10)
    with pytest.raises(CannotDraw):
        await draw_picture(picture("PNG"), 100)
