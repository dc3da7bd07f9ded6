"""Serve the pages of absences: of one's own, handing over cases, and for admins every agent's hours and cost rates."""

from typing import Any

from portal.agent.working import absences, handovers, of_agent

handlers: list[Any] = [*absences.handlers, *handovers.handlers, *of_agent.handlers]
