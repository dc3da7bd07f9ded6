"""Read the appointments of a case or of an agent together with the time that is logged on them (S1.11)."""

from typing import NamedTuple

from portal.database import current
from portal.desk.appointments import OPEN, SHOWN, Planned, appointments_sql
from portal.people.readers import AgentReader

PAGE = 50
"""The maximum number of appointments on one page of a list."""
_LOGGED = """
(select coalesce(sum(t.minutes), 0)::bigint from time_sum t where t.scope = 'appointment' and t.subject_id = p.id and t.state <> 'rejected')
"""


class WithTime(NamedTuple):
    """An appointment. `logged` are the minutes worked in its time entries, without rejected entries."""

    planned: Planned
    logged: int


class ListedAppointment(NamedTuple):
    """An appointment, with the number and subject of its case and the name of the customer.

    `logged` are the minutes worked in the appointment's time entries, without rejected entries.
    """

    planned: Planned
    logged: int
    number: int
    subject: str
    customer: str


class AppointmentPage(NamedTuple):
    """One page of appointments. `next` is the cursor of the next page, or None on the last one."""

    rows: list[ListedAppointment]
    next: int | None


async def appointments_with_time(case_id: int, reader: AgentReader) -> list[WithTime]:
    """Return the first `SHOWN` appointments of a case, in the order of `appointments_of`, each with its logged time."""
    sql = f"select p.*, {_LOGGED} as logged from ({appointments_sql(reader)}) as p"  # noqa: S608 (our own queries)
    rows = await current().fetch(sql, case_id, False, SHOWN)
    return [WithTime(Planned.of_row(row), row["logged"]) for row in rows]


async def list_appointments(
    *, agent_id: int | None = None, case_id: int | None = None, past: bool = False, after: int | None = None
) -> AppointmentPage:
    """Return one page of the planned appointments of an agent or of a case, the earliest first.

    Pass exactly one of `agent_id` and `case_id`. With `past`, return instead the appointments that took place or were
    cancelled, the latest first. `after` is the cursor: the id of the last appointment on the previous page.
    """
    beyond, order = ("<", "desc") if past else (">", "asc")
    sql = f"""
select p.*, a.name as agent, c.number, c.subject, u.name as customer, {_LOGGED} as logged
from appointment p join agent a on a.id = p.agent_id join cases c on c.id = p.case_id join customer u on u.id = p.customer_id
where {"p.case_id" if case_id else "p.agent_id"} = $1 and {"not " if past else ""}({OPEN})
  and ($2::bigint is null or (p.starts_at, p.id) {beyond} (select starts_at, id from appointment where id = $2))
order by p.starts_at {order}, p.id {order} limit $3
"""  # noqa: S608
    rows = await current().fetch(sql, case_id or agent_id, after, PAGE + 1)
    found = [
        ListedAppointment(Planned.of_row(row), row["logged"], row["number"], row["subject"], row["customer"])
        for row in rows[:PAGE]
    ]
    return AppointmentPage(found, found[-1].planned.id if len(rows) > PAGE else None)
