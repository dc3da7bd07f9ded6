"""Serve the pages of absences, of handovers of cases and, for admins, of the working hours and cost rates of agents."""

from typing import Any

from portal.agent.working import absences, handovers, of_agent

handlers: list[Any] = [*absences.handlers, *handovers.handlers, *of_agent.handlers]
