"""Read the appointments of a case together with the time that is logged on them (S1.11)."""

from typing import NamedTuple

from portal.database import current
from portal.desk.appointments import SHOWN, Planned, appointments_sql
from portal.people.readers import AgentReader


class WithTime(NamedTuple):
    """An appointment, and the minutes worked that are logged on it, without rejected entries."""

    planned: Planned
    logged: int


async def appointments_with_time(case_id: int, reader: AgentReader) -> list[WithTime]:
    """Return the appointments of a case in the order of `appointments_of`, each with the time logged on it."""
    logged = "select coalesce(sum(e.actual_minutes), 0)::int from time_entry e where e.appointment_id = p.id and e.state <> 'rejected'"
    sql = f"select p.*, ({logged}) as logged from ({appointments_sql(reader)}) as p"  # noqa: S608 (queries of ours)
    rows = await current().fetch(sql, case_id, False, SHOWN)
    return [WithTime(Planned.of_row(row), row["logged"]) for row in rows]
