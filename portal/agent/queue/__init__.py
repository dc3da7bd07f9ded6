"""Serve saved views, filters and the CSV file of the list of cases, changes of many cases at once, tags, and logs."""

from typing import Any

from portal.agent.queue import bulk, exporting, filters, log, own_views, tags

handlers: list[Any] = [
    *filters.handlers,
    *own_views.handlers,
    *bulk.handlers,
    *exporting.handlers,
    *tags.handlers,
    *log.handlers,
]
