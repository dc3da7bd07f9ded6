"""Serve the reports of managers: timesheets with decisions and files, figures on the work of agents, costs of projects."""

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
