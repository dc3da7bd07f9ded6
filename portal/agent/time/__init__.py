"""The agents' pages for time: one's own list, one case's, and single entries."""

from typing import Any

from portal.agent.time import entry, left, log, on_case, own

handlers: list[Any] = [*on_case.handlers, *own.handlers, *log.handlers, *left.handlers, *entry.handlers]
