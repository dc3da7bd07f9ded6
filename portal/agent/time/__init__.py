"""Serve the agents' pages for time: the agent's own entries, the entries of a case, and the forms for one entry."""

from typing import Any

from portal.agent.time import entry, left, log, on_case, own

handlers: list[Any] = [*on_case.handlers, *own.handlers, *log.handlers, *left.handlers, *entry.handlers]
