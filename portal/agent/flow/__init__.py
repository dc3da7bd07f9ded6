"""Serve how agents work through cases: the place in a list, canned replies, sending and withdrawing, and presence."""

from typing import Any

from portal.agent.flow import canned, presence, sending

handlers: list[Any] = [*sending.handlers, *canned.handlers, *presence.handlers]
