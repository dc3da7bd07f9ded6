"""Split a case: chosen messages, with their files, become a new case of the same customer."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal.database import current
from portal.database.rows import insert_whole
from portal.desk.custom_fields import values
from portal.desk.deadlines.keeping import copy_clock
from portal.desk.facts import checked_subject
from portal.desk.tagging import COPY
from portal.desk.verbs.changing import agents_only, finish, lock
from portal.desk.verbs.linking import link
from portal.desk.verbs.sharing import copy_watchers
from portal.desk.workflow import Status
from portal.desk.workflow.moves import first_of, standing
from portal.errors import Conflict, Invalid
from portal.people.contacts import hold_contact
from portal.people.readers import AgentReader
from portal.render import plain

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def split(case: "Case", message_ids: Collection[int], subject: str, *, by: AgentReader, at: datetime) -> "Case":
    """Move messages of the case, with their files, to a new case with this subject, and return it.

    The cases are linked. The new case has the type, priority, values of custom fields, service, project and agent of
    the old case; if the old case is unassigned, the rules of dispatch choose an agent. `_opened` chooses the contact.
    If exactly these messages were split off already with this subject, return the case to which they were moved. Raise
    `Invalid` at the field `subject` if the subject is not valid. Raise `Invalid` at the field `message` unless at least
    one reply is moved and one reply stays. Raise `Conflict` if a message is on another case now, or if these messages
    were split off with another subject.
    """
    agents_only(by)
    checked, problems = checked_subject(subject)
    if not message_ids:
        problems["message"] = "Choose the messages that become the new case."
    if problems:
        raise Invalid(problems)
    await lock(case, by)
    if known := await _split_before(case, message_ids):
        if known.subject != checked:
            raise Conflict(f"These messages are #{known.number} “{known.subject}” by now. Look at that case.")
        return known
    rows = await current().fetch(_CHOSEN, case.id, list(message_ids))
    chosen = [row for row in rows if row["chosen"]]
    if len(chosen) != len(message_ids):
        raise Conflict("Some of these messages are on another case by now. Look at the case again.")
    if not any(row["kind"] == "reply" for row in chosen):
        raise Invalid({"message": "Choose at least one reply: the customer does not read notes."})
    if not any(row["kind"] == "reply" and not row["chosen"] for row in rows):
        raise Invalid({"message": "Leave at least one reply on this case."})
    made = await _opened(case, chosen, checked, by, at)
    await current().execute("update message set case_id = $1 where id = any($2)", made.id, list(message_ids))
    await finish(made, [("split_off", {"number": case.number})], by, at, told_as="case.changed")
    await finish(case, [("split", {"number": made.number, "subject": checked})], by, at, told_as="case.changed")
    await link(case, made, by=by, at=at)
    if not made.agent_id:
        await made.dispatch(by=by, at=at)
    return made


SHOWN = 100
"""How many messages the page shows at once."""


@dataclass(frozen=True, slots=True)
class Splittable:
    """A message that can be moved to a new case.

    `said` is the beginning of its text, `files` the number of its files.
    """

    id: int
    at: datetime
    author: str
    is_note: bool
    said: str
    files: int


async def messages_to_split(case: "Case", before: int | None = None) -> tuple[list[Splittable], int | None]:
    """Return a window of at most `SHOWN` messages of a case, oldest first, and the cursor of the window before it.

    Without `before`, the window has the latest messages. `before` is a cursor: the id of the message before which the
    window ends. The returned cursor is None if no earlier messages are left.
    """
    rows = await current().fetch(_MESSAGES, case.id, before)
    shown = [Splittable(**dict(row) | {"said": plain(row["said"])}) for row in rows[:SHOWN][::-1]]
    return shown, shown[0].id if len(rows) > SHOWN else None


_MESSAGES = f"""
select m.id, m.at, m.author_name as author, m.kind = 'note' as is_note, left(m.text, 300) as said,
  (select count(*)::int from attachment f where f.message_id = m.id) as files
from message m where m.case_id = $1
  and ($2::bigint is null or (m.at, m.id) < (select o.at, o.id from message o where o.id = $2 and o.case_id = $1))
order by m.at desc, m.id desc limit {SHOWN + 1}
"""  # noqa: S608

_CHOSEN = """
select id, kind, contact_id, agent_id, at, id = any($2) as chosen from message where case_id = $1 order by at, id
"""


async def _opened(case: "Case", chosen: list[Any], subject: str, by: AgentReader, at: datetime) -> "Case":
    """Insert the new case with this subject for the rows of messages in `chosen`, and return it.

    The contact of the new case is the first contact who wrote one of the messages. If no contact wrote one, or this
    contact's access has ended, the new case gets the contact of `case`. The contact is locked. If `case` is done, the
    new case is open. The clock of the new case began when a contact first wrote one of the messages or, if no contact
    wrote one, begins now. The clock gets the pauses that `case` had after that.
    """
    contact_id = next((row["contact_id"] for row in chosen if row["contact_id"]), case.contact_id)
    await hold_contact(contact_id)
    if not await current().fetchval("select true from contact where id = $1 and ended_at is null", contact_id):
        contact_id = case.contact_id
    stands = await first_of(Status.OPEN) if case.stands.is_done else await standing(case.status_id)
    replied = [row["at"] for row in chosen if row["agent_id"] and row["kind"] == "reply"]
    columns = {
        "customer_id": case.customer_id, "contact_id": contact_id, "subject": subject, "case_type_id": case.case_type_id,
        "priority": case.priority, "status": stands.status.value, "status_id": stands.id,
        "agent_id": case.agent_id, "department_id": case.department_id,
        "service_id": case.service_id, "project_id": case.project_id, "confidential": case.confidential,
        "opened_at": at, "updated_at": at, "opened_by_agent_id": by.id,
        "first_replied_at": min(replied, default=None), "clock_from": min((row["at"] for row in chosen if row["contact_id"]), default=None),
    }  # fmt: skip
    made = type(case).of_row(await insert_whole(type(case), columns))
    await copy_clock(case, made)
    await copy_watchers(case, made)
    for copy in (COPY, values.COPY):
        await current().execute(copy, case.id, made.id)
    return made


async def _split_before(case: "Case", message_ids: Collection[int]) -> "Case | None":
    """Return the case that was split off from `case` with exactly these messages, or None if there is none."""
    row = await current().fetchrow(_SPLIT_BEFORE, case.id, list(message_ids))
    return type(case).of_row(dict(row)) if row else None


_SPLIT_BEFORE = """
select c.* from cases c join case_event e on e.case_id = c.id and e.kind = 'split_off'
join cases o on o.id = $1 and (e.details ->> 'number')::bigint = o.number
where c.merged_into_id is null
  and c.id = (select min(m.case_id) from message m where m.id = any($2) having min(m.case_id) = max(m.case_id) and count(*) = cardinality($2))
limit 1
"""
