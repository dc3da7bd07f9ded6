"""Say until when the agents whom a type-ahead field suggests are away."""

from collections.abc import Sequence
from typing import Any

from portal.people.working.absences import Absence
from portal.periods import today
from portal.render.formats import day, reading
from portal.web.finding import Suggestion
from portal.web.visit import Web, visit_of


async def with_absences(request: Web, rows: Sequence[Suggestion]) -> list[Suggestion]:
    """Return the suggestions `rows`, which are agents. For an agent who is away today, the text says until when."""
    visit = visit_of(request)
    reader: Any = visit.reader
    away = await Absence.away(today(reader.time_zone, visit.at), [row.id for row in rows])
    with reading(reader, None, visit.at):
        until = {one.id: f"away until {day(one.away_until)}" for one in away}
    return [row._replace(about=until.get(row.id, row.about)) for row in rows]
