"""Serve the pages that show what work is worth: the invoicing potential of unbilled time, and revenue and profit."""

from typing import Any

from portal.agent.earnings import potential, revenue

time_handlers: list[Any] = potential.handlers
handlers: list[Any] = revenue.handlers
