"""Serve the appointments of cases and of the signed-in agent, and the lists of the time that is logged on each."""

from typing import Any

from portal.agent.appointments import listing, logged, planning

handlers: list[Any] = [*planning.handlers, *logged.handlers, *listing.handlers]
