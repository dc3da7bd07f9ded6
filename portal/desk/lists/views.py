"""The views of the agents' list of cases, and by what a list can be sorted.

A condition is SQL on the table alias `c`, in which `:me` stands for the id of the agent who reads the list, and `:at`
for the present instant.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from portal.words import CaseView

OPEN = "c.status not in ('resolved', 'closed')"
AT_WORK = f"{OPEN} and c.snoozed_until is null"
"""SQL condition for the cases of the working views, which leave out snoozed cases."""
WAITING = "c.status in ('waiting_for_customer', 'waiting_for_others')"
OVERDUE = f"{OPEN} and c.due_at <= :at"
# The index cases_ending_soon has these ranges, so that a count reads no case with a deadline that is far away.
ENDING_SOON = f"{OPEN} and c.due_at is not null and tstzrange(c.soon_at, c.due_at) @> :at::timestamptz"


class Sort(StrEnum):
    """By what a list of cases can be sorted. Choosing the same member again reverses the order.

    `TURN` lists the cases that wait for the company before all others; among these cases, the latest change comes
    first. Only the view of an agent's own cases has this order.
    """

    UPDATED = "updated"
    TURN = "turn"
    NUMBER = "number"
    SUBJECT = "subject"
    CUSTOMER = "customer"
    STATUS = "status"
    PRIORITY = "priority"
    AGENT = "agent"
    DUE = "due"

    @property
    def word(self) -> str:
        """Return the heading of the column that the member sorts by."""
        return {Sort.NUMBER: "Case", Sort.DUE: "Deadline"}.get(self, self.value.capitalize())


@dataclass(frozen=True, slots=True)
class Order:
    """The SQL expressions by which a list is sorted. Rows with equal values are sorted by the id of the case.

    `type` is the Python type of the first expression's values. `is_falling` is True if the usual direction is
    descending. `may_lack` is True if the only expression can be null: cases without a value come last in both
    directions.
    """

    expressions: tuple[str, ...]
    type: type[Any]
    is_falling: bool = False
    may_lack: bool = False


ORDERS = {
    Sort.UPDATED: Order(("c.updated_at",), datetime, is_falling=True),
    Sort.TURN: Order(("(c.status in ('new', 'open'))", "c.updated_at"), bool, is_falling=True),
    Sort.NUMBER: Order(("c.number",), int, is_falling=True),
    Sort.SUBJECT: Order(("c.subject_folded",), str),
    Sort.CUSTOMER: Order(("u.key",), str),
    Sort.STATUS: Order(("k.key",), int),
    Sort.PRIORITY: Order(("c.priority",), int, is_falling=True),
    Sort.AGENT: Order(("a.key",), str, may_lack=True),
    Sort.DUE: Order(("c.due_at",), datetime, may_lack=True),
}
"""The order of each member of `Sort`."""


class Due(StrEnum):
    """A filter by deadline: cases whose deadline has passed, or comes near."""

    OVERDUE = "overdue"
    SOON = "soon"

    @property
    def word(self) -> str:
        """Return the text of the filter."""
        return {Due.OVERDUE: "overdue", Due.SOON: "ends soon"}[self]

    @property
    def condition(self) -> str:
        """Return the SQL condition for the open cases that the filter finds."""
        return {Due.OVERDUE: OVERDUE, Due.SOON: ENDING_SOON}[self]


@dataclass(frozen=True, slots=True)
class ViewRule:
    """What one view of the list of cases shows.

    `condition` is the SQL for its cases, and `sort` the order until another one is chosen. `has_count` is True if the
    navigation shows the number of cases, and `has_agents` if different cases of the view may have different agents, so
    that a filter by agent is offered. `empty` is the sentence that an empty list shows. `grouped` are the orders for
    which a long list is read group by group; a group is, for example, all cases with one status. For these orders, an
    index has the cases of each group in order. `long` selects the same cases as `condition`, written so that PostgreSQL
    can read the first cases of a long list in the order `sort`.
    """

    condition: str
    empty: str
    sort: Sort = Sort.UPDATED
    has_count: bool = True
    has_agents: bool = True
    grouped: Collection[Sort] = ()
    long: str = ""


_GROUPED = (Sort.STATUS, Sort.AGENT, Sort.CUSTOMER)
VIEWS = {
    CaseView.MINE: ViewRule(
        f"{AT_WORK} and c.agent_id = :me", "Cases that you take, or that are given to you, appear here.",
        sort=Sort.TURN, has_agents=False, grouped=(Sort.STATUS,),
    ),
    CaseView.UNASSIGNED: ViewRule(
        f"{AT_WORK} and c.agent_id is null", "A new case appears here until somebody takes it.",
        has_agents=False, grouped=(Sort.STATUS,),
    ),
    CaseView.DEPARTMENT: ViewRule(
        f"{AT_WORK} and c.department_id = (select mine.department_id from agent mine where mine.id = :me)",  # noqa: S608
        "Open cases of your department appear here.", grouped=_GROUPED,
    ),
    CaseView.WAITING: ViewRule(
        f"{AT_WORK} and {WAITING}", "Cases that wait for a customer or for others appear here.",
        grouped=(Sort.STATUS, Sort.AGENT),
    ),
    CaseView.SOON: ViewRule(
        ENDING_SOON, "Cases whose deadline comes near appear here.", sort=Sort.DUE,
        long=f"{OPEN} and c.due_at > :at and c.soon_at <= :at",
    ),
    CaseView.OVERDUE: ViewRule(OVERDUE, "Cases whose deadline has passed appear here.", sort=Sort.DUE),
    CaseView.SNOOZED: ViewRule(
        f"{OPEN} and c.snoozed_until is not null",
        "Cases that you or colleagues snooze appear here until they come back.",
    ),
    CaseView.ALL: ViewRule(
        OPEN, "Cases that customers open, or that you open for them, appear here.", grouped=_GROUPED
    ),
    CaseView.CLOSED: ViewRule(
        "c.status in ('resolved', 'closed')", "Cases that are resolved or closed appear here.",
        has_count=False, grouped=_GROUPED,
    ),
}  # fmt: skip
"""What each view shows; the list, the navigation and the counts all read this table."""


def filled_in(condition: str, me: int, at: datetime | None, values: list[Any]) -> str:
    """Return the condition with numbered parameters for `:me` and `:at`, and append their values to `values`."""

    def numbered(name: re.Match[str]) -> str:
        values.append({"me": me, "at": at}[name[1]])
        return f"${len(values)}"

    return re.sub(r"(?<!:):(me|at)\b", numbered, condition)
