"""Serve the appointments of cases, and the lists of the time that is logged on each."""

from typing import Any

from portal.agent.appointments import logged, planning

handlers: list[Any] = [*planning.handlers, *logged.handlers]
