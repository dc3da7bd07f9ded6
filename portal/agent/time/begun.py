"""Fill in the form for logging time from the saved draft, the query string, and a timer or appointment."""

from zoneinfo import ZoneInfo

from portal.agent.time.form import Logged
from portal.desk.appointments import planned_appointment
from portal.durations import spoken
from portal.numbers import number_in
from portal.people.agents import Agent
from portal.people.readers import AgentReader
from portal.timekeeping.clock.lines import find_line
from portal.timekeeping.policy.picks import offered_to
from portal.web import drafts
from portal.web.visit import Web, visit_of

HERE = "/agent/time/new"


async def begun(request: Web, reader: AgentReader) -> dict[str, str]:
    """Return the values that the form for logging time shows at first: the saved draft, overridden by the query string.

    With `?timer=` or `?appointment=`, the values of that timer or appointment replace the values of the query string.
    The draft is ignored if it is for another case, project, service, kind of general time, timer or appointment than
    the query string.
    """
    asked = {name: value for name, value in request.query_params.items() if name in Logged.__struct_fields__}
    kept = (await drafts.kept(reader, HERE))[HERE]
    if timer := number_in(asked.get("timer")):
        asked = await of_timer(request, reader, timer, on=asked.get("on", ""))
    elif appointment := number_in(asked.get("appointment")):
        asked = await of_appointment(request, reader, appointment)
    if any(kept.get(name, "") != asked.get(name, "") for name in ("timer", "appointment")):
        return asked
    return kept | asked if asked.get("on") in (None, kept.get("on")) else asked


async def of_appointment(request: Web, reader: AgentReader, appointment: int) -> dict[str, str]:
    """Return the values of the form for the time of an appointment: its case, its day, and its planned length (S1.11).

    The agent of the appointment is preselected if the reader may log time for that agent; if not, the reader is
    preselected. The clock times are in the time zone of the preselected agent, because the sent form is read in that
    time zone. Raise `NotFound` if there is no such appointment.
    """
    planned, number = await planned_appointment(appointment, reader)
    offered = [one.id for one in await offered_to(reader, visit_of(request).rules)]
    worked_by = await Agent.find(planned.agent_id) if planned.agent_id in offered else reader
    zone = ZoneInfo(worked_by.time_zone)
    begins, ends = (instant.astimezone(zone) for instant in (planned.starts_at, planned.ends_at))
    return {
        "appointment": str(planned.id), "on": f"case-{number}", "duration": spoken(planned.minutes), "work_date": begins.date().isoformat(),
        "began": f"{begins:%H:%M}", "ended": f"{ends:%H:%M}", "description": planned.note,
    } | ({"agent": str(worked_by.id)} if offered else {})  # fmt: skip


async def of_timer(request: Web, reader: AgentReader, timer: int, *, on: str = "") -> dict[str, str]:
    """Return the values of the form for the reader's timer with the id `timer`.

    If the timer is not attached to anything, the form gets `on`: the id of the case, project or service on whose page
    the timer was stopped. Raise `NotFound` if the reader has no such timer.
    """
    line, at = await find_line(timer, reader), visit_of(request).at
    began, ended = line.clock_times(at, reader.zone)
    values = {
        "timer": str(line.id), "on": line.on or on, "duration": spoken(line.minutes(at)), "began": began, "ended": ended,
        "work_date": line.work_date(reader.zone).isoformat(), "description": line.note,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value}
