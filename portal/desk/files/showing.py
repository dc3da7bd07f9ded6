"""Show previews of files: an image, the pages of a PDF, or the beginning of a text, but never the file itself (R56).

Images and pages are drawn again by a process with limits (R59). Each drawing is stored, so that it is made once.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from piccolo.columns import UUID, Bytea, Integer, Timestamptz
from piccolo.table import Table

from portal import previews
from portal.database import current
from portal.desk.files.attachments import Attachment
from portal.desk.files.filetypes import ending_of
from portal.storage import Storage
from portal.visible import visible

SMALL, LARGE = 320, 1600
"""The maximum width and height in pixels of a thumbnail, and of any other image or page."""
PAGES_AT_ONCE = 5
"""How many pages of a PDF are shown before a link leads to the next pages."""
MOST_TEXT = 100_000
"""How many bytes of a text are shown. The download contains all of it."""
KEPT_FOR = timedelta(days=30)
"""How long a drawing is stored. After that it is made again when somebody looks at the file."""

_PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff"}
_TEXTS = {"txt", "log", "csv", "tsv", "json", "xml", "yml", "yaml", "toml", "ini", "conf", "cfg", "md", "sql", "out", "err", "trace"}  # fmt: skip


class Shape(StrEnum):
    """The kind of preview that a file has."""

    PICTURE = "picture"
    PDF = "pdf"
    TEXT = "text"


class FilePreview(Table, tablename="file_preview"):
    """The stored drawing of an image file or of a page of a PDF, with at most `side` pixels in each direction.

    `content` is None if the image or page cannot be drawn. `pages` is the number of pages of the file. Attachment, page
    and side are together the primary key, which Piccolo cannot express.
    """

    attachment_id = UUID(primary_key=True, default=None)
    page = Integer(default=None)
    side = Integer(default=None)
    content = Bytea(null=True, default=None)
    width = Integer(null=True, default=None)
    height = Integer(null=True, default=None)
    pages = Integer(null=True, default=None)
    made_at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class Text:
    """The beginning of a text file. `is_whole` is False if the file is longer."""

    content: str
    is_whole: bool


def shape_of(name: str, media_type: str) -> Shape | None:
    """Return which kind of preview a file with this name and media type has, or None if it can only be downloaded."""
    if media_type in _PICTURES:
        return Shape.PICTURE
    ending = ending_of(name)
    return Shape.PDF if ending == "pdf" else Shape.TEXT if ending in _TEXTS else None


async def kept(attachment_id: uuid.UUID, page: int, side: int) -> tuple[bool, previews.Drawing | None]:
    """Return whether drawing this page of a file in this size was tried before, and the stored drawing.

    The drawing is None if drawing was not tried, or if the page cannot be drawn. `page` counts from 1, and `side` is
    the maximum width and height in pixels.
    """
    row = await current().fetchrow(
        "select content, width, height, pages from file_preview where attachment_id = $1 and page = $2 and side = $3",
        attachment_id, page, side,
    )  # fmt: skip
    if row is None:
        return False, None
    return True, previews.Drawing(**row) if row["content"] else None


async def draw(attachment: Attachment, storage: Storage, page: int, side: int) -> previews.Drawing | None:
    """Draw an image, or a page of a PDF, with at most `side` pixels in each direction.

    Return None if the file cannot be drawn. Call this outside any transaction. Raise `Unavailable` if too many drawings
    are waiting, or if this drawing takes too long.
    """
    async with previews.turn():
        content = await storage.content(attachment.key, limit=attachment.size + 1)
        try:
            if shape_of(attachment.name, attachment.media_type) is Shape.PICTURE:
                return await previews.draw_picture(content, side)
            return await previews.draw_page(content, side, page)
        except previews.CannotDraw:
            return None


async def keep(attachment_id: uuid.UUID, page: int, side: int, drawing: previews.Drawing | None, at: datetime) -> None:
    """Store the result of drawing a page: the drawing or, if `drawing` is None, that the page cannot be drawn.

    Do nothing if somebody else has stored a result for the same page and size.
    """
    made = drawing or previews.Drawing(b"", 0, 0, 0)
    await current().execute(
        "insert into file_preview (attachment_id, page, side, content, width, height, pages, made_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        attachment_id, page, side, made.content or None, made.width or None, made.height or None, made.pages or None, at,
    )  # fmt: skip


async def text_of(attachment: Attachment, storage: Storage) -> Text:
    """Return the beginning of a text file, at most `MOST_TEXT` bytes, without invisible characters.

    The file is read as UTF-16 if it begins with the byte order mark of UTF-16, otherwise as UTF-8.
    """
    content = await storage.content(attachment.key, limit=MOST_TEXT)
    coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(coding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return Text(visible(text), attachment.size <= MOST_TEXT)


async def delete_old(at: datetime) -> None:
    """Delete the drawings that were made more than `KEPT_FOR` ago."""
    await FilePreview.delete().where(FilePreview.made_at < at - KEPT_FOR)
