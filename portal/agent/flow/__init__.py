"""Send and withdraw replies, offer canned replies, show who else works on a case, and keep the place in a list."""

from typing import Any

from portal.agent.flow import canned, presence, sending

handlers: list[Any] = [*sending.handlers, *canned.handlers, *presence.handlers]
