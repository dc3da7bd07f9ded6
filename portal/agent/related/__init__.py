"""Serve the pages on which agents merge, split, link, snooze, share and redact cases."""

from typing import Any

from portal.agent.related import links, merging, redacting, sharing, snoozing, splitting

handlers: list[Any] = [
    *merging.handlers,
    *splitting.handlers,
    *links.handlers,
    *snoozing.handlers,
    *sharing.handlers,
    *redacting.handlers,
]
