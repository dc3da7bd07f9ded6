"""Serve the pages on which agents merge cases, split one, snooze one, share one inside its customer, redact one, and link cases with each other."""

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
