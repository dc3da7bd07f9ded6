"""Fill in the form for logging time: from its draft, from the query string, and from a timer that was stopped."""

from portal.agent.time.form import Logged
from portal.durations import spoken
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.timekeeping.clock.lines import find_line
from portal.web import drafts
from portal.web.visit import Web, visit_of

HERE = "/agent/time/new"


async def begun(request: Web, reader: AgentReader) -> dict[str, str]:
    """Return the values that the form shows at first: the saved draft, overridden by the query string.

    With `?timer=`, the timer's values come on top. The draft is left out if it was begun for another case, project,
    service, kind or timer than the query string names.
    """
    asked = {name: value for name, value in request.query_params.items() if name in Logged.__struct_fields__}
    kept = (await drafts.kept(reader, HERE))[HERE]
    if timer := number_in(asked.get("timer")):
        asked = await of_timer(request, reader, timer, on=asked.get("on", ""))
    if kept.get("timer", "") != asked.get("timer", ""):
        return asked
    return kept | asked if asked.get("on") in (None, kept.get("on")) else asked


async def of_timer(request: Web, reader: AgentReader, timer: int, *, on: str = "") -> dict[str, str]:
    """Return the values of the form for the reader's timer `timer`.

    `on` is what the page shows on which the timer was stopped; it is taken if the timer is not attached to anything.
    Raise `NotFound` if the reader has no such timer.
    """
    line, at = await find_line(timer, reader), visit_of(request).at
    began, ended = line.clock_times(at, reader.zone)
    values = {
        "timer": str(line.id), "on": line.on or on, "duration": spoken(line.minutes(at)), "began": began, "ended": ended,
        "work_date": line.work_date(reader.zone).isoformat(), "description": line.note,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value}
