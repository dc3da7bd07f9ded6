"""Serve the forms that change the values of a case's custom fields."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.flow.places import place_of
from portal.agent.pages import agent_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.custom_fields.offered import OfferedField, Value, offered, refuse_withdrawn, typed_in, with_fields
from portal.desk.custom_fields.values import change_values, values_of
from portal.errors import NotFound
from portal.fields import Checked
from portal.people.readers import AgentReader
from portal.web.edits import as_seen, edited
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of


class Fields(Struct, kw_only=True):
    """Form for the custom fields of a case. `with_fields` derives a class with a form field for each custom field."""


@get("/cases/{number:str}/fields")
async def show_fields(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the form that changes the values of a case's custom fields."""
    return await _fields(request, number=number)


async def _fields(
    request: Web, *, number: str, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    fields = await offered(reader, case_id=details.case.id, case_type_id=details.case.case_type_id)
    stored = _stored(fields, await values_of(details.case.id), reader)
    return await agent_page(
        request, reader, "agent/cases/custom_fields.html", details=details, fields=fields,
        names={field.key: field.name for field in fields}, seen=as_seen(stored),
        shown={field.key: getattr(stored, field.key) for field in fields}, typed=typed or {}, errors=errors or {},
    )  # fmt: skip


def _stored(fields: Sequence[OfferedField], values: Mapping[int, Value], reader: AgentReader) -> Struct:
    """Return the form filled with the stored `values` (by field id), written in the reader's locale."""
    typed = {field.key: field.typed(values.get(field.id), reader.locale) for field in fields}
    form: Struct = with_fields(Fields, fields)(**typed)
    return form


@get("/cases/{number:str}/fields/{field:int}")
async def show_field(
    request: Web, reader: NamedDependency[AgentReader], number: FromPath[str], field: FromPath[int]
) -> Response[str]:
    """Serve the form that changes the value of one custom field of a case.

    The case page requests this form when the agent opens the menu beside the value. Raise `NotFound` if the case does
    not have this custom field.
    """
    case = await Case.find(number, reader)
    fields = await offered(reader, case_id=case.id, case_type_id=case.case_type_id)
    chosen = [one for one in fields if one.id == field]
    if not chosen:
        raise NotFound
    stored = _stored(chosen, await values_of(case.id), reader)
    return page(
        request, "agent/cases/custom_field.html", case=case, field=chosen[0], seen=as_seen(stored),
        value=getattr(stored, chosen[0].key), query=f"?{request.url.query}" if request.url.query else "",
    )  # fmt: skip


@post("/cases/{number:str}/fields")
@on_refusal(_fields)
async def change_fields(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Save the changed values of a case's custom fields, log each change in the case, and redirect to the case.

    A custom field that the form does not have keeps its value. Raise `Invalid` if the form has a custom field that was
    withdrawn since the form was shown.
    """
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True, itself=True)
        found = await offered(reader, case_id=case.id, case_type_id=case.case_type_id)
        refuse_withdrawn(form.fields, found)
        fields = [one for one in found if one.key in form.fields]
        sent = edited(form, with_fields(Fields, fields), _stored(fields, await values_of(case.id), reader))
        typed, checked = typed_in(sent, fields), Checked()
        values = {
            field.id: checked(field.key, partial(field.read, locale=reader.locale), typed[field.id]) for field in fields
        }
        checked.done()
        await change_values(case, fields, values, by=reader, at=at)
    return see_other(place_of(request, number))


handlers: list[Any] = [show_fields, show_field, change_fields]
