"""Serve the pages on which agents merge cases, split one, snooze one, and link cases with each other."""

from typing import Any

from portal.agent.related import links, merging, snoozing, splitting

handlers: list[Any] = [*merging.handlers, *splitting.handlers, *links.handlers, *snoozing.handlers]
