"""Serve the files of a case and their previews: thumbnails, images, pages of a PDF, and the beginning of a text."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response

from portal import previews
from portal.database import transaction
from portal.desk import Attachment, Case
from portal.desk.files import showing
from portal.desk.files.showing import Shape
from portal.errors import NotFound
from portal.numbers import number_in
from portal.storage import Storage
from portal.web.headers import SANDBOX
from portal.web.limits import count_drawing
from portal.web.pages import download
from portal.web.visit import Web, visit_of

LAST_PAGE = 10_000


async def whole(request: Web, storage: Storage, number: str, file_id: uuid.UUID) -> Response[Any]:
    """Return a file of the case, always as a download, so that the browser never displays it (R56, R57)."""
    file = await _file(request, number, file_id)
    return download(storage.read(file.key), file.name, size=file.size)


async def picture(request: Web, storage: Storage, number: str, file_id: uuid.UUID, at: datetime) -> Response[bytes]:
    """Return a WebP image of a file of the case. If the image is not stored yet, it is drawn and stored now.

    `?small=yes` asks for a thumbnail, and `?page=` for a page of a PDF. Raise `NotFound` for a file that the reader may
    not see or that cannot be drawn, and `TooMany` if the reader has had too many previews drawn.
    """
    file = await _file(request, number, file_id)
    side = showing.SMALL if request.query_params.get("small") == "yes" else showing.LARGE
    drawing = await _drawing(request, storage, file, _page_of(request, file), side, at)
    if drawing is None:
        raise NotFound
    headers = {"content-security-policy": SANDBOX, "x-content-type-options": "nosniff"}
    return Response(drawing.content, media_type=previews.MEDIA_TYPE, headers=headers)


async def shown(request: Web, storage: Storage, number: str, file_id: uuid.UUID, at: datetime) -> dict[str, Any]:
    """Return the template variables of the page, or the fragment, that shows the preview of a file.

    `drawing` is None if the file cannot be drawn. `text` is the beginning of a text file, and None for any other file.
    `pages` are the numbers of the PDF's pages that are shown at once, from `?page=` on, and `next_page` is the number
    of the page after them, or None. Raise `NotFound` for a file that has no preview or that the reader may not see, and
    `TooMany` if the reader has had too many previews drawn.
    """
    file = await _file(request, number, file_id)
    first, shape = _page_of(request, file), showing.shape_of(file.name, file.media_type)
    found: dict[str, Any] = {
        "file": file,
        "shape": shape,
        "text": None,
        "drawing": None,
        "pages": [],
        "next_page": None,
    }
    if shape is None:
        raise NotFound
    if shape is Shape.TEXT:
        found["text"] = await showing.text_of(file, storage)
        return found
    drawing = await _drawing(request, storage, file, first, showing.LARGE, at)
    if drawing:
        last = min(first + showing.PAGES_AT_ONCE - 1, drawing.pages)
        found |= {
            "drawing": drawing,
            "pages": range(first, last + 1),
            "next_page": last + 1 if last < drawing.pages else None,
        }
    return found


async def _file(request: Web, number: str, file_id: uuid.UUID) -> Attachment:
    reader: Any = visit_of(request).reader
    case = await Case.find(number, reader)
    return await Attachment.find(file_id, case.id)


def _page_of(request: Web, file: Attachment) -> int:
    """Return the page number in the query parameter `page`, at most `LAST_PAGE`.

    For a file that is not a PDF, return 1, so that an image is not drawn and stored again for each page number.
    """
    if showing.shape_of(file.name, file.media_type) is not Shape.PDF:
        return 1
    return min(number_in(request.query_params.get("page")) or 1, LAST_PAGE)


async def _drawing(
    request: Web, storage: Storage, file: Attachment, page: int, side: int, at: datetime
) -> previews.Drawing | None:
    """Return the stored drawing of a page of a file, or draw and store the page. Return None if it cannot be drawn.

    `count_drawing` ends the transaction of the request, so that none is open while the page is drawn (R84). A failure
    to draw is stored only for page 1. Otherwise, requests for pages that a PDF does not have could store a failure for
    each page number. Raise `TooMany` if the reader has had too many previews drawn.
    """
    if showing.shape_of(file.name, file.media_type) not in (Shape.PICTURE, Shape.PDF):
        return None
    is_known, drawing = await showing.kept(file.id, page, side)
    if is_known:
        return drawing
    await count_drawing(request)
    drawing = await showing.draw(file, storage, page, side)
    if drawing or page == 1:
        async with transaction(visit_of(request).reader):
            await showing.keep(file.id, page, side, drawing, at)
    return drawing
