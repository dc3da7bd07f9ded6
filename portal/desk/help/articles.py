"""Write help articles: create, change, publish, withdraw and delete them. The audit log records each change."""

import asyncio
import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.rows import insert_whole, one
from portal.database.uniqueness import unless_taken
from portal.errors import Conflict
from portal.fields import Checked, in_range, line, one_of
from portal.people.readers import AgentReader
from portal.render import article
from portal.visible import visible

LONGEST_TITLE = 120
LONGEST = 30_000
"""The maximum number of characters of an article."""
LONGEST_SLUG = 60


class Audience(StrEnum):
    """Who may read a published article. `word` is the text that agents read."""

    EVERYBODY = "everybody"
    CUSTOMERS = "customers"
    AGENTS = "agents"

    @property
    def word(self) -> str:
        return {"everybody": "Everybody", "customers": "Signed-in customers", "agents": "Agents only"}[self.value]


AUDIENCES = [(audience.value, audience.word) for audience in Audience]
"""The options of a form field for the audience."""


class HelpFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an article as typed. `audience` is a value of `Audience`, `text` is Markdown."""

    title: str = ""
    text: str = ""
    audience: str = Audience.EVERYBODY.value


class Article(Table, tablename="help_article"):
    """A help article.

    `slug` identifies it in URLs and does not change when the title does. `audience` is a value of `Audience`.
    `published_at` is None while the article is a draft, which only agents can read. `edition` is incremented whenever
    the text changes.
    """

    id: BigSerial = BigSerial(primary_key=True)
    slug = Text(default=None)
    title = Text(default=None)
    audience = Text(default=None)
    author_id = BigInt(default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    edition = Integer(default=1)
    published_at = Timestamptz(null=True, default=None)

    @property
    def is_published(self) -> bool:
        """Return whether the article is published, so that its audience can read it."""
        return bool(self.published_at)

    @classmethod
    async def find(cls, article_id: int, *, hold: bool = False) -> Self:
        """Return the article with this id, published or not; for pages of agents.

        With `hold`, lock its row until the transaction ends. Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(article_id)), hold=hold)

    @classmethod
    async def write(cls, facts: HelpFacts, *, by: AgentReader, at: datetime) -> Self:
        """Create an article as a draft, and return it.

        Raise `Invalid` if a field is not valid, or if another article has the same title.
        """
        columns, text = _read(facts)
        tx = current()
        await tx.execute("select pg_advisory_xact_lock(hashtextextended('help slug', 0))")
        slug = await _free_slug(columns["title"])
        async with unless_taken("title", _taken(columns["title"])):
            row = await insert_whole(
                cls, {**columns, "slug": slug, "author_id": by.id, "created_at": at, "updated_at": at}
            )
        found = cls(**row, _exists_in_db=True)
        await tx.execute(
            "insert into help_text (article_id, text, html, author_name) values ($1, $2, $3, $4)",
            found.id, text, await html_of(text, slug), by.name,
        )  # fmt: skip
        return found

    async def change(self, facts: HelpFacts, at: datetime) -> None:
        """Replace title, text and audience of the article, whose row the caller has locked.

        If the article is published, readers see the new text at once. Do nothing if `facts` has the stored values.
        Raise `Invalid` if a field is not valid, or if another article has the same title.
        """
        columns, text = _read(facts)
        edition = self.edition + (text != await self.text())
        changed: dict[Any, Any] = {**columns, "edition": edition}
        if all(getattr(self, name) == value for name, value in changed.items()):
            return
        async with unless_taken("title", _taken(columns["title"])):
            await Article.update({**changed, "updated_at": at}).where(Article.id == self.id)
        if edition != self.edition:
            await current().execute(
                "update help_text set text = $2, html = $3 where article_id = $1",
                self.id, text, await html_of(text, self.slug),
            )  # fmt: skip

    async def publish(self, at: datetime) -> None:
        """Publish the article for its audience. Idempotent."""
        await Article.update({Article.published_at: at}).where(Article.id == self.id, Article.published_at.is_null())

    async def withdraw(self) -> None:
        """Make the article a draft again, which only agents can read. Idempotent."""
        await Article.update({Article.published_at: None}).where(Article.id == self.id)

    async def discard(self) -> None:
        """Delete a draft with its images. Raise `Conflict` if the article is published.

        The caller has locked the row of the article.
        """
        if self.is_published:
            raise Conflict("This article is published. Withdraw it before you delete it.")
        await Article.delete().where(Article.id == self.id)

    async def text(self) -> str:
        """Return the Markdown of the article."""
        return str(await current().fetchval("select text from help_text where article_id = $1", self.id))

    async def facts(self) -> HelpFacts:
        """Return the present title, text and audience of the article as form fields."""
        return HelpFacts(title=self.title, text=await self.text(), audience=self.audience)


async def html_of(text: str, slug: str) -> str:
    """Return the Markdown of an article as sanitized HTML.

    `slug` is the slug of the article, for the URLs of its images.
    """
    return await asyncio.to_thread(article, text, f"/help/{slug}/pictures/")


def slug_of(title: str) -> str:
    """Return the words of a title as a slug, such as `set-up-the-vpn`.

    The slug has at most `LONGEST_SLUG` characters. It is `article` if the title has no Latin letters and no digits.
    """
    letters = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    slug = "-".join(re.findall("[a-z0-9]+", letters))
    return slug[:LONGEST_SLUG].strip("-") or "article"


async def _free_slug(title: str) -> str:
    """Return the slug of a title, with a number appended if an article has that slug already."""
    slug = slug_of(title)
    rows = await current().fetch("select slug from help_article where slug = $1 or starts_with(slug, $1 || '-')", slug)
    taken, number = {row["slug"] for row in rows}, 1
    while (free := slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return free


def _taken(title: str) -> str:
    return f"There is an article “{title}” already."


def _title(text: str) -> str:
    title = line(text)
    if len(title) > LONGEST_TITLE:
        raise ValueError(f"Use at most {LONGEST_TITLE} characters.")
    return title


def _body(text: str) -> str:
    shown = visible(text)
    if not shown.strip():
        raise ValueError("Write something first.")
    if len(shown) > LONGEST:
        raise ValueError(f"Use at most {LONGEST:,} characters; write a second article for the rest.")
    return shown


def checked(facts: HelpFacts) -> None:
    """Validate the form fields of an article without storing anything.

    Raise `Invalid` with a message for each field that is not valid.
    """
    _read(facts)


def _read(facts: HelpFacts) -> tuple[dict[str, str], str]:
    """Return the column values of an article, and its text. Raise `Invalid` for a field that is not valid."""
    fields = Checked()
    columns = {
        "title": fields("title", _title, facts.title),
        "audience": fields("audience", one_of(tuple(Audience)), facts.audience),
    }
    text = fields("text", _body, facts.text)
    fields.done()
    return columns, text
