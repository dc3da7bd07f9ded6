"""Serve the pages of absences: an agent's own, handing over cases, and for admins the hours and costs of agents."""

from typing import Any

from portal.agent.working import absences, handovers, of_agent

handlers: list[Any] = [*absences.handlers, *handovers.handlers, *of_agent.handlers]
