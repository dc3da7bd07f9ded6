"""Serve the agents' pages for time: the lists of an agent's, a case's and a task's time entries, and the forms."""

from typing import Any

from portal.agent.time import day, entry, flagged, forgotten, left, log, of_work, own, row, week

handlers: list[Any] = [
    *of_work.handlers, *own.handlers, *log.handlers, *left.handlers, *forgotten.handlers,
    *entry.handlers, *flagged.handlers, *row.handlers, *week.handlers, *day.handlers,
]  # fmt: skip
