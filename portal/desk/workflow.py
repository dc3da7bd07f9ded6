"""The statuses and priorities of cases, their names for people, and the status that follows from a reply."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Status(StrEnum):
    """The statuses of a case. `word` is the name that agents read, `customer_word` the name that contacts read."""

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
        """Return the name of the status for contacts. "Waiting for customer" is "Waiting for you" to them."""
        return "Waiting for you" if self is Status.WAITING_FOR_CUSTOMER else self.word

    @property
    def is_done(self) -> bool:
        """Return whether the case is resolved or closed."""
        return self in (Status.RESOLVED, Status.CLOSED)


class Priority(IntEnum):
    """The priorities of a case. The database sorts by their numbers."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4

    @property
    def word(self) -> str:
        return self.name.capitalize()


PRIORITY_CHOICES = [(int(priority), priority.word) for priority in Priority]
"""The options of a select field for the priority."""

SETTABLE = tuple(status for status in Status if status is not Status.NEW)
"""The statuses that an agent may set: all but New, because a case is new only until somebody does something about it.
"""


def after_reply(status: Status, *, by_agent: bool, then: Status | None) -> Status:
    """Return the status that a reply gives to a case with the status `status`.

    An agent's reply sets `then`, if it is given; otherwise it opens a new case. A contact's reply opens a case that
    waited for the customer, was resolved or was closed. In all other cases the status stays.
    """
    if by_agent:
        return then or (Status.OPEN if status is Status.NEW else status)
    if status is Status.WAITING_FOR_CUSTOMER or status.is_done:
        return Status.OPEN
    return status


def columns_of(status: Status, resolved_at: datetime | None, at: datetime) -> dict[str, Any]:
    """Return the values of the columns that change when a case gets the status `status` at the instant `at`.

    A resolved case that is closed keeps its `resolved_at`.
    """
    return {
        "status": status.value,
        "resolved_at": (resolved_at or at) if status.is_done else None,
        "closed_at": at if status is Status.CLOSED else None,
    }
