"""The categories of statuses, the priorities, their names, and the category that follows from a reply.

Every status that an admin configures (`statuses`) belongs to one category, and every rule depends only on the category.
"""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Status(StrEnum):
    """The categories of statuses.

    `word` is the name of the category. The first status of a category has this name until an admin renames the status.
    """

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
        """Return the name of the status as contacts read it: "Waiting for you" instead of "Waiting for customer"."""
        return "Waiting for you" if self is Status.WAITING_FOR_CUSTOMER else self.word

    @property
    def is_done(self) -> bool:
        """Return whether a case of this category is resolved or closed."""
        return self in (Status.RESOLVED, Status.CLOSED)

    @property
    def is_ours(self) -> bool:
        """Return whether it is the company's turn to write: the case neither waits nor is done."""
        return self in (Status.NEW, Status.OPEN)

    @property
    def pause_cause(self) -> str | None:
        """Return why the clock of a case is paused: `customer`, `others` or `done`; None if it is the company's turn.

        An admin may let the clock run in a status in which the case waits (`CaseStatus.pauses`).
        """
        if self.is_done:
            return "done"
        return {Status.WAITING_FOR_CUSTOMER: "customer", Status.WAITING_FOR_OTHERS: "others"}.get(self)

    @property
    def waits(self) -> bool:
        """Return whether the case waits for somebody outside the company."""
        return self in (Status.WAITING_FOR_CUSTOMER, Status.WAITING_FOR_OTHERS)


NEEDED = (Status.NEW, Status.OPEN, Status.WAITING_FOR_CUSTOMER, Status.CLOSED)
"""The categories that the portal itself sets, so that each of them needs a status."""


class Priority(IntEnum):
    """The priorities of a case. Their names are in the module `priorities`. The database sorts by their numbers."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4

    @property
    def word(self) -> str:
        """Return the name that the priority has until an admin renames it."""
        return self.name.capitalize()


def after_reply(status: Status, *, by_agent: bool, then: Status | None) -> Status:
    """Return the category of a case after a reply. `status` is the category before the reply.

    An agent's reply sets `then`; without `then`, it changes the category new to open. A contact's reply changes a case
    that waited for the customer, was resolved or was closed to open. In all other situations the category stays.
    """
    if by_agent:
        return then or (Status.OPEN if status is Status.NEW else status)
    if status is Status.WAITING_FOR_CUSTOMER or status.is_done:
        return Status.OPEN
    return status


def columns_of(status: Status, status_id: int, resolved_at: datetime | None, at: datetime) -> dict[str, Any]:
    """Return the values of the columns that change when a case gets a status at the instant `at`.

    `status` is the category of the status with the id `status_id`. `resolved_at` is the present value of the column
    `resolved_at`, which a resolved case keeps when it is closed.
    """
    return {
        "status": status.value,
        "status_id": status_id,
        "resolved_at": (resolved_at or at) if status.is_done else None,
        "closed_at": at if status is Status.CLOSED else None,
    }
