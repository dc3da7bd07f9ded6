"""Remember when each person last looked at a case, so that lists mark the cases with something new since then.

A search without text lists the cases in which the reader has lately read a new message or written a message.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from piccolo.columns import BigInt, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk.cases import Case
from portal.desk.workflow import Status
from portal.desk.workflow.moves import name_sql
from portal.people.readers import Reader


class CaseLook(Table, tablename="case_look"):
    """When the person with the credential last looked at the case.

    The two ids are together the primary key, which Piccolo cannot express.
    """

    credential_id = BigInt(primary_key=True, default=None)
    case_id = BigInt(default=None)
    looked_at = Timestamptz(default=None)


class Lately(NamedTuple):
    """A case in which a person has lately read a new message or written one. `at` is when the person last did so."""

    number: int
    subject: str
    customer_id: int
    customer: str
    status: Status
    status_word: str
    at: datetime


LATELY = 10
"""The maximum number of cases that `lately` returns."""


def unread_sql(case: str, reader: Reader) -> str:
    """Return the SQL condition that the case with the alias `case` has a message that is new for `reader`.

    New is what somebody else has written since the reader last looked at the case or, if they never looked at it, since
    the instant that the database function `unread_since` returns. Notes are new for agents only, and what a
    caller said is not new for the agent who wrote it down.
    """
    if reader.is_contact:
        others = f"x.kind = 'reply' and x.contact_id is distinct from {int(reader.id)}"
    else:
        others = f"x.agent_id is distinct from {int(reader.id)} and x.taken_by_id is distinct from {int(reader.id)}"
    return (
        f"exists (select from message x where x.case_id = {case}.id and {others}"  # noqa: S608
        f" and x.at > coalesce((select l.looked_at from case_look l where l.case_id = {case}.id"
        f" and l.credential_id = {int(reader.credential_id)}), (select unread_since())))"
    )


async def look_at(case_id: int, reader: Reader, at: datetime) -> None:
    """Record that the reader looked at the case at the instant `at`, unless a later look is recorded already."""
    await current().execute(_LOOK, reader.credential_id, case_id, at)


async def lately(reader: Reader) -> Sequence[Lately]:
    """Return at most `LATELY` cases in which the reader has lately read a new message or written one, the latest first.

    A case that the reader may no longer see is left out.
    """
    own = "x.contact_id" if reader.is_contact else "x.agent_id"
    sql = f"""
select c.number, c.subject, c.customer_id, u.name, c.status, {name_sql("c", for_contact=reader.is_contact)}, max(s.at) as at
from (
  (select case_id, looked_at as at from case_look where credential_id = $1 order by looked_at desc limit {4 * LATELY})
  union all (select x.case_id, x.at from message x where {own} = $2 order by x.at desc limit {4 * LATELY})
) s join cases c on c.id = s.case_id join customer u on u.id = c.customer_id
where {Case.visible_sql(reader, "c")} group by c.id, u.id order by at desc, c.id desc limit {LATELY}
"""  # noqa: S608
    rows = await current().fetch(sql, reader.credential_id, reader.id)
    return [Lately(*row)._replace(status=Status(row["status"])) for row in rows]


_LOOK = """
insert into case_look (credential_id, case_id, looked_at) values ($1, $2, $3)
on conflict (credential_id, case_id) do update set looked_at = excluded.looked_at where case_look.looked_at < excluded.looked_at
"""
