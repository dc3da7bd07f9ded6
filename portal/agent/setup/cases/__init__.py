"""Serve the set-up pages for what happens to cases, such as dispatch. Only admins may open them."""

from typing import Any

from portal.agent.setup.cases import dispatch, workflow

handlers: list[Any] = [*dispatch.handlers, *workflow.handlers]
