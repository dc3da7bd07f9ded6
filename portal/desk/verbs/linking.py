"""Link related cases, and read the links of a case."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from piccolo.columns import BigInt, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk import events
from portal.desk.verbs.changing import agents_only, finish, lock_all
from portal.desk.workflow import Status
from portal.desk.workflow.moves import name_sql
from portal.errors import Invalid
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.desk.cases import Case


class CaseLink(Table, tablename="case_link"):
    """A link between two cases; `case_id` is the lower id. The primary key is both ids."""

    case_id = BigInt(primary_key=True, default=None)
    other_id = BigInt(default=None)
    linked_by_id = BigInt(default=None)
    linked_at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked case, with the values that the link to it shows.

    `status_word` is the name of its status for the reader.
    """

    number: int
    subject: str
    status: Status
    status_word: str

    @classmethod
    def read(cls, text: str) -> list[Self]:
        """Parse the JSON that the SQL expression of `links_sql` yields, and return the linked cases."""
        return [cls(number, subject, Status(status), word) for number, subject, status, word in json.loads(text)]


def links_sql(case_id: str, visible: str, *, for_contact: bool) -> str:
    """Return the SQL expression for the links of a case, as JSON that `Linked.read` reads, highest case number first.

    `case_id` is the SQL of the case's id, and `visible` the condition that the reader may see the case with the alias
    `o`.
    """
    name = name_sql("o", for_contact=for_contact)
    return (
        f"(select coalesce(json_agg(json_build_array(o.number, o.subject, o.status, {name}) order by o.number desc), '[]') from case_link l"  # noqa: S608
        f" join cases o on o.id = case when l.case_id = {case_id} then l.other_id else l.case_id end"
        f" where (l.case_id = {case_id} or l.other_id = {case_id}) and {visible})::text"
    )


async def link(case: "Case", other: "Case", *, by: AgentReader, at: datetime) -> None:
    """Link two cases of the same or of different customers, and add a line that only agents see to both logs.

    If they are linked already, do nothing. Raise `Invalid` at the field `number` for a link of a case with itself, and
    `Conflict` if one of the cases was merged.
    """
    agents_only(by)
    if case.id == other.id:
        raise Invalid({"number": "Choose another case than this one."})
    await lock_all([case, other])
    made = await current().fetchval(
        "insert into case_link (case_id, other_id, linked_by_id, linked_at) values ($1, $2, $3, $4)"
        " on conflict do nothing returning true",
        *sorted([case.id, other.id]), by.id, at,
    )  # fmt: skip
    if made:
        await _record("linked", case, other, by, at)


async def unlink(case: "Case", other: "Case", *, by: AgentReader, at: datetime) -> None:
    """Remove the link between two cases, and add a line that only agents see to both logs.

    Both cases are locked until the transaction ends. If they are not linked, do nothing. Raise `Conflict` if one of
    them was merged.
    """
    agents_only(by)
    await lock_all([case, other])
    gone = await current().fetchval(
        "delete from case_link where case_id = $1 and other_id = $2 returning true", *sorted([case.id, other.id])
    )
    if gone:
        await _record("unlinked", case, other, by, at)


async def linked_ids(case: "Case") -> set[int]:
    """Return the ids of the cases that are linked with `case`."""
    rows = await current().fetch(_LINKED, case.id)
    return {row["id"] for row in rows}


_LINKED = """
select other_id as id from case_link where case_id = $1 union all select case_id from case_link where other_id = $1
"""


async def move_links(source_id: int, target_id: int) -> None:
    """Move the links of a case to the case into which it is merged. A link between these two cases is deleted.

    A third case that is linked with both keeps one link.
    """
    await current().execute(_MOVE, source_id, target_id)


_MOVE = """
with gone as (delete from case_link where $1 in (case_id, other_id) returning *),
others as (select case when case_id = $1 then other_id else case_id end as id, linked_by_id, linked_at from gone)
insert into case_link (case_id, other_id, linked_by_id, linked_at)
select least(id, $2), greatest(id, $2), linked_by_id, linked_at from others where id <> $2 on conflict do nothing
"""


async def _record(kind: str, case: "Case", other: "Case", by: AgentReader, at: datetime) -> None:
    for one, two in ((case, other), (other, case)):
        details = {"number": two.number, "subject": two.subject}
        # Contacts do not see the line, because those of one case may not be allowed to see the other case.
        await events.record(one.id, one.customer_id, kind, by=by, contact_may_know=False, at=at, details=details)
        await finish(one, [], by, at, told_as="case.changed")
