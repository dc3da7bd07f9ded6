"""Count what the navigation of the agents' area shows: open cases, own time that needs work, and approvals."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from portal.billing.deciding.waiting import counting_waiting
from portal.database.counting import Counting, count_all
from portal.desk import countings
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping.calendar.weeks import monday_of
from portal.timekeeping.lists import counting_overdue


async def counts_shown(
    reader: AgentReader, at: datetime, also: Mapping[str, Counting] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the counts that the navigation shows at the instant `at`, by view name, read by one query.

    Besides the counts of cases (`countings`), `time` counts the reader's own time entries that need work: rejected
    entries, entries with an open flag that the reader has not answered, and drafts from before this week. For managers,
    `approvals` counts the time entries that wait for their approval. `also` are further queries by view name, from
    packages that this package must not import.
    """
    week = monday_of(today(reader.time_zone, at))
    shown = countings(reader, at) | {"time": counting_overdue(reader.id, week)}
    approvals = {"approvals": counting_waiting(reader, at)} if reader.is_manager else {}
    return await count_all({**shown, **approvals, **also})
