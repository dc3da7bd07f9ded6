"""Add custom fields to the demo, and fill them in on open cases."""

import re
from collections.abc import Mapping
from datetime import datetime

from portal.desk.cases import Case
from portal.desk.custom_fields.choices import FieldChoice
from portal.desk.custom_fields.fields import CaseField, NewField
from portal.desk.custom_fields.offered import Value, offered
from portal.desk.custom_fields.values import change_values
from portal.desk.lists import agents_list
from portal.desk.lists.questions import Question
from portal.desk.workflow import Status
from portal.people.readers import AgentReader

FIELDS = (
    NewField(name="Device", kind="text"),
    NewField(name="Site", kind="choice", choices="Head office\nWarehouse\nHome office"),
    NewField(name="Manufacturer’s reference", kind="text", for_contacts="no"),
)
"""A text field and a choice field that customers see, and a text field for agents only."""
_DEVICE = re.compile(r"[A-Z]{2,4}-[0-9]{2}")


async def arrange(agents: Mapping[str, AgentReader], now: datetime) -> None:
    """Create the fields, and fill them in on two of three open cases, each at the time of the case's latest change."""
    ines = agents["Ines Okafor"]
    device, site, reference = [await CaseField.create(facts) for facts in FIELDS]
    sites, fields = await FieldChoice.listed(site.id), await offered(ines)
    rows = (await agents_list(ines, Question(at=now))).rows
    for place, row in enumerate(rows):
        if place % 3 == 2:
            continue
        named = _DEVICE.search(row.subject)
        values: dict[int, Value | None] = {
            device.id: named[0] if named else f"NB-{200 + row.number % 97:04}",
            site.id: sites[row.number % len(sites)].id,
        }
        if row.status is Status.WAITING_FOR_OTHERS:
            values[reference.id] = f"SR {row.number % 7 + 1}-{118_000 + row.number}"
        case = await Case.find(row.number, ines)
        await change_values(case, fields, values, by=ines, at=case.updated_at)
