"""Merge cases: everything on them moves to one case, and their numbers lead to that case from then on (D53).

Route handlers call `portal.timekeeping.moving`, which also moves the time.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal.database import current
from portal.desk.custom_fields import values
from portal.desk.deadlines.keeping import take_clock
from portal.desk.names import agent_name, works
from portal.desk.tagging import COPY
from portal.desk.verbs.changing import LogLine, change, finish, lock_all
from portal.desk.verbs.linking import move_links
from portal.desk.verbs.moving import moved
from portal.desk.verbs.rating import move_rating
from portal.desk.verbs.sharing import move_watchers
from portal.desk.workflow import Status
from portal.errors import Invalid
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.desk.cases import Case

MOST = 10
"""The maximum number of cases that can be merged at once, including the case that remains."""
TOO_MANY = f"Choose at most {MOST} cases at once."


def refuse_to_merge(cases: Sequence["Case"]) -> None:
    """Raise `Invalid` at the field `case` unless these are at least two and at most `MOST` cases of one customer."""
    if reason := why_not_merged(len(cases), {case.customer_id for case in cases}):
        raise Invalid({"case": reason})


def why_not_merged(count: int, customers: Collection[int]) -> str:
    """Return the reason why `count` cases of these customers cannot be merged with each other; "" if they can."""
    if count < 2:
        return "Choose at least two cases."
    if count > MOST:
        return TOO_MANY
    if len(customers) > 1:
        return "These cases are not of one customer. Only cases of the same customer can be merged."
    return ""


async def hold_to_merge(target: "Case", sources: Sequence["Case"]) -> None:
    """Check that `sources` can be merged into `target`, and lock all of them until the transaction ends.

    Raise `Invalid` as `refuse_to_merge` does, and `Conflict` if one of the cases was merged since it was loaded.
    """
    refuse_to_merge([target, *sources])
    await lock_all([target, *sources])


async def absorb(target: "Case", sources: Sequence["Case"], *, by: AgentReader, at: datetime) -> None:
    """Merge the locked `sources` into the locked `target`.

    The messages, files, appointments, tags and links of `sources` move to `target`, and a rating if `target` has none.

    Each case keeps its log; the page of `target` shows the logs of `sources` too. The contacts of `sources` may see
    `target` from then on. If `target` is done and one of `sources` is not done, `target` becomes open. If `target`
    waits and one of `sources` is new or open, `target` becomes open too. If `target` is unassigned, or becomes open and
    its agent has left, it gets an agent of `sources` who has not left. If `target` has no project, or no value in a
    custom field, it gets the project or the value of `sources`. `target` gets the watchers of `sources`, and is
    confidential if one of the cases was. `target` gets the clock that began first among the clocks of cases that are
    not done (see `take_clock`).
    """
    lines: list[LogLine] = []
    for source in sources:
        await finish(source, [("merged", {"number": target.number})], by, at, told_as="case.changed")
        lines.append(("took_in", {"number": source.number, "subject": source.subject}))
        await _move(source.id, target.id, at)
        await move_links(source.id, target.id)
        await move_watchers(source.id, target.id)
        await values.take_over(target, source, by=by, at=at)
    replied = [case.first_replied_at for case in (target, *sources) if case.first_replied_at]
    opens = _opens(target.stands, [source.stands for source in sources])
    columns, inherited = await _inherited(target, sources, opens=opens)
    if not target.confidential and any(source.confidential for source in sources):
        columns |= {"confidential": True}
        lines.append(("confidential", {"to": True}))
    columns |= {"first_replied_at": target.first_replied_at or min(replied, default=None)}
    columns, lines = columns | await take_clock(target, sources), lines + inherited
    if opens:
        reopened, status_line = await moved(target, Status.OPEN, at)
        columns, lines = columns | reopened, lines + status_line
    await change(target, columns, lines, by, at)


def _opens(target: Status, sources: Collection[Status]) -> bool:
    """Return whether a merge sets the target to open (see `absorb`), so that no question of the customer is overlooked.

    `target` and `sources` are the categories of the statuses of the cases.
    """
    if target.is_done:
        return not all(source.is_done for source in sources)
    return not target.is_ours and any(source.is_ours for source in sources)


async def _inherited(target: "Case", sources: Sequence["Case"], *, opens: bool) -> tuple[dict[str, Any], list[LogLine]]:
    """Return the columns and log lines for what `target` takes over from `sources`.

    If `target` is unassigned, or if its agent has left and the merge opens it (`opens`), it gets the first agent of
    `sources` who has not left. If `target` has no project, it gets the first project of `sources`.
    """
    columns, lines = dict[str, Any](), list[LogLine]()
    agents = [source.agent_id for source in sources if source.agent_id and await works(source.agent_id)]
    projects = [source.project_id for source in sources if source.project_id]
    if agents and (not target.agent_id or (opens and not await works(target.agent_id))):
        columns["agent_id"] = agents[0]
        lines.append(("assigned", {"to": await agent_name(agents[0])}))
    if projects and not target.project_id:
        columns["project_id"] = projects[0]
        name = await current().fetchval("select name from project where id = $1", projects[0])
        lines.append(("project", {"to": name}))
    return columns, lines


async def _move(source_id: int, target_id: int, at: datetime) -> None:
    """Close the source as a part of the target, and move its messages, appointments, tags and rating to the target.

    Cases that were merged into the source before become parts of the target too.
    """
    tx, ids = current(), (source_id, target_id)
    await tx.execute(_REPOINT, *ids)
    await tx.execute(_CLOSE, *ids, at)
    await tx.execute(COPY, *ids)
    await tx.execute("delete from case_tag where case_id = $1", source_id)
    await tx.execute("update message set case_id = $2 where case_id = $1", *ids)
    await tx.execute(_APPOINTMENTS, *ids)
    await move_rating(*ids)


_REPOINT = """
update cases set merged_into_id = $2, confidential = (select t.confidential from cases t where t.id = $2) where merged_into_id = $1
"""
_CLOSE = """
update cases set merged_into_id = $2, confidential = (select t.confidential from cases t where t.id = $2),
  status = 'closed', closed_at = coalesce(closed_at, $3), resolved_at = coalesce(resolved_at, $3),
  updated_at = $3, due_at = null, soon_at = null
where id = $1
"""
# Among the appointments of a case, `form_key` is unique, so a key that the target has already is removed.
_APPOINTMENTS = """
update appointment p set case_id = $2, form_key = case when not exists (
  select from appointment o where o.case_id = $2 and o.form_key = p.form_key) then p.form_key end
where case_id = $1
"""
