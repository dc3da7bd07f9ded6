"""Serve the change of many cases at once: a page with what will change, the progress, the report, and the undoing."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Question
from portal.desk.bulk.changes import BulkChange
from portal.desk.bulk.running import carry_out
from portal.desk.bulk.verbs import CHOOSE, NOBODY, Verb, settable, words_of
from portal.desk.tagging.tags import TAGS, Tag
from portal.desk.workflow import priorities
from portal.errors import Invalid
from portal.numbers import number_in, uuid_in
from portal.people.agents import AGENTS, COLLEAGUES, Agent
from portal.people.departments import Department
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.render.formats import plural
from portal.web.finding import picked
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of, wants_fragment

HERE = "/agent/cases/changes"
NOBODY_CHOSEN = "nobody"
"""The value that the form sends if *Nobody* is chosen: the cases become unassigned. "" means that nothing is chosen."""

HANDS_OVER = (Verb.ASSIGN, Verb.DISPATCH)
"""The kinds of change after which the report says how many cases each agent got."""


class Ticked(Struct, kw_only=True):
    """Form of the list of cases: the numbers of the ticked cases.

    `all` is "yes" for all cases that match the filters. `verb` is a value of `Verb` if the clicked button begins a
    change of many cases, and "" if the button does something else.
    """

    case: list[str]
    all: str = ""
    verb: str = ""


class Value(Struct, kw_only=True):
    """Form that carries out a change of many cases.

    `value` is the new value of every case: an id or a priority. `value_typed` is the text in a search field: the name
    of a tag, or the name of an agent if there are too many agents for a list. `nobody` is True if the agent chose,
    beside the search field, that the cases become unassigned.
    """

    value: str = ""
    value_typed: str = ""
    nobody: bool = False


@post("/cases/changes", opt={FORM_PAGE: "/agent/cases"})
async def choose_cases(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Prepare a change of the ticked cases, or of all that match the filters, and redirect to the page of the change.

    Raise `Invalid` if the form does not name what is to be changed.
    """
    ticked = form.into(Ticked)
    if ticked.verb not in (Verb.ASSIGN, Verb.DEPARTMENT, Verb.STATUS, Verb.PRIORITY, Verb.TAG, Verb.UNTAG):
        raise Invalid({"": "Choose what is to be changed."})
    return await prepare(request, reader, Verb(ticked.verb), None if ticked.all else ticked.case, at)


async def prepare(
    request: Web, reader: AgentReader, verb: Verb, numbers: list[str] | None, at: datetime
) -> Response[Any]:
    """Prepare a change of cases, and redirect to the page that asks for the new value.

    `numbers` are the numbers of the cases, None for all cases that match the filters in the URL.
    """
    question = Question.read(request.query_params.multi_items()).asked_at(at)
    async with transaction(reader):
        change = await BulkChange.prepare(verb, question, numbers, by=reader, at=at)
    return see_other(f"{HERE}/{change.id}")


@get("/cases/changes/{change:uuid}")
async def show_change(request: Web, change: FromPath[uuid.UUID]) -> Response[str]:
    """Show what a change will do or, once it has begun, its progress and the cases that it could not change."""
    return await _show(request, change=change)


FOUND = {Verb.ASSIGN: {"value": AGENTS}, Verb.UNTAG: {"value": TAGS}}
"""The search fields of the form, by what the form changes."""


async def _show(request: Web, *, change: uuid.UUID, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    found = await BulkChange.find(change, reader)
    refused, following = await found.refused(number_in(request.query_params.get("after")) or 0)
    shown: dict[str, Any] = {
        "change": found, "progress": await found.progress(), "refused": refused, "following": following,
        "words": await words_of(found.does, [found.value]) if found.value is not None else {},
    }  # fmt: skip
    if found.begun_at and found.does in HANDS_OVER:
        shown["outcome"] = await found.outcome()
    if wants_fragment(request):
        return page(request, "agent/queue/_change.html", **shown)
    if not found.begun_at:
        shown |= {"options": await _options(found.does), "groups": await found.groups()}
        shown["planned"] = await found.planned() if found.value is not None else []
    return await form_page(request, "agent/queue/change.html", finders=FOUND.get(found.does, {}), **shown, **again)


async def _options(verb: Verb) -> list[tuple[Any, str]] | None:
    """Return the values that the form offers, each with its label; an empty list for tags, whose names are typed.

    Return None if there are too many agents for a list.
    """
    if verb.is_of_tags:
        return []
    if verb is Verb.STATUS:
        return [(status.id, status.name) for status in await settable()]
    if verb is Verb.DEPARTMENT:
        return list(await Department.choices())
    if verb is Verb.PRIORITY:
        return list(await priorities.choices())
    agents = await Agent.selectable()
    return None if agents is None else [(NOBODY_CHOSEN, "Nobody"), *choices(agents)]


@post("/cases/changes/{change:uuid}/beginning")
@on_refusal(_show)
async def begin_change(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    change: FromPath[uuid.UUID],
) -> Response[Any]:  # fmt: skip
    """Begin a change of cases, and redirect as `_carried_out` does.

    If the change takes longer than a moment, a job changes the remaining cases.
    """
    async with transaction(reader):
        found = await BulkChange.find(change, reader, hold=True)
        await found.begin(await _value(found, form, at), at)
    return await _carried_out(found, reader, at)


async def _value(change: BulkChange, form: Form, at: datetime) -> str:
    """Return the new value that the form chooses, as text.

    Return `NOBODY` if the form chooses nobody, or if the change is a dispatch. For a tag, return the id of the tag with
    the typed name; if a tag to add does not exist, create the tag. Raise `Invalid` if no value is chosen. If no tag to
    remove is chosen, return "" instead, which `BulkChange.begin` refuses.
    """
    fields = form.into(Value)
    if change.does is Verb.TAG:
        return str((await Tag.named(fields.value_typed, at, field="value")).id)
    if change.does is Verb.UNTAG:
        return str(await picked(form, "value", TAGS) or "")
    if change.does is Verb.DISPATCH or fields.nobody or fields.value == NOBODY_CHOSEN:
        return NOBODY  # For a dispatch, the rules choose the agents.
    value = str(await picked(form, "value", COLLEAGUES) or "") if "value_typed" in form.fields else fields.value
    if not value:
        raise Invalid(CHOOSE)
    return value


@post("/cases/changes/{change:uuid}/undoing")
async def undo_change(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], change: FromPath[uuid.UUID]
) -> Response[Any]:
    """Undo a change: begin another change that restores the former values, and redirect as `_carried_out` does.

    Cases that somebody has changed in the meantime stay as they are.
    """
    async with transaction(reader):
        found = await BulkChange.find(change, reader, hold=True)
        undoing = await BulkChange.find(await found.undo(by=reader, at=at), reader)
    return await _carried_out(undoing, reader, at)


async def _carried_out(change: BulkChange, reader: AgentReader, at: datetime) -> Response[Any]:
    """Carry out a change, and redirect to the list of cases.

    If a job has to change the remaining cases, or if some cases could not be changed, redirect to the page of the
    change instead.
    """
    is_finished = await carry_out(change.id, by=reader, at=at)
    async with transaction(reader, readonly=True):
        progress = await change.progress()
    if is_finished and not progress.refused:
        return see_other(f"/agent/cases{change.query}&changed={change.id}")
    return see_other(f"{HERE}/{change.id}")


async def toast_of_change(request: Web, reader: AgentReader) -> dict[str, str] | None:
    """Return the message about the change with the id `?changed=`, or None if the reader has no such change."""
    change_id = uuid_in(request.query_params.get("changed"))
    change = await BulkChange.known(change_id, reader) if change_id else None
    if change is None:
        return None
    progress = await change.progress()
    count, verb = plural(progress.changed, "case"), change.does.done
    same = f" {progress.same} had it already." if progress.same else ""
    if not progress.changed:
        return {"words": f"Nothing changed.{same}"}
    if change.undoes:
        return {"words": f"Undone for {count}."}
    if change.does in HANDS_OVER:
        verb += f": {', '.join(f'{group.count} to {group.words}' for group in await change.outcome())}"
    return {"words": f"{count} {verb}.{same}", "undo": f"{HERE}/{change.id}/undoing"}


handlers: list[Any] = [choose_cases, show_change, begin_change, undo_change]
