"""Serve the set-up pages for custom fields of cases and their choices. Only admins may open them.

In this module, a field is a custom field of cases, and a choice is one of the values of a field of the kind `CHOICE`.
"""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import CaseType
from portal.desk.custom_fields import FieldKind
from portal.desk.custom_fields.choices import ChoiceName, FieldChoice, add_choices
from portal.desk.custom_fields.fields import CaseField, FieldFacts, NewField
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web

HERE = "/agent/setup/fields"
KINDS = [(kind.value, kind.word) for kind in FieldKind]


class Place(Struct, kw_only=True):
    """Form that moves the custom field with the id `field` directly above the custom field with the id `above`."""

    field: int
    above: int


@get("/setup/fields", guards=[admin_only])
async def fields(request: Web) -> Response[str]:
    """Show the custom fields of cases in their order, and the form that adds a field."""
    return await _fields(request)


async def _fields(request: Web, **again: Any) -> Response[str]:
    names = {one.id: one.name for one in await CaseType.listed()}
    return await form_page(
        request, "agent/setup/fields.html", fields=await CaseField.listed(), type_names=names, kinds=KINDS, **again
    )


@post("/setup/fields", guards=[admin_only])
@on_refusal(_fields)
async def add_field(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a custom field of cases, as the last in the list of fields, and redirect to the page of the new field."""
    async with transaction(reader):
        field = await CaseField.create(form.into(NewField))
    return see_other(f"{HERE}/{field.id}")


@post("/setup/fields/order", guards=[admin_only])
async def move_field(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Move a custom field directly above another custom field, and redirect to the list of fields."""
    place = form.into(Place)
    async with transaction(reader):
        await (await CaseField.find(place.field)).move_above(place.above)
    return see_other(HERE)


@get("/setup/fields/{field:int}", guards=[admin_only])
async def field(request: Web, field: FromPath[int]) -> Response[str]:
    """Show the form that changes a custom field of cases, and the choices of the field."""
    return await _field(request, field=field)


async def _field(
    request: Web, *, field: int, form: Form | None = None, typed: dict[str, Any] | None = None, **again: Any
) -> Response[str]:
    found = await CaseField.find(field)
    merged = typed.get("types") if typed else None
    ticked = merged if isinstance(merged, list) else form.all("types") if form else found.facts.types
    return await form_page(
        request, "agent/setup/field.html", facts=found.facts, field=found, is_used=await found.is_used(), kinds=KINDS,
        types=[(one.id, one.name) for one in await CaseType.listed() if not one.ended_at or str(one.id) in ticked],
        ticked=ticked, field_choices=await FieldChoice.listed(found.id), typed=typed, **again,
    )  # fmt: skip


@post("/setup/fields/{field:int}", guards=[admin_only])
@on_refusal(_field)
async def change_field(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], field: FromPath[int]
) -> Response[Any]:
    """Save the changed settings of a custom field, but not its choices, and redirect to the list of fields."""
    async with transaction(reader):
        found = await CaseField.find(field, hold=True)
        await found.change(edited(form, FieldFacts, found.facts))
    return see_other(HERE)


@post("/setup/fields/{field:int}/ending", guards=[admin_only])
async def end_field(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], field: FromPath[int]
) -> Response[Any]:
    """End a custom field, so that forms no longer offer it, and redirect to the list of fields.

    Cases keep their values in the field.
    """
    async with transaction(reader):
        await (await CaseField.find(field)).end(at)
    return see_other(HERE)


@post("/setup/fields/{field:int}/resumption", guards=[admin_only])
async def resume_field(reader: NamedDependency[AgentReader], field: FromPath[int]) -> Response[Any]:
    """Resume an ended custom field, so that forms offer it again, and redirect to the list of fields."""
    async with transaction(reader):
        await (await CaseField.find(field)).resume()
    return see_other(HERE)


@post("/setup/fields/{field:int}/deletion", guards=[admin_only])
@on_refusal(_field, Conflict)
async def delete_field(reader: NamedDependency[AgentReader], field: FromPath[int]) -> Response[Any]:
    """Delete a custom field, and redirect to the list of fields. Raise `Conflict` if a case has a value in the field."""
    async with transaction(reader):
        await (await CaseField.find(field, hold=True)).discard()
    return see_other(HERE)


@post("/setup/fields/{field:int}/choices", guards=[admin_only])
@on_refusal(_field)
async def add_choice(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], field: FromPath[int]
) -> Response[Any]:
    """Add a choice to a custom field, as the last of its choices, and redirect to the choices."""
    async with transaction(reader):
        found = await CaseField.find(field, hold=True)
        await add_choices(found.id, [form.into(NewChoice).choice], as_field="choice")
    return see_other(f"{HERE}/{field}#choices")


class NewChoice(Struct, kw_only=True):
    """Form that adds a choice to a custom field of cases. `choice` is the name of the new choice."""

    choice: str


@get("/setup/fields/{field:int}/choices/{choice:int}", guards=[admin_only])
async def choice(request: Web, field: FromPath[int], choice: FromPath[int]) -> Response[str]:
    """Show the forms that rename, end and delete a choice of a custom field."""
    return await _choice(request, field=field, choice=choice)


async def _choice(request: Web, *, field: int, choice: int, **again: Any) -> Response[str]:
    found = await FieldChoice.find(field, choice)
    return await form_page(
        request, "agent/setup/choice.html", facts=found.facts, field=await CaseField.find(field), choice=found, **again
    )


@post("/setup/fields/{field:int}/choices/{choice:int}", guards=[admin_only])
@on_refusal(_choice)
async def rename_choice(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], field: FromPath[int], choice: FromPath[int]
) -> Response[Any]:
    """Rename a choice of a custom field. Cases that have this choice show the new name."""
    async with transaction(reader):
        found = await FieldChoice.find(field, choice, hold=True)
        await found.rename(edited(form, ChoiceName, found.facts))
    return see_other(f"{HERE}/{field}#choices")


@post("/setup/fields/{field:int}/choices/{choice:int}/ending", guards=[admin_only])
async def end_choice(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], field: FromPath[int], choice: FromPath[int]
) -> Response[Any]:
    """End a choice of a custom field, so that forms no longer offer it. Cases that have the choice keep it."""
    async with transaction(reader):
        await (await FieldChoice.find(field, choice)).end(at)
    return see_other(f"{HERE}/{field}#choices")


@post("/setup/fields/{field:int}/choices/{choice:int}/resumption", guards=[admin_only])
async def resume_choice(
    reader: NamedDependency[AgentReader], field: FromPath[int], choice: FromPath[int]
) -> Response[Any]:
    """Resume an ended choice of a custom field, so that forms offer it again."""
    async with transaction(reader):
        await (await FieldChoice.find(field, choice)).resume()
    return see_other(f"{HERE}/{field}#choices")


@post("/setup/fields/{field:int}/choices/{choice:int}/deletion", guards=[admin_only])
@on_refusal(_choice, Conflict)
async def delete_choice(
    reader: NamedDependency[AgentReader], field: FromPath[int], choice: FromPath[int]
) -> Response[Any]:
    """Delete a choice of a custom field. Raise `Conflict` if a case has this choice."""
    async with transaction(reader):
        await (await FieldChoice.find(field, choice)).discard()
    return see_other(f"{HERE}/{field}#choices")


handlers: list[Any] = [
    fields, add_field, move_field, field, change_field, end_field, resume_field, delete_field, add_choice, choice, rename_choice,
    end_choice, resume_choice, delete_choice,
]  # fmt: skip
