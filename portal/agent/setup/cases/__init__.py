"""Serve the set-up pages of cases: dispatch, custom fields, priorities, tags and the workflow. Only admins may open them."""

from typing import Any

from portal.agent.setup.cases import dispatch, fields, priorities, tags, workflow

handlers: list[Any] = [*dispatch.handlers, *fields.handlers, *priorities.handlers, *tags.handlers, *workflow.handlers]
