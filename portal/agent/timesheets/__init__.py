"""Serve reports to managers: timesheets and their files, the work of agents, costs of projects, deleted entries."""

from typing import Any

from portal.agent.timesheets import deciding, deleted, exporting, performance, project_costs, showing

handlers: list[Any] = [
    *showing.handlers,
    *deciding.handlers,
    *exporting.handlers,
    *performance.handlers,
    *project_costs.handlers,
    *deleted.handlers,
]
