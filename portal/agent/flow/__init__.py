"""Send and withdraw replies, offer canned replies, show who else is on a case, and keep the place in a case list."""

from typing import Any

from portal.agent.flow import canned, presence, sending

handlers: list[Any] = [*sending.handlers, *canned.handlers, *presence.handlers]
