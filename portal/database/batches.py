"""Run a function for each member of a batch, and report every failure without stopping the others."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from portal.database import Reader, refusal_of, transaction
from portal.errors import NotFound, Refusal

log = structlog.get_logger("portal.batches")

Member = TypeVar("Member")
Result = TypeVar("Result")


GONE = "This no longer exists."
"""The error message for a member that no longer exists. For a row of a list, "not found" would puzzle the reader."""


class Failed(Refusal):
    """An unexpected error stopped the step for a member. The log has the traceback."""

    status = 500
    default = "Something failed on our side, so this was left as it was. We have a record of it and look into it."


@dataclass(slots=True)
class Report(Generic[Member, Result]):
    """The outcome of a batch.

    `done` holds the result of each member that succeeded, and `refused` the refusal that explains the failure of each
    other member.
    """

    done: dict[Member, Result] = field(default_factory=dict)
    refused: dict[Member, Refusal] = field(default_factory=dict)


async def all_or_report(
    members: Iterable[Member], step: Callable[[Member], Awaitable[Result]], *, reader: Reader | None
) -> Report[Member, Result]:
    """Run `step` for each member, each in its own transaction or savepoint of `reader`, and report the outcome of each.

    A `Refusal` is reported as it is, except that `NotFound` gets the message `GONE`. A temporary database error is
    reported as `Unavailable`. Any other exception is logged with its traceback and reported as `Failed`.
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


async def halves_or_report(
    members: Sequence[Member], step: Callable[[Sequence[Member]], Awaitable[None]], *, reader: Reader | None
) -> Report[Member, None]:
    """Run `step` once for all members, in a transaction or savepoint of `reader`; if it fails, once for each half.

    The halves are divided again until only the members remain that cause the failure. These members are reported as by
    `all_or_report`, and all other members succeed. Without a failure, `step` is called once, whatever the number of
    members.
    """
    try:
        async with transaction(reader):
            if members:
                await step(members)
        return Report(dict.fromkeys(members))
    except Exception as error:
        if len(members) == 1:
            return Report(refused={members[0]: _refusal(members[0], error)})
    middle = len(members) // 2
    first, second = [await halves_or_report(half, step, reader=reader) for half in (members[:middle], members[middle:])]
    return Report(first.done | second.done, first.refused | second.refused)


def compute_or_report(members: Iterable[Member], function: Callable[[Member], Result]) -> Report[Member, Result]:
    """Call a pure function for each member, without a transaction, and report the outcome as `all_or_report` does."""
    report = Report[Member, Result]()
    for member in members:
        try:
            report.done[member] = function(member)
        except Exception as error:
            report.refused[member] = _refusal(member, error)
    return report


def _refusal(member: object, error: Exception) -> Refusal:
    if isinstance(error, NotFound):
        return NotFound(GONE)
    if isinstance(error, Refusal):
        return error
    if away := refusal_of(error):
        return away
    log.error("a member of a batch failed", member=str(member), exc_info=error)
    return Failed()
