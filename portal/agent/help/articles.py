"""Serve the pages on which agents write help articles. Every agent may write, change and publish every article."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk.files import draft_files
from portal.desk.help import pictures, reading
from portal.desk.help.articles import AUDIENCES, Article, HelpFacts, checked, html_of
from portal.errors import Invalid
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.storage import Storage
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.limits import searching
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class HelpForm(HelpFacts, kw_only=True):
    """Form of an article.

    If `then` is `preview`, the typed text is shown as readers would see it, and not saved. If `then` is `pictures`, a
    new article is saved, and the page with the form that adds pictures to the article is shown.
    """

    then: str = ""


class PictureForm(Struct, kw_only=True):
    """Form that uploads an image. The file itself is not a field; `form_key` identifies the form."""

    form_key: str = ""


@get("/help")
async def show_list(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of all articles, drafts included. `?page=` counts from 1.

    With `?q=`, show only the articles that contain every word of this text.
    """
    query = request.query_params
    text = query.get("q", "").strip()
    async with searching(request, text):
        found = await reading.written(text, number_in(query.get("page"), digits=5) or 1)
        return await agent_page(request, reader, "agent/help/list.html", found=found, text=text)


@get("/help/new")
async def new(request: Web) -> Response[str]:
    """Show the form for a new article."""
    return await _new(request)


async def _new(request: Web, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/help/form.html", article=None, audiences=AUDIENCES, **{"preview": "", **again}
    )


@post("/help/new")
@on_refusal(_new)
async def add(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a draft article, and redirect to the page of the article or, if `then` is `pictures`, to its pictures.

    If `then` is `preview`, create nothing, and show the preview of the typed text.
    """
    fields = form.into(HelpForm)
    if fields.then == "preview":
        return await _preview(request, form, fields)
    async with transaction(reader):
        article = await Article.write(fields, by=reader, at=at)
    return see_other(f"/agent/help/{article.id}{'#pictures' if fields.then == 'pictures' else ''}")


@get("/help/{article:int}")
async def show(request: Web, article: FromPath[int]) -> Response[str]:
    """Show an article as its readers see it, with its images and the buttons for what agents may do with it."""
    return await _show(request, article=article)


async def _show(request: Web, *, article: int, **again: Any) -> Response[str]:
    found = await Article.find(article)
    return await form_page(
        request, "agent/help/show.html", article=found, shown=await reading.as_written(found.id),
        pictures=await pictures.names_of(found), **again,
    )  # fmt: skip


@get("/help/{article:int}/edit")
async def edit(request: Web, article: FromPath[int]) -> Response[str]:
    """Show the form that changes an article."""
    return await _edit(request, article=article)


async def _edit(request: Web, *, article: int, **again: Any) -> Response[str]:
    found = await Article.find(article)
    return await form_page(
        request, "agent/help/form.html", facts=await found.facts(), article=found, audiences=AUDIENCES,
        **{"preview": "", **again},
    )  # fmt: skip


@post("/help/{article:int}/edit")
@on_refusal(_edit)
async def change(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    article: FromPath[int],
) -> Response[Any]:  # fmt: skip
    """Save a changed article, and redirect to the page of the article.

    If `then` is `preview`, save nothing, and show the preview of the typed text.
    """
    if form.get("then") == "preview":
        return await _preview(request, form, form.into(HelpForm), article=article)
    async with transaction(reader):
        found = await Article.find(article, hold=True)
        await found.change(edited(form, HelpForm, await found.facts()), at)
    return see_other(f"/agent/help/{article}")


async def _preview(request: Web, form: Form, fields: HelpForm, *, article: int | None = None) -> Response[str]:
    """Show the form again, and below it the typed text as readers would see it.

    Raise `Invalid` for a field that is not valid.
    """
    checked(fields)
    async with transaction(visit_of(request).reader, readonly=True):
        slug = (await Article.find(article)).slug if article else "new"
        html, typed = await html_of(fields.text, slug), form.typed
        if article:
            return await _edit(request, article=article, typed=typed, preview=html)
        return await _new(request, typed=typed, preview=html)


@post("/help/{article:int}/publication")
async def publish(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], article: FromPath[int]
) -> Response[Any]:
    """Publish an article for its audience, and redirect to the page of the article."""
    async with transaction(reader):
        await (await Article.find(article, hold=True)).publish(at)
    return see_other(f"/agent/help/{article}")


@post("/help/{article:int}/withdrawal")
async def withdraw(reader: NamedDependency[AgentReader], article: FromPath[int]) -> Response[Any]:
    """Make a published article a draft again, and redirect to the page of the article."""
    async with transaction(reader):
        await (await Article.find(article, hold=True)).withdraw()
    return see_other(f"/agent/help/{article}")


@post("/help/{article:int}/deletion")
@on_refusal(_show)
async def delete(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], article: FromPath[int]
) -> Response[Any]:
    """Delete a draft article with its images, and redirect to the list of articles."""
    async with transaction(reader):
        await (await Article.find(article, hold=True)).discard()
    return see_other("/agent/help")


@post("/help/{article:int}/pictures")
@on_refusal(_show)
async def add_picture(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    storage: NamedDependency[Storage], article: FromPath[int],
) -> Response[Any]:  # fmt: skip
    """Add an uploaded image to an article, for use in its text, and redirect to the images.

    Raise `Invalid` if there is no file, or if the file is not an image.
    """
    form.into(PictureForm)
    if not form.files:
        raise Invalid({"picture": "Choose a picture."})
    chosen = form.files[-1]  # The other files were sent with this form before, and refused.
    drawing = await pictures.draw_stored(chosen.key, storage)
    async with transaction(reader):
        await pictures.add(await Article.find(article, hold=True), chosen.name, drawing, at)
    for file in form.files:
        await draft_files.take_off(file.id, storage, by=reader)
    return see_other(f"/agent/help/{article}#pictures")


@post("/help/{article:int}/pictures/{name:str}/removal")
@on_refusal(_show)
async def remove_picture(
    request: Web, reader: NamedDependency[AgentReader], article: FromPath[int], name: FromPath[str]
) -> Response[Any]:
    """Delete an image that the text of its article does not use, and redirect to the images."""
    async with transaction(reader):
        await pictures.remove(await Article.find(article, hold=True), name)
    return see_other(f"/agent/help/{article}#pictures")


handlers: list[Any] = [
    show_list, new, add, show, edit, change, publish, withdraw, delete, add_picture, remove_picture,
]  # fmt: skip
