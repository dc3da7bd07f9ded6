"""Serve the help: the list of articles with its search, the articles and their images.

Each reader gets only the articles and images that they may see.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any

from litestar import Response, get
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import previews
from portal.database import transaction
from portal.desk.help import reading
from portal.numbers import number_in
from portal.people.readers import Reader
from portal.periods import today
from portal.web.headers import SANDBOX
from portal.web.limits import searching
from portal.web.pages import page
from portal.web.visit import Web, visit_of

PUBLIC = "public, max-age=3600"
"""The header `cache-control` of images that everybody may see. All other responses of the help are not cached (R42)."""


@contextlib.asynccontextmanager
async def _reading(request: Web, text: str = "") -> AsyncIterator[Reader | None]:
    """Run the block in a read-only transaction of the reader; yield the reader, or None for a visitor.

    Count a search if `text` is not empty. Raise `TooMany` if the reader has searched too often.
    """
    async with searching(request, text), transaction(visit_of(request).reader, readonly=True):
        yield visit_of(request).reader


async def _page(request: Web, template: str, **context: Any) -> Response[str]:
    """Return a page in the layout of the reader's area, or in the visitors' layout."""
    visit = visit_of(request)
    around = await request.app.state.frame(visit.reader, visit.at) if visit.reader else {}
    return page(request, template, **around, **context)


@get("/")
async def show_list(request: Web) -> Response[str]:
    """Show one page of the articles that the reader may read. `?page=` counts from 1.

    With `?q=`, show only the articles that contain every word of this text.
    """
    query = request.query_params
    text = query.get("q", "").strip()
    async with _reading(request, text) as reader:
        found = await reading.listed(reader, text, number_in(query.get("page"), digits=5) or 1)
        return await _page(request, "help/list.html", found=found, text=text)


@get("/{slug:str}")
async def show(request: Web, slug: FromPath[str], at: NamedDependency[datetime]) -> Response[str]:
    """Show an article. Count the view of a signed-in reader once a day, after the response is sent."""
    visit = visit_of(request)
    async with _reading(request) as reader:
        found = await reading.read(slug, reader)
        response = await _page(request, "help/show.html", article=found)
    if reader:
        response.background = BackgroundTask(_count, found.id, reader, today(visit.company.time_zone, at))
    return response


async def _count(article_id: int, reader: Reader, day: date) -> None:
    async with transaction(reader):
        await reading.count_view(article_id, day)


@get("/{slug:str}/pictures/{name:str}")
async def show_picture(request: Web, slug: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Serve an image of an article to everybody who may read the article. Agents also get the images of drafts.

    Only an image that everybody may see may be cached; the response with such an image sets no cookie
    (`headers.for_every_answer`).
    """
    async with _reading(request) as reader:
        content, is_public = await reading.picture(slug, name, reader)
    headers = {
        "cache-control": PUBLIC if is_public else "no-store",
        "content-security-policy": SANDBOX,
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type=previews.MEDIA_TYPE, headers=headers)


handlers: list[Any] = [show_list, show, show_picture]
