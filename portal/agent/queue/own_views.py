"""Serve the saved views of the list of cases: save, rename, share, delete and restore a view."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import rail
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Question
from portal.desk.lists.filters import filters_of
from portal.desk.lists.own_views import MOST, SHOWN, OwnView, ViewFacts, count_own, question_of
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/cases/views"


@get("/cases/views")
async def own_views(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show all saved views that the agent may use.

    If `?gone=` is the id of a view that was just deleted, show a message with a button that restores this view.
    """
    gone = number_in(request.query_params.get("gone"))
    toast = {"words": "View deleted.", "undo": f"{HERE}/{gone}/restoration"} if gone else None
    views = await OwnView.listed(reader)
    return await form_page(request, "agent/queue/own_views.html", views=views, most=MOST, toast=toast)


@get("/cases/views/counts")
async def count_views(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]
) -> Response[str]:
    """Serve the saved views of the navigation with their counts. A page requests this fragment once it has loaded."""
    own = (await rail(reader, at)).own[:SHOWN]
    counts = await count_own(own, reader, at)
    open_own = number_in(request.query_params.get("open"))
    return page(request, "agent/_own_views.html", own=own, own_counts=counts, open_own=open_own)


@get("/cases/views/new")
async def new_view(request: Web) -> Response[str]:
    """Show the form that saves the view and filters of the URL under a name."""
    return await _new_view(request)


async def _new_view(request: Web, *, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    query = (typed or {}).get("query") or Question.read(request.query_params.multi_items()).address(own=None)
    return await form_page(request, "agent/queue/new_view.html", query=query, typed=typed, **again)


@post("/cases/views/new")
@on_refusal(_new_view)
async def save_view(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Save a view, and redirect to the list of cases in this view."""
    async with transaction(reader):
        view = await OwnView.save_new(form.into(ViewFacts), by=reader, at=at)
    return see_other(f"/agent/cases{view.query}&own={view.id}")


@get("/cases/views/{view:int}")
async def own_view(request: Web, view: FromPath[int]) -> Response[str]:
    """Show the form that renames and shares a view.

    If the URL has other filters than the view, the agent can choose in the form to save these filters in the view.
    """
    return await _own_view(request, view=view)


async def _own_view(request: Web, *, view: int, **again: Any) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    found = await OwnView.find(view, reader)
    shown = Question.read(request.query_params.multi_items()).address(own=None)
    asked = shown if "view" in request.query_params else found.query
    return await form_page(
        request, "agent/queue/own_view.html", facts=found.facts, view=found, may_change=found.may_be_changed(reader),
        asked=asked, chips=(await filters_of(question_of(found.query, visit.at), reader)).chips, **again,
    )  # fmt: skip


@post("/cases/views/{view:int}")
@on_refusal(_own_view)
async def change_view(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], view: FromPath[int]
) -> Response[Any]:
    """Save the new name, sharing and filters of a view, and redirect to the list of cases in this view."""
    async with transaction(reader):
        found = await OwnView.find(view, reader, hold=True)
        await found.change(edited(form, ViewFacts, found.facts), by=reader)
        found = await OwnView.find(view, reader)
    return see_other(f"/agent/cases{found.query}&own={view}")


@post("/cases/views/{view:int}/deletion")
async def delete_view(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], view: FromPath[int]
) -> Response[Any]:
    """Delete a view, and redirect to the list of views, which shows a button that restores the view."""
    async with transaction(reader):
        await (await OwnView.find(view, reader, with_deleted=True, hold=True)).discard(by=reader, at=at)
    return see_other(f"{HERE}?gone={view}")


@post("/cases/views/{view:int}/restoration")
async def restore_view(reader: NamedDependency[AgentReader], view: FromPath[int]) -> Response[Any]:
    """Restore a deleted saved view, and redirect to the list of views."""
    async with transaction(reader):
        await (await OwnView.find(view, reader, with_deleted=True, hold=True)).restore(by=reader)
    return see_other(HERE)


handlers: list[Any] = [own_views, count_views, new_view, save_view, own_view, change_view, delete_view, restore_view]
