"""Compare a form for time that was sent a second time with the entry that was created when it was sent first."""

from typing import TYPE_CHECKING, Any

from portal.timekeeping.work import Work
from portal.visible import visible
from portal.words import EntryBilling

if TYPE_CHECKING:
    from portal.timekeeping.entries import TimeEntry


def says_the_same(
    entry: "TimeEntry", work: Work, *, agent_id: int, case_id: int | None, project_id: int | None
) -> bool:
    """Return whether `work`, logged for this agent on this case or project, would give the content of `entry`.

    If `work.billing` is None, a rule has decided whether the entry is billable, and `billing` is not compared. If
    `work.counts` is None, the form has not overridden the billable minutes, and the entry must have no override either.
    """
    general = case_id is None and work.service_id is None
    said: dict[str, Any] = {
        "agent_id": agent_id,
        "case_id": case_id,
        "project_id": project_id,
        "service_id": work.service_id,
        "task_id": work.task_id,
        "general_kind_id": work.general_kind_id if general else None,
        "role_id": work.role_id,
        "work_date": work.work_date,
        "external_comment": visible(work.external_comment).strip(),
        "description": visible(work.description).strip(),
    }
    if work.billing is not None:
        said["billing"] = work.billing.value
    same = all(getattr(entry, name) == value for name, value in said.items())
    return same and _as_long(entry, work) and _counts_the_same(entry, work)


def _as_long(entry: "TimeEntry", work: Work) -> bool:
    """Return whether `work` has the same clock times and minutes as the entry."""
    span = entry.span
    if (work.began, work.ended) != (span.clock_times() if span else (None, None)):
        return False
    minutes = work.minutes if work.minutes is not None else (span.minutes if span else 0) + work.added
    return minutes == entry.actual_minutes


def _counts_the_same(entry: "TimeEntry", work: Work) -> bool:
    """Return whether `work` and the entry agree on whether, how and why the billable minutes are overridden.

    If the entry has no override, an override in `work` agrees if it equals the billable minutes of the entry, because
    `counted` ignores an override that equals the result of the rule. If the entry is not billable, any override in
    `work` agrees.
    """
    if work.counts is None:
        return entry.override_reason is None
    if entry.billing == EntryBilling.NOT_BILLABLE:
        return True
    same_reason = entry.override_reason in (None, visible(work.override_reason).strip())
    return bool(entry.billable_minutes == work.counts) and same_reason
