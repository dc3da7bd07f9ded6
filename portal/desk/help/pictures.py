"""Add images to articles, and remove them.

A process with limits draws each image again; only the drawing is stored (R59).
"""

from datetime import datetime

from piccolo.columns import BigInt, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from portal import previews
from portal.database import current
from portal.desk.help.articles import Article, slug_of
from portal.errors import Conflict, Invalid
from portal.storage import Storage

MOST = 30
"""The maximum number of images of one article."""
SIDE = 1600
"""The maximum width and height of an image, in pixels."""
MOST_BYTES = 10 * 1024 * 1024
"""The maximum size of an uploaded image, in bytes."""


class HelpPicture(Table, tablename="help_picture"):
    """An image of an article, as WebP. In the text of the article, `![words](name)` shows it.

    The article and the name are together the primary key, which Piccolo cannot express.
    """

    article_id = BigInt(primary_key=True, default=None)
    name = Text(default=None)
    content = Bytea(default=None)
    width = Integer(default=None)
    height = Integer(default=None)
    added_at = Timestamptz(default=None)


async def draw_stored(key: str, storage: Storage) -> previews.Drawing:
    """Return the image that is stored under `key`, drawn again as WebP. Raise `Invalid` as `draw` does.

    Raise `Unavailable` if too many drawings are waiting, or if this drawing takes too long.
    """
    async with previews.turn():
        return await draw(await storage.content(key, limit=MOST_BYTES + 1))


async def draw(content: bytes) -> previews.Drawing:
    """Draw an uploaded image again as WebP, and return the drawing.

    Raise `Invalid` at the field `picture` if the image is too large or cannot be drawn, and `Unavailable` if the
    drawing takes too long.
    """
    if len(content) > MOST_BYTES:
        raise Invalid({"picture": "A picture may have at most 10 MB."})
    try:
        return await previews.draw_picture(content, SIDE)
    except previews.CannotDraw:
        raise Invalid({"picture": "This file cannot be drawn. Choose a PNG, JPEG, GIF or WebP picture."}) from None


async def add(article: Article, file_name: str, drawing: previews.Drawing, at: datetime) -> str:
    """Add an image to the article, and return the name of the image, made from the name of the uploaded file.

    The caller has locked the row of the article. Raise `Invalid` at the field `picture` if the article has `MOST`
    images already.
    """
    names = await names_of(article)
    if len(names) >= MOST:
        raise Invalid({"picture": f"An article has at most {MOST} pictures. Remove one first."})
    stem, number = slug_of(file_name.rpartition(".")[0] or file_name), 1
    while (name := f"{stem}{'' if number == 1 else f'-{number}'}.webp") in names:
        number += 1
    await HelpPicture.insert(
        HelpPicture(
            article_id=article.id, name=name, content=drawing.content, width=drawing.width, height=drawing.height, added_at=at
        )
    )  # fmt: skip
    return name


async def names_of(article: Article) -> list[str]:
    """Return the names of the images of an article, in the order in which they were added."""
    rows = await current().fetch(
        "select name from help_picture where article_id = $1 order by added_at, folded(name)", article.id
    )
    return [row["name"] for row in rows]


async def remove(article: Article, name: str) -> None:
    """Remove the image with this name from the article. Do nothing if there is no such image.

    The caller has locked the row of the article. Raise `Conflict` if the text of the article shows the image.
    """
    if await current().fetchval(_IS_SHOWN, article.id, name):
        raise Conflict("The text shows this picture. Take it out of the text first.")
    await HelpPicture.delete().where(HelpPicture.article_id == article.id, HelpPicture.name == name)


_IS_SHOWN = """
select exists (select from help_picture p join help_text t on t.article_id = p.article_id
  where p.article_id = $1 and p.name = $2 and strpos(t.html, '/pictures/' || p.name || '"') > 0)
"""
