"""Remember when each person last looked at a case, so that lists mark the cases with something new since then."""

from datetime import datetime

from piccolo.columns import BigInt, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.people.readers import Reader


class CaseLook(Table, tablename="case_look"):
    """When the person with the credential last looked at the case. The primary key is both ids."""

    credential_id = BigInt(primary_key=True, default=None)
    case_id = BigInt(default=None)
    looked_at = Timestamptz(default=None)


def unread_sql(case: str, reader: Reader) -> str:
    """Return the SQL condition that the case with the alias `case` has a message that is new for `reader`.

    New is what somebody else has written since the reader last looked, or, if they never did, since `unread_since()`.
    Notes are new for agents only.
    """
    own, shown = ("contact_id", " and x.kind = 'reply'") if reader.is_contact else ("agent_id", "")
    return (
        f"exists (select from message x where x.case_id = {case}.id{shown} and x.{own} is distinct from {int(reader.id)}"  # noqa: S608
        f" and x.at > coalesce((select l.looked_at from case_look l where l.case_id = {case}.id"
        f" and l.credential_id = {int(reader.credential_id)}), (select unread_since())))"
    )


async def look_at(case_id: int, reader: Reader, at: datetime) -> None:
    """Record that the reader looked at the case at the instant `at`, unless they have looked later already."""
    await current().execute(_LOOK, reader.credential_id, case_id, at)


_LOOK = """
insert into case_look (credential_id, case_id, looked_at) values ($1, $2, $3)
on conflict (credential_id, case_id) do update set looked_at = excluded.looked_at where case_look.looked_at < excluded.looked_at
"""
