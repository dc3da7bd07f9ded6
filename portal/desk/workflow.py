"""Where a case stands and how urgent it is: the words for it, and which status may follow which."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Status(StrEnum):
    """Where a case stands. `word` is for agents, `customer_word` for contacts."""

    NEW = "new"
    OPEN = "open"
    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    WAITING_FOR_OTHERS = "waiting_for_others"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def word(self) -> str:
        return self.value.replace("_", " ").capitalize()

    @property
    def customer_word(self) -> str:
        """The same from the customer's side."""
        return "Waiting for you" if self is Status.WAITING_FOR_CUSTOMER else self.word

    @property
    def is_done(self) -> bool:
        """Resolved or closed: nobody has to do anything."""
        return self in (Status.RESOLVED, Status.CLOSED)


class Priority(IntEnum):
    """How urgent a case is; the database sorts by the number."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4

    @property
    def word(self) -> str:
        return self.name.capitalize()


SETTABLE = tuple(status for status in Status if status is not Status.NEW)
"""What an agent may set: a case is new only until somebody does something about it."""


def after_reply(status: Status, *, by_agent: bool, then: Status | None) -> Status:
    """The status that follows a reply.

    An agent's opens a new case and may set a status with it (`then`). A contact's opens whatever waited for an answer or was thought done;
    what waits for others goes on waiting for them.
    """
    if by_agent:
        return then or (Status.OPEN if status is Status.NEW else status)
    if status is Status.WAITING_FOR_CUSTOMER or status.is_done:
        return Status.OPEN
    return status


def columns_of(status: Status, resolved_at: datetime | None, at: datetime) -> dict[str, Any]:
    """The columns of a case that comes into `status` at this instant; a closed case keeps the instant at which it was resolved."""
    return {
        "status": status.value,
        "resolved_at": (resolved_at or at) if status.is_done else None,
        "closed_at": at if status is Status.CLOSED else None,
    }
