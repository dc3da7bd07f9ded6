"""Serve the appointments of cases and of the signed-in agent, and the time that was logged on each appointment."""

from typing import Any

from portal.agent.appointments import listing, logged, planning

handlers: list[Any] = [*planning.handlers, *logged.handlers, *listing.handlers]
