"""Batches are all-or-report: what happens to one member, whatever it is, neither stops nor hides the others (design.md, manner 21)."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from portal.database import Reader, refusal_of, transaction
from portal.errors import Refusal

log = structlog.get_logger("portal.batches")

Member = TypeVar("Member")
Result = TypeVar("Result")


class Failed(Refusal):
    """A member failed for a reason that nobody expected; the log has the trace."""

    status = 500
    default = "Something failed on our side, so this was left as it was. We have a record of it and look into it."


@dataclass(slots=True)
class Report(Generic[Member, Result]):
    """What came of a batch: the results of the members that went through, and why the others did not."""

    done: dict[Member, Result] = field(default_factory=dict)
    refused: dict[Member, Refusal] = field(default_factory=dict)


async def all_or_report(
    members: Iterable[Member], step: Callable[[Member], Awaitable[Result]], *, reader: Reader | None
) -> Report[Member, Result]:
    """Do `step` for each member in a transaction of `reader`, which inside of another transaction is a savepoint.

    A refusal is reported as it is. Any other exception is logged with its trace and reported as `Failed`.
    """
    report = Report[Member, Result]()
    for member in members:
        try:
            async with transaction(reader):
                report.done[member] = await step(member)
        except Exception as error:
            report.done.pop(member, None)
            report.refused[member] = _refusal(member, error)
    return report


def compute_or_report(members: Iterable[Member], function: Callable[[Member], Result]) -> Report[Member, Result]:
    """Do the same with a function of values, which needs no transaction."""
    report = Report[Member, Result]()
    for member in members:
        try:
            report.done[member] = function(member)
        except Exception as error:
            report.refused[member] = _refusal(member, error)
    return report


def _refusal(member: object, error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if away := refusal_of(error):
        return away
    log.error("a member of a batch failed", member=str(member), exc_info=error)
    return Failed()
