"""Find and read published articles.

Each reader finds the articles for their audience; visitors find the articles for everybody. Row-level security checks
the audience a second time, except for agents, who may see all articles.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal.database import current
from portal.desk.help.articles import Audience
from portal.errors import NotFound
from portal.people.contact_search import PUNCTUATION
from portal.people.readers import Reader
from portal.render import plain_article

PAGE = 25
"""The maximum number of articles on one page of a list."""
MOST_WORDS = 6
LONGEST_TEXT = 200
LONGEST_EXCERPT = 160
SUGGESTED = 3
"""The maximum number of articles that are suggested for a subject."""
_SLUG = re.compile("[a-z0-9-]{1,80}")
SHORTEST_WORD = 3
"""The minimum number of letters of a word of the subject; shorter words suggest no articles."""


@dataclass(frozen=True, slots=True)
class Found:
    """An article as a list shows it. `excerpt` is the beginning of its text, without Markdown.

    `views` counts its signed-in readers, each of them at most once a day. `published_at` is None for a draft.
    """

    id: int
    slug: str
    title: str
    excerpt: str
    updated_at: datetime
    audience: Audience
    published_at: datetime | None
    author_name: str
    views: int


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of a list of articles. `page` counts from 1, `has_next` is True if more articles follow."""

    rows: list[Found]
    page: int
    has_next: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An article as its page shows it. `views` counts its signed-in readers, each of them at most once a day."""

    id: int
    slug: str
    title: str
    html: str
    audience: Audience
    author_name: str
    updated_at: datetime
    views: int


def audiences_of(reader: Reader | None) -> list[str]:
    """Return the audiences to which a reader belongs. `reader` is None for a visitor without a session."""
    if reader is None:
        return [Audience.EVERYBODY.value]
    if reader.is_contact:
        return [Audience.EVERYBODY.value, Audience.CUSTOMERS.value]
    return [audience.value for audience in Audience]


_SHOWN = "a.published_at is not null and a.audience = any($1::text[])"
_FROM = """
from help_article a join help_text t on t.article_id = a.id left join help_views v on v.article_id = a.id
"""
_COLUMNS = (
    "a.id, a.slug, a.title, a.audience, a.updated_at, a.published_at, t.author_name, coalesce(v.views, 0) as views"
)
_IN_TITLE, _IN_TEXT = "strpos(folded(a.title), {0}) > 0", "strpos(t.text_folded, {0}) > 0"
_READ = f"select {_COLUMNS}, t.html {_FROM} where {_SHOWN} and a.slug = $2"
_WRITTEN = f"select {_COLUMNS}, t.html {_FROM} where a.id = $1"
_PICTURE = f"""
select p.content, a.published_at is not null and a.audience = 'everybody' as is_public
from help_picture p join help_article a on a.id = p.article_id where ($4 or {_SHOWN}) and a.slug = $2 and p.name = $3
"""  # noqa: S608
_LIST = f"""
select {_COLUMNS}, left(t.text, 400) as text {_FROM}
cross join (select array(select folded(typed) from unnest($2::text[]) typed) as words) s
where ($1::text[] is null or {_SHOWN})
  and not exists (select from unnest(s.words) w where not ({_IN_TITLE.format("w")} or {_IN_TEXT.format("w")}))
order by exists (select from unnest(s.words) w where {_IN_TITLE.format("w")}) desc, folded(a.title), a.id
limit {PAGE + 1} offset $3
"""  # noqa: S608
_SUGGESTED = f"""
with word as (select distinct folded(typed) as word from unnest($2::text[]) typed),
hit as (
  select a.id, w.word, {_IN_TITLE.format("w.word")} as in_title, count(*) over (partition by w.word) as articles
  {_FROM} join word w on {_IN_TITLE.format("w.word")} or {_IN_TEXT.format("w.word")} where {_SHOWN}
)
select {_COLUMNS}, left(t.text, 400) as text {_FROM}
join (select id, sum(case when in_title then 3.0 else 1.0 end / articles) as score from hit group by id having bool_or(in_title)) h
  on h.id = a.id
order by h.score desc, folded(a.title) limit {SUGGESTED}
"""  # noqa: S608


async def read(slug: str, reader: Reader | None) -> Shown:
    """Return the published article with this slug. Raise `NotFound` if there is none that the reader may see."""
    row = await current().fetchrow(_READ, audiences_of(reader), slug) if _SLUG.fullmatch(slug) else None
    if row is None:
        raise NotFound
    return _shown(row)


def _shown(row: Any) -> Shown:
    return Shown(**{name: row[name] for name in Shown.__slots__} | {"audience": Audience(row["audience"])})


async def as_written(article_id: int) -> Shown:
    """Return an article, published or not, as its page shows it; for agents only.

    Raise `NotFound` for an unknown id.
    """
    row = await current().fetchrow(_WRITTEN, article_id)
    if row is None:
        raise NotFound
    return _shown(row)


async def picture(slug: str, name: str, reader: Reader | None) -> tuple[bytes, bool]:
    """Return an image of an article as WebP, and whether everybody may see it.

    Agents also get images of drafts. Raise `NotFound` if there is no such image that the reader may see.
    """
    is_agent = reader is not None and reader.is_agent
    row = await current().fetchrow(_PICTURE, audiences_of(reader), slug, name, is_agent)
    if row is None:
        raise NotFound
    return row["content"], row["is_public"]


async def listed(reader: Reader | None, text: str = "", page: int = 1) -> FoundPage:
    """Return one page of the published articles that the reader may see and that contain every word of `text`.

    Articles with one of these words in the title come first; both groups are sorted by title. `page` counts from 1.
    """
    return await _listed(audiences_of(reader), text, page)


async def written(text: str = "", page: int = 1) -> FoundPage:
    """Return one page of the articles, drafts included, that contain every word of `text`; for agents only.

    The articles are sorted as by `listed`.
    """
    return await _listed(None, text, page)


async def _listed(audiences: list[str] | None, text: str, page: int) -> FoundPage:
    """Return one page of the articles that contain every word of `text`.

    These are the published articles for `audiences`, or all articles if `audiences` is None.
    """
    page, words = min(max(page, 1), 10_000), words_of(text)[:MOST_WORDS]
    rows = await current().fetch(_LIST, audiences, words, (page - 1) * PAGE)
    return FoundPage([_found(row) for row in rows[:PAGE]], page, len(rows) > PAGE)


async def suggested(subject: str, reader: Reader) -> list[Found]:
    """Return at most `SUGGESTED` articles that match the subject of a new case, best match first.

    These are published articles that the reader may see and that have a word of `subject` in the title. A word counts
    more the fewer articles contain it. Words of fewer than `SHORTEST_WORD` letters, and words after the first
    `MOST_WORDS`, are ignored.
    """
    words = [word for word in words_of(subject) if len(word) >= SHORTEST_WORD][:MOST_WORDS]
    rows = await current().fetch(_SUGGESTED, audiences_of(reader), words) if words else []
    return [_found(row) for row in rows]


def words_of(text: str) -> list[str]:
    """Return the words in the first `LONGEST_TEXT` characters of a search text, without punctuation around them."""
    return [word.strip(PUNCTUATION) or word for word in text.replace("\0", "")[:LONGEST_TEXT].split()]


def _found(row: Any) -> Found:
    excerpt = plain_article(row["text"])
    if len(excerpt) > LONGEST_EXCERPT:
        excerpt = excerpt[:LONGEST_EXCERPT].rsplit(" ", 1)[0] + " …"
    values = {name: row[name] for name in Found.__slots__ if name != "excerpt"}
    return Found(**values | {"audience": Audience(row["audience"]), "excerpt": excerpt})


async def count_view(article_id: int, day: date) -> None:
    """Count a view of a published article by the signed-in reader of this transaction, at most one on each `day`."""
    await current().execute("select count_help_view($1, $2)", article_id, day)


async def forget_readers(before: date) -> None:
    """Delete the records of who read which article before this day. The numbers of views stay."""
    await current().execute("delete from help_reading where read_on < $1", before)
