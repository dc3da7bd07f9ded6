"""Serve the agents' pages for time: the own entries, those of a case or task, and the forms for one entry."""

from typing import Any

from portal.agent.time import day, entry, flagged, forgotten, left, log, of_work, own, row, week

handlers: list[Any] = [
    *of_work.handlers, *own.handlers, *log.handlers, *left.handlers, *forgotten.handlers,
    *entry.handlers, *flagged.handlers, *row.handlers, *week.handlers, *day.handlers,
]  # fmt: skip
