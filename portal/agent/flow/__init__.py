"""What agents work through cases with: the place in a list, canned replies, sending and taking back, and presence."""

from typing import Any

from portal.agent.flow import canned, presence, sending

handlers: list[Any] = [*sending.handlers, *canned.handlers, *presence.handlers]
