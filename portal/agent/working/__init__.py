"""Serve the pages for agents' own absences, and for admins those for every agent's hours, absences and cost rates."""

from typing import Any

from portal.agent.working import absences, of_agent

handlers: list[Any] = [*absences.handlers, *of_agent.handlers]
