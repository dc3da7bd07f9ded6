"""Serve the pages about when agents work: own absences for every agent; hours, absences and costs of all for admins."""

from typing import Any

from portal.agent.working import absences, of_agent

handlers: list[Any] = [*absences.handlers, *of_agent.handlers]
