"""Define the statuses and priorities of cases, the words for them, and which status follows which."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Status(StrEnum):
    """List the statuses of a case. `word` is the name that agents read, `customer_word` the one that contacts read."""

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
        """Return the status in words that address the customer."""
        return "Waiting for you" if self is Status.WAITING_FOR_CUSTOMER else self.word

    @property
    def is_done(self) -> bool:
        """Return whether the case is resolved or closed, so that nobody has to do anything."""
        return self in (Status.RESOLVED, Status.CLOSED)


class Priority(IntEnum):
    """List the priorities of a case. The database sorts by the number."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4

    @property
    def word(self) -> str:
        return self.name.capitalize()


SETTABLE = tuple(status for status in Status if status is not Status.NEW)
"""The statuses that an agent may set. A case is new only until somebody does something about it."""


def after_reply(status: Status, *, by_agent: bool, then: Status | None) -> Status:
    """Return the status of a case after a reply.

    An agent's reply opens a new case, unless `then` names the status that the agent has chosen. A contact's reply
    opens a case that waited for the customer, was resolved or was closed; a case that waits for others keeps its
    status.
    """
    if by_agent:
        return then or (Status.OPEN if status is Status.NEW else status)
    if status is Status.WAITING_FOR_CUSTOMER or status.is_done:
        return Status.OPEN
    return status


def columns_of(status: Status, resolved_at: datetime | None, at: datetime) -> dict[str, Any]:
    """Return the columns to update when a case gets `status` at the instant `at`.

    Closing a resolved case keeps the instant at which it was resolved.
    """
    return {
        "status": status.value,
        "resolved_at": (resolved_at or at) if status.is_done else None,
        "closed_at": at if status is Status.CLOSED else None,
    }
