"""Serve the set-up pages for deadlines: business hours, days off, and targets. Only admins may open them."""

from typing import Any

from portal.agent.setup.deadlines import hours, show, targets

handlers: list[Any] = [*show.handlers, *hours.handlers, *targets.handlers]
