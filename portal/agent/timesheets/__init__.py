"""Serve the timesheets of managers: the entries of a range of days, decisions on them, and files for other programs."""

from typing import Any

from portal.agent.timesheets import deciding, exporting, showing

handlers: list[Any] = [*showing.handlers, *deciding.handlers, *exporting.handlers]
